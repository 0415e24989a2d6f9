#include "assay/net/sse.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace assay {

std::vector<SseEvent> SseParser::feed(std::string_view bytes) {
    std::vector<SseEvent> events;
    while (!bytes.empty()) {
        if (after_cr_ && bytes.front() == '\n') bytes.remove_prefix(1);
        after_cr_ = false;
        auto end = bytes.find_first_of("\r\n");
        line_ += bytes.substr(0, end);
        if (line_.size() + data_.size() > limit_)
            throw Error(ErrorKind::Io,
                        fmt::format("server-sent event is over the limit of {} bytes", limit_));
        if (end == std::string_view::npos) break;
        after_cr_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        end_line(events);
    }
    return events;
}

void SseParser::end_line(std::vector<SseEvent>& events) {
    std::string_view line = line_;
    if (first_line_ && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    first_line_ = false;
    if (line.empty()) {
        dispatch(events);
    } else if (auto colon = line.find(':'); colon == std::string_view::npos) {
        set_field(line, {});
    } else if (colon != 0) { // a line that begins with a colon is a comment
        std::string_view value = line.substr(colon + 1);
        if (value.starts_with(' ')) value.remove_prefix(1);
        set_field(line.substr(0, colon), value);
    }
    line_.clear();
}

void SseParser::set_field(std::string_view name, std::string_view value) {
    if (name == "event") {
        type_ = value;
    } else if (name == "data") {
        data_ += value;
        data_ += '\n';
    } else if (name == "id") {
        if (value.find('\0') == std::string_view::npos) id_ = utf8_clean(value);
    } else if (name == "retry") {
        std::int64_t number = 0;
        bool digits = !value.empty() && value.find_first_not_of("0123456789") == value.npos;
        auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (digits && failed == std::errc()) retry_ = number;
    }
}

void SseParser::dispatch(std::vector<SseEvent>& events) {
    if (!data_.empty()) {
        data_.pop_back();
        SseEvent event;
        if (!type_.empty()) event.event = utf8_clean(type_);
        event.data = utf8_clean(data_);
        event.id = id_;
        event.retry = std::exchange(retry_, std::nullopt);
        events.push_back(std::move(event));
    }
    data_.clear();
    type_.clear();
}

std::string format_sse(const SseEvent& event) {
    auto one_line = [](std::string text) { // a line break would begin another field
        std::replace(text.begin(), text.end(), '\n', ' ');
        std::replace(text.begin(), text.end(), '\r', ' ');
        return text;
    };
    std::string out;
    if (event.event != "message") out += "event: " + one_line(event.event) + "\n";
    if (!event.id.empty()) out += "id: " + one_line(event.id) + "\n";
    if (event.retry) out += fmt::format("retry: {}\n", *event.retry);
    std::string data = replace_all(replace_all(event.data, "\r\n", "\n"), "\r", "\n");
    for (std::string_view line : split(data, '\n')) out += fmt::format("data: {}\n", line);
    return out + "\n";
}

} // namespace assay
