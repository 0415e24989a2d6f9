#include "assay/base/json.h"
#include "assay/base/text.h"
#include "terminus_reply.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>

namespace assay {

using Json = nlohmann::ordered_json;

void warn_glued(const std::vector<TerminusCommand>& commands, std::vector<std::string>& warnings) {
    for (std::size_t i = 0; i + 1 < commands.size(); ++i) {
        const std::string& keys = commands[i].keystrokes;
        if (!keys.empty() && keys.back() != '\n')
            warnings.push_back(fmt::format("command {} does not end with a newline: the next one "
                                           "is typed into the same line",
                                           i + 1));
    }
}

namespace {

constexpr std::size_t kDeepest = 64; // nesting; printing a value recurses

struct Extent {
    std::size_t begin = 0, end = 0;
    std::string closers; // missing at the end; empty: balanced
    bool in_string = false, too_deep = false;
};

// The object that begins at `begin`; braces in strings do not count.
Extent object_at(std::string_view text, std::size_t begin) {
    Extent out;
    out.begin = begin;
    out.end = text.size();
    std::string& stack = out.closers;
    for (std::size_t i = begin; i < text.size(); ++i) {
        char c = text[i];
        if (out.in_string) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                out.in_string = false;
        } else if (c == '"') {
            out.in_string = true;
        } else if (c == '{' || c == '[') {
            stack += c == '{' ? '}' : ']';
            if (stack.size() > kDeepest) {
                out.too_deep = true;
                return out;
            }
        } else if ((c == '}' || c == ']') && !stack.empty()) {
            stack.pop_back();
            if (stack.empty()) {
                out.end = i + 1;
                return out;
            }
        }
    }
    std::reverse(stack.begin(), stack.end());
    return out;
}

std::optional<Json> strict(std::string_view text) {
    Json json = parse_json<Json>(text);
    if (!json.is_object()) return std::nullopt;
    return json;
}

// Frequent slips: raw line breaks and tabs in strings, commas before a closing bracket.
std::string repaired(std::string_view text) {
    std::string out;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (in_string && c == '\\' && i + 1 < text.size()) {
            out += c;
            out += text[++i];
        } else if (c == '"') {
            in_string = !in_string;
            out += c;
        } else if (in_string && static_cast<unsigned char>(c) < 0x20) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else if (!in_string && c == ',') {
            std::size_t next = text.find_first_not_of(" \t\r\n", i + 1);
            if (next == std::string_view::npos || (text[next] != '}' && text[next] != ']'))
                out += c;
        } else {
            out += c;
        }
    }
    return out;
}

struct Found {
    Json json;
    Extent extent;
};

// The first later object that parses and looks like a reply.
std::optional<Found> salvage(std::string_view text, std::size_t from) {
    constexpr int kMostCandidates = 200; // a text of nothing but braces must not take for ever
    for (int i = 0; i < kMostCandidates; ++i) {
        from = text.find('{', from);
        if (from == std::string_view::npos) return std::nullopt;
        Extent extent = object_at(text, from);
        if (extent.closers.empty()) {
            auto json = strict(text.substr(extent.begin, extent.end - extent.begin));
            if (json && json->contains("analysis") && json->contains("commands"))
                return Found{std::move(*json), extent};
        }
        ++from;
    }
    return std::nullopt;
}

std::string why_not_json(const std::string& body) {
    try {
        [[maybe_unused]] Json again = Json::parse(body);
        return "the reply is not a JSON object";
    } catch (const Json::exception& e) {
        return std::string("the JSON is not valid: ") + e.what();
    }
}

// Finds the object in the text; else reply.error is set.
std::optional<Json> find_object(std::string_view text, TerminusReply& reply) {
    std::size_t begin = text.find('{');
    if (begin == std::string_view::npos) {
        reply.error = "there is no JSON object in the reply";
        return std::nullopt;
    }
    Extent extent = object_at(text, begin);
    std::optional<Json> json;
    std::string body;
    if (!extent.too_deep) {
        body = text.substr(begin, extent.end - begin);
        if (!extent.closers.empty() && !extent.in_string) body += extent.closers;
        json = strict(body);
        if (json && !extent.closers.empty())
            reply.warnings.push_back("the JSON was not closed: '" + extent.closers + "' was added");
    }
    if (!json) {
        if (!extent.too_deep) json = strict(repaired(body));
        if (!json) {
            if (auto later = salvage(text, begin + 1)) {
                json = std::move(later->json);
                extent = later->extent;
            }
        }
        if (json) reply.warnings.push_back("the JSON was not valid and had to be repaired");
    }
    if (!json) {
        reply.error = extent.too_deep ? "the JSON is nested too deeply" : why_not_json(body);
        return std::nullopt;
    }
    if (!trim(text.substr(0, extent.begin)).empty())
        reply.warnings.push_back("there is text before the JSON object");
    if (!trim(text.substr(extent.end)).empty())
        reply.warnings.push_back("there is text after the JSON object");
    return json;
}

