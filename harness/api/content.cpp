#include "assay/api/content.h"

#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"

#include <nlohmann/json.hpp>

namespace assay {

using Json = nlohmann::ordered_json;

std::string_view to_string(Role role) {
    switch (role) {
    case Role::System:
        return "system";
    case Role::User:
        return "user";
    case Role::Assistant:
        return "assistant";
    case Role::Tool:
        return "tool";
    }
    return "user";
}

std::string Message::text() const {
    std::string out;
    for (const ContentPart& part : parts)
        if (const auto* text = std::get_if<TextPart>(&part)) out += text->text;
    return out;
}

std::vector<const ToolCall*> Message::tool_calls() const {
    std::vector<const ToolCall*> out;
    for (const ContentPart& part : parts)
        if (const auto* call = std::get_if<ToolCall>(&part)) out.push_back(call);
    return out;
}

namespace {
MessageRef text_message(Role role, std::string text) {
    return std::make_shared<const Message>(Message{role, {TextPart{std::move(text)}}});
}
} // namespace

MessageRef system_message(std::string text) {
    return text_message(Role::System, std::move(text));
}
MessageRef user_message(std::string text) {
    return text_message(Role::User, std::move(text));
}
MessageRef assistant_message(std::string text) {
    return text_message(Role::Assistant, std::move(text));
}
MessageRef tool_message(ToolResult result) {
    return std::make_shared<const Message>(Message{Role::Tool, {std::move(result)}});
}

namespace {
std::string blob_label(const BlobRef& blob) {
    return "[" + blob.media_type + ", " + std::to_string(blob.size) + " bytes]";
}
} // namespace

std::string plain_text(const std::vector<MediaPart>& parts) {
    std::string out;
    for (const MediaPart& part : parts) {
        if (const auto* text = std::get_if<TextPart>(&part))
            out += text->text;
        else
            out += blob_label(std::get<ImagePart>(part).blob);
    }
    return out;
}

namespace {
BlobRef blob_from(const Json& json) {
    BlobRef blob;
    std::string raw = from_hex(json.at("sha256").get<std::string>());
    if (raw.size() != blob.hash.bytes.size())
        throw Error(ErrorKind::Input, "message: sha256 of a wrong length");
    std::copy(raw.begin(), raw.end(), blob.hash.bytes.begin());
    blob.size = whole_number<std::uint64_t>(json.at("size"), "message: size");
    blob.media_type = json.at("type").get<std::string>();
    return blob;
}

// Written by hand, in the one canonical form: this is on the hot path of every run, and a tree of
// Json values for each message was a third of what a turn cost.
std::string blob_text(const BlobRef& blob) {
    return R"({"sha256":")" + blob.hash.hex() + R"(","size":)" + std::to_string(blob.size) +
           R"(,"type":)" + json_quote(blob.media_type) + "}";
}

std::string media_text(const MediaPart& part) {
    if (const auto* text = std::get_if<TextPart>(&part))
        return R"({"text":)" + json_quote(text->text) + "}";
    return R"({"image":)" + blob_text(std::get<ImagePart>(part).blob) + "}";
}

struct PartToText {
    std::string operator()(const TextPart& p) const {
        return R"({"text":)" + json_quote(p.text) + "}";
    }
    std::string operator()(const ImagePart& p) const {
        return R"({"image":)" + blob_text(p.blob) + "}";
    }
    std::string operator()(const VideoPart& p) const {
        return R"({"video":)" + blob_text(p.blob) + "}";
    }
    std::string operator()(const ReasoningPart& p) const {
        std::string out = R"({"reasoning":)" + json_quote(p.text);
        if (!p.signature.empty()) out += R"(,"signature":)" + json_quote(p.signature);
        return out + "}";
    }
    std::string operator()(const ToolCall& p) const {
        return R"({"tool_call":{"id":)" + json_quote(p.id) + R"(,"name":)" + json_quote(p.name) +
               R"(,"arguments":)" + json_quote(p.arguments) + "}}";
    }
    std::string operator()(const ToolResult& p) const {
        std::string out = R"({"tool_result":{"call_id":)" + json_quote(p.call_id) + R"(,"name":)" +
                          json_quote(p.name) + R"(,"parts":[)";
        for (std::size_t i = 0; i < p.parts.size(); ++i)
            out += (i == 0 ? "" : ",") + media_text(p.parts[i]);
        out += p.is_error ? R"(],"is_error":true}})" : "]}}";
        return out;
    }
};

ContentPart part_from(const Json& json) {
    if (json.contains("text")) return TextPart{json["text"].get<std::string>()};
    if (json.contains("image")) return ImagePart{blob_from(json["image"])};
    if (json.contains("video")) return VideoPart{blob_from(json["video"])};
    if (json.contains("reasoning"))
        return ReasoningPart{json["reasoning"].get<std::string>(), json.value("signature", "")};
    if (json.contains("tool_call")) {
        const Json& call = json["tool_call"];
        return ToolCall{call.at("id"), call.at("name"), call.at("arguments")};
    }
    if (json.contains("tool_result")) {
        const Json& in = json["tool_result"];
        ToolResult result{in.at("call_id"), in.at("name"), {}, in.value("is_error", false)};
        for (const Json& part : in.at("parts")) {
            if (part.contains("text"))
                result.parts.push_back(TextPart{part["text"].get<std::string>()});
            else
                result.parts.push_back(ImagePart{blob_from(part.at("image"))});
        }
        return result;
    }
    throw Error(ErrorKind::Input, "message: unknown part " + json.dump().substr(0, 80));
}

Role role_from(const std::string& text) {
    for (Role role : {Role::System, Role::User, Role::Assistant, Role::Tool})
        if (text == to_string(role)) return role;
    throw Error(ErrorKind::Input, "message: unknown role '" + text + "'");
}
} // namespace

std::string to_json(const Message& message) {
    std::string out = R"({"role":")" + std::string(to_string(message.role)) + R"(","parts":[)";
    for (std::size_t i = 0; i < message.parts.size(); ++i) {
        if (i != 0) out += ',';
        out += std::visit(PartToText{}, message.parts[i]);
    }
    return out + "]}";
}

Message message_from_json(std::string_view text) {
    if (nested_too_deep(text)) throw Error(ErrorKind::Input, "message: nested too deeply");
    try {
        Json json = Json::parse(text);
        Message message;
        message.role = role_from(json.at("role").get<std::string>());
        for (const Json& part : json.at("parts")) message.parts.push_back(part_from(part));
        return message;
    } catch (const Json::exception& e) {
        throw Error(ErrorKind::Input, std::string("message: ") + e.what());
    }
}

} // namespace assay
