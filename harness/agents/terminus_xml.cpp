#include "assay/base/text.h"
#include "terminus_reply.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>

namespace assay {

namespace {

struct Element {
    std::string_view attributes, content;
    std::size_t begin = 0, end = 0;
    bool closed = true;
};

// The first element of the name from `from` on. Content is taken as it is: keystrokes are not
// escaped in this format. An element that is never closed reaches to the end.
std::optional<Element> find_element(std::string_view text, std::string_view name,
                                    std::size_t from = 0) {
    const std::string open = "<" + std::string(name), close = "</" + std::string(name) + ">";
    for (std::size_t at = text.find(open, from); at != std::string_view::npos;
         at = text.find(open, at + 1)) {
        std::size_t after = at + open.size();
        if (after >= text.size()) return std::nullopt;
        if (text[after] != '>' && text[after] != '/' && text[after] != ' ') continue;
        std::size_t tag_end = text.find('>', after);
        if (tag_end == std::string_view::npos) return std::nullopt;
        Element out;
        out.begin = at;
        out.attributes = text.substr(after, tag_end - after);
        if (!out.attributes.empty() && out.attributes.back() == '/') {
            out.end = tag_end + 1;
            return out;
        }
        std::size_t stop = text.find(close, tag_end + 1);
        out.closed = stop != std::string_view::npos;
        out.content = text.substr(tag_end + 1, (out.closed ? stop : text.size()) - tag_end - 1);
        out.end = out.closed ? stop + close.size() : text.size();
        return out;
    }
    return std::nullopt;
}

std::optional<std::string_view> attribute(std::string_view attributes, std::string_view name) {
    std::size_t at = attributes.find(std::string(name) + "=\"");
    if (at == std::string_view::npos) return std::nullopt;
    attributes.remove_prefix(at + name.size() + 2);
    std::size_t end = attributes.find('"');
    if (end == std::string_view::npos) return std::nullopt;
    return attributes.substr(0, end);
}

double duration_of(const Element& element, std::size_t number, TerminusReply& reply) {
    auto text = attribute(element.attributes, "duration");
    if (!text) {
        reply.warnings.push_back(fmt::format("command {}: no duration, 1.0 is taken", number));
        return 1.0;
    }
    double value = 0;
    auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error == std::errc() && end == text->data() + text->size() && std::isfinite(value) &&
        value >= 0)
        return value;
    reply.warnings.push_back(
        fmt::format("command {}: the duration is not a number >= 0, 1.0 is taken", number));
    return 1.0;
}

void read_commands(std::string_view list, TerminusReply& reply) {
    for (std::size_t from = 0;;) {
        auto element = find_element(list, "keystrokes", from);
        if (!element) break;
        if (!element->closed) {
            reply.warnings.push_back("the last <keystrokes> is not closed and was left out");
            break;
        }
        double duration = duration_of(*element, reply.commands.size() + 1, reply);
        reply.commands.push_back({std::string(element->content), duration});
        from = element->end;
    }
    warn_glued(reply.commands, reply.warnings);
}

// Text of a required element; its absence is collected in `missing`.
std::string required(std::string_view body, const char* name, std::string& missing) {
    auto element = find_element(body, name);
    if (element && element->closed) return std::string(trim(element->content));
    missing += (missing.empty() ? "" : ", ") + std::string(name);
    return {};
}

} // namespace

std::string_view complete_xml_part(std::string_view text) {
    constexpr std::string_view kEnd = "</response>";
    std::size_t at = text.find(kEnd);
    return at == std::string_view::npos ? std::string_view() : text.substr(0, at + kEnd.size());
}

TerminusReply parse_terminus_xml(std::string_view text) {
    TerminusReply reply;
    auto response = find_element(text, "response");
    if (!response) {
        reply.error = "there is no <response> in the reply";
        return reply;
    }
    if (!trim(text.substr(0, response->begin)).empty())
        reply.warnings.push_back("there is text before <response>");
    if (!trim(text.substr(response->end)).empty())
        reply.warnings.push_back("there is text after </response>");
    if (!response->closed) reply.warnings.push_back("</response> is missing");
    std::string missing;
    reply.analysis = required(response->content, "analysis", missing);
    reply.plan = required(response->content, "plan", missing);
    auto commands = find_element(response->content, "commands");
    if (!commands) missing += (missing.empty() ? "" : ", ") + std::string("commands");
    if (auto complete = find_element(response->content, "task_complete")) {
        std::string word = to_lower(trim(complete->content));
        reply.task_complete = word == "true" || word == "1" || word == "yes";
    }
    if (!missing.empty()) {
        reply.error = "required elements are missing: " + missing;
        return reply;
    }
    read_commands(commands->content, reply);
    return reply;
}

} // namespace assay