bool truth(const Json& value) {
    if (value.is_boolean()) return value.get<bool>();
    if (!value.is_string()) return false;
    std::string word = to_lower(value.get<std::string>());
    return word == "true" || word == "1" || word == "yes";
}

std::string prose(const Json& json, const char* key, TerminusReply& reply) {
    const Json& value = json.at(key);
    if (value.is_string()) return value.get<std::string>();
    reply.warnings.push_back(fmt::format("\"{}\" should be a string", key));
    return value.dump();
}

double duration_of(const Json& command, std::size_t number, TerminusReply& reply) {
    auto at = command.find("duration");
    if (at == command.end()) {
        reply.warnings.push_back(fmt::format("command {}: no duration, 1.0 is taken", number));
        return 1.0;
    }
    if (at->is_number() && std::isfinite(at->get<double>()) && at->get<double>() >= 0)
        return at->get<double>();
    reply.warnings.push_back(
        fmt::format("command {}: the duration is not a number >= 0, 1.0 is taken", number));
    return 1.0;
}

// The commands, or what is wrong with the first bad one.
std::string read_commands(const Json& list, TerminusReply& reply) {
    if (!list.is_array()) return "\"commands\" must be an array";
    for (std::size_t i = 0; i < list.size(); ++i) {
        const Json& one = list[i];
        if (!one.is_object()) return fmt::format("command {} must be an object", i + 1);
        auto keys = one.find("keystrokes");
        if (keys == one.end()) return fmt::format("command {}: \"keystrokes\" is missing", i + 1);
        if (!keys->is_string())
            return fmt::format("command {}: \"keystrokes\" must be a string", i + 1);
        for (const auto& [key, value] : one.items())
            if (key != "keystrokes" && key != "duration")
                reply.warnings.push_back(
                    fmt::format("command {}: unknown field \"{}\"", i + 1, utf8_clean(key)));
        reply.commands.push_back({keys->get<std::string>(), duration_of(one, i + 1, reply)});
    }
    warn_glued(reply.commands, reply.warnings);
    return {};
}

void check_fields(const Json& json, TerminusReply& reply) {
    static constexpr const char* kRequired[] = {"analysis", "plan", "commands"};
    std::string missing;
    for (const char* key : kRequired)
        if (!json.contains(key)) missing += (missing.empty() ? "" : ", ") + std::string(key);
    if (!missing.empty()) {
        reply.error = "required fields are missing: " + missing;
        return;
    }
    std::vector<std::string> order;
    for (const auto& [key, value] : json.items())
        if (std::find(std::begin(kRequired), std::end(kRequired), key) != std::end(kRequired))
            order.push_back(key);
    if (!std::equal(order.begin(), order.end(), std::begin(kRequired), std::end(kRequired)))
        reply.warnings.push_back("the fields should come in the order analysis, plan, commands");
}

} // namespace

TerminusReply parse_terminus_json(std::string_view text) {
    TerminusReply reply;
    std::optional<Json> json = find_object(text, reply);
    if (!json) return reply;
    check_fields(*json, reply);
    if (!reply.ok()) return reply;
    reply.analysis = prose(*json, "analysis", reply);
    reply.plan = prose(*json, "plan", reply);
    auto complete = json->find("task_complete");
    reply.task_complete = complete != json->end() && truth(*complete);
    std::string problem = read_commands(json->at("commands"), reply);
    if (!problem.empty()) {
        reply.commands.clear();
        // A model that says it is done shall not be kept from it by a slip in its commands.
        if (reply.task_complete)
            reply.warnings.push_back(problem);
        else
            reply.error = problem;
    }
    return reply;
}

} // namespace assay
