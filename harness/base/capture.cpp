#include "assay/base/capture.h"

#include "assay/base/text.h"

#include <algorithm>

namespace assay {

namespace {
std::string join(std::string_view head, std::string_view tail, std::uint64_t total) {
    head = head.substr(0, utf8_floor(head, head.size()));
    tail = tail.substr(utf8_ceil(tail, 0));
    std::string out(head);
    if (!out.empty() && out.back() != '\n') out += '\n';
    out += "[... " + std::to_string(total - head.size() - tail.size()) + " bytes left out ...]\n";
    out += tail;
    return out;
}
} // namespace

Capture::Capture(std::size_t limit)
    : limit_(std::max<std::size_t>(limit, 2)) {}

void Capture::append(std::string_view data) {
    total_ += data.size();
    const std::size_t head_limit = limit_ / 2, tail_limit = limit_ - head_limit;
    std::size_t take = std::min(data.size(), head_limit - head_.size());
    head_.append(data.substr(0, take));
    data.remove_prefix(take);
    if (data.size() > tail_limit) {
        tail_at_ = 0;
        tail_.assign(data.substr(data.size() - tail_limit));
        return;
    }
    std::size_t grow = std::min(data.size(), tail_limit - tail_.size());
    tail_.append(data.substr(0, grow));
    data.remove_prefix(grow);
    while (!data.empty()) { // full: overwrite the oldest
        std::size_t run = std::min(data.size(), tail_limit - tail_at_);
        std::copy_n(data.data(), run, tail_.data() + tail_at_);
        tail_at_ = (tail_at_ + run) % tail_limit;
        data.remove_prefix(run);
    }
}

std::string Capture::text() const {
    std::string tail = tail_.substr(tail_at_) + tail_.substr(0, tail_at_);
    if (!truncated()) return head_ + tail;
    return join(head_, tail, total_);
}

std::string cut_middle(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return std::string(text);
    std::size_t head = limit / 2;
    return join(text.substr(0, head), text.substr(text.size() - (limit - head)), text.size());
}

} // namespace assay
