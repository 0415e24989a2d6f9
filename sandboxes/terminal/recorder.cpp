#include "terminal/recorder.h"

#include "assay/base/text.h"

#include <fmt/format.h>

namespace assay {

namespace {
constexpr std::size_t kLimit = 64u << 20;
}

Recorder::Recorder(TerminalSize size, MonoTime start)
    : text_(fmt::format("{{\"version\":2,\"width\":{},\"height\":{},\"timestamp\":{}}}\n",
                        size.columns, size.rows, SystemClock().wall_microseconds() / 1'000'000))
    , start_(start) {}

void Recorder::output(std::string_view bytes) {
    pending_.append(bytes);
    // A character cut in two by a read is held back until its rest comes.
    std::size_t whole = pending_.size();
    for (std::size_t back = 1; back <= 3 && back <= pending_.size(); back++) {
        auto c = static_cast<unsigned char>(pending_[pending_.size() - back]);
        if ((c & 0xc0) == 0x80) continue;
        std::size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        if (length > back) whole = pending_.size() - back;
        break;
    }
    event('o', std::string_view(pending_).substr(0, whole));
    pending_.erase(0, whole);
}

void Recorder::input(std::string_view bytes) {
    event('i', bytes);
}

void Recorder::resize(TerminalSize size) {
    event('r', fmt::format("{}x{}", size.columns, size.rows));
}

void Recorder::event(char kind, std::string_view data) {
    if (full_ || data.empty()) return;
    full_ = text_.size() + data.size() > kLimit;
    if (full_) {
        kind = 'o';
        data = "\r\n[the recording is full: the rest is left out]\r\n";
    }
    double at = seconds(std::chrono::steady_clock::now() - start_);
    text_ += fmt::format("[{:.6f},\"{}\",{}]\n", at, kind, json_quote(data));
}

} // namespace assay
