#include "assay/mcp/message.h"

#include "assay/base/json.h"
#include "assay/base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace assay::mcp {

using Json = nlohmann::ordered_json;

namespace {

IncomingMessage malformed(std::string problem) {
    IncomingMessage message;
    message.problem = std::move(problem);
    return message;
}

std::string body_of(const Json& json, const char* key) {
    auto found = json.find(key);
    return found == json.end() ? "null"
                               : found->dump(-1, ' ', false, Json::error_handler_t::replace);
}

IncomingMessage read_one(const Json& json) {
    if (!json.is_object()) return malformed("not a JSON object");
    IncomingMessage message;
    auto id = json.find("id");
    if (id != json.end() && !id->is_null()) {
        if (!id->is_string() && !id->is_number_integer())
            return malformed("the id is neither a string nor an integer");
        message.id = id->dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    auto method = json.find("method");
    if (method != json.end()) {
        if (!method->is_string()) return malformed("the method is not a string");
        message.method = method->get<std::string>();
        message.kind = message.id.empty() ? IncomingMessage::Kind::Notification
                                          : IncomingMessage::Kind::Request;
        message.body = body_of(json, "params");
    } else if (json.contains("result")) {
        message.kind = IncomingMessage::Kind::Result;
        message.body = body_of(json, "result");
    } else if (json.contains("error")) {
        message.kind = IncomingMessage::Kind::Error;
        message.body = body_of(json, "error");
    } else {
        return malformed("no method, no result, no error");
    }
    bool is_answer = message.kind == IncomingMessage::Kind::Result;
    if (is_answer && message.id.empty()) return malformed("a result without an id");
    return message;
}

} // namespace

std::vector<IncomingMessage> read_messages(std::string_view text) {
    if (nested_too_deep(text))
        return {malformed(fmt::format("nested deeper than {} levels", kDeepestJson))};
    Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded() && !utf8_valid(text)) // a server that writes Latin-1
        json = Json::parse(utf8_clean(text), nullptr, false);
    if (json.is_discarded()) return {malformed("not JSON: " + utf8_clean(text.substr(0, 120)))};
    if (!json.is_array()) return {read_one(json)};
    std::vector<IncomingMessage> out;
    for (const Json& one : json) out.push_back(read_one(one));
    if (out.empty()) out.push_back(malformed("an empty batch"));
    return out;
}

} // namespace assay::mcp
