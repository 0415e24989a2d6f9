#include "openai_request.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <nlohmann/json.hpp>

namespace assay {

using Json = nlohmann::ordered_json;

namespace {

std::string data_url(const BlobRef& blob, BlobStore* blobs) {
    if (blobs == nullptr)
        throw Error(ErrorKind::Internal, "model openai: a message has media, but no blob store");
    return "data:" + blob.media_type + ";base64," + base64_encode(blobs->get(blob));
}

Json text_json(std::string_view text) {
    return {{"type", "text"}, {"text", utf8_clean(text)}};
}
Json image_json(const BlobRef& blob, BlobStore* blobs) {
    return {{"type", "image_url"}, {"image_url", {{"url", data_url(blob, blobs)}}}};
}

// Some servers parse the arguments of earlier calls again, for their prompt template, and refuse
// the whole request if that fails.
std::string valid_arguments(const std::string& text) {
    if (trim(text).empty()) return "{}";
    if (Json::accept(text)) return utf8_clean(text);
    return Json{{"malformed", utf8_clean(text)}}.dump();
}

class Messages {
  public:
    Messages(const OpenAiDialect& dialect, BlobStore* blobs)
        : dialect_(dialect)
        , blobs_(blobs) {}

    void add(const Message& message) {
        if (message.role == Role::Tool) return add_results(message);
        flush_images();
        if (message.role == Role::Assistant) return add_assistant(message);
        add_plain(message);
    }
    Json take() {
        flush_images();
        return std::move(list_);
    }

  private:
    void add_plain(const Message& message) {
        bool media = false;
        Json parts = Json::array();
        for (const ContentPart& part : message.parts) {
            if (const auto* text = std::get_if<TextPart>(&part)) {
                parts.push_back(text_json(text->text));
            } else if (const auto* image = std::get_if<ImagePart>(&part)) {
                parts.push_back(image_json(image->blob, blobs_));
                media = true;
            } else if (const auto* video = std::get_if<VideoPart>(&part)) {
                parts.push_back({{"type", "video_url"},
                                 {"video_url", {{"url", data_url(video->blob, blobs_)}}}});
                media = true;
            }
        }
        list_.push_back({{"role", to_string(message.role)},
                         {"content", media ? parts : Json(utf8_clean(message.text()))}});
    }

    void add_assistant(const Message& message) {
        Json out = {{"role", "assistant"}};
        std::string text = message.text();
        auto calls = message.tool_calls();
        out["content"] = text.empty() && !calls.empty() ? Json() : Json(utf8_clean(text));
        std::string reasoning;
        for (const ContentPart& part : message.parts)
            if (const auto* piece = std::get_if<ReasoningPart>(&part)) reasoning += piece->text;
        if (dialect_.send_reasoning && !reasoning.empty())
            out["reasoning_content"] = utf8_clean(reasoning);
        for (const ToolCall* call : calls)
            out["tool_calls"].push_back({{"id", utf8_clean(call->id)},
                                         {"type", "function"},
                                         {"function",
                                          {{"name", utf8_clean(call->name)},
                                           {"arguments", valid_arguments(call->arguments)}}}});
        list_.push_back(std::move(out));
    }

    // A tool message holds text only. Images follow as a user message, but not before the last
    // result: the results must stand right behind their calls.
    void add_results(const Message& message) {
        for (const ContentPart& part : message.parts) {
            const auto* result = std::get_if<ToolResult>(&part);
            if (result == nullptr) continue;
            list_.push_back({{"role", "tool"},
                             {"tool_call_id", utf8_clean(result->call_id)},
                             {"content", utf8_clean(plain_text(result->parts))}});
            for (const MediaPart& media : result->parts) {
                const auto* image = std::get_if<ImagePart>(&media);
                if (image == nullptr) continue;
                images_.push_back(text_json("Image in the result of " + result->call_id + ":"));
                images_.push_back(image_json(image->blob, blobs_));
            }
        }
    }
    void flush_images() {
        if (images_.empty()) return;
        list_.push_back({{"role", "user"}, {"content", std::move(images_)}});
        images_ = Json::array();
    }

    const OpenAiDialect& dialect_;
    BlobStore* blobs_;
    Json list_ = Json::array();
    Json images_ = Json::array();
};

Json parse_schema(const std::string& text, const std::string& what) {
    Json schema = Json::parse(text, nullptr, false);
    if (schema.is_discarded())
        throw ModelError(ModelFault::BadRequest, what + ": the JSON schema is not JSON");
    return schema;
}

Json tool_choice_json(const ToolChoice& choice) {
    if (choice.kind != ToolChoice::Kind::Named) return to_string(choice);
    return {{"type", "function"}, {"function", {{"name", choice.name}}}};
}

void add_sampling(Json& body, const Sampling& sampling, const OpenAiDialect& dialect) {
    if (sampling.temperature) body["temperature"] = *sampling.temperature;
    if (sampling.top_p) body["top_p"] = *sampling.top_p;
    if (sampling.top_k) body["top_k"] = *sampling.top_k;
    if (sampling.min_p) body["min_p"] = *sampling.min_p;
    if (sampling.repetition_penalty) body["repetition_penalty"] = *sampling.repetition_penalty;
    if (sampling.presence_penalty) body["presence_penalty"] = *sampling.presence_penalty;
    if (sampling.frequency_penalty) body["frequency_penalty"] = *sampling.frequency_penalty;
    if (sampling.max_tokens)
        body[dialect.max_completion_tokens ? "max_completion_tokens" : "max_tokens"] =
            *sampling.max_tokens;
    if (!sampling.stop.empty()) body["stop"] = sampling.stop;
    if (sampling.reasoning_effort) body["reasoning_effort"] = *sampling.reasoning_effort;
    if (sampling.response_schema)
        body["response_format"] = {
            {"type", "json_schema"},
            {"json_schema",
             {{"name", "answer"},
              {"schema", parse_schema(*sampling.response_schema, "response_schema")},
              {"strict", true}}}};
}

} // namespace

std::int64_t openai_seed(const SeedKey& key) {
    Digest digest = sha256(key.text());
    std::int64_t out = 0;
    for (int i = 0; i < 4; ++i) out = out * 256 + digest.bytes[static_cast<std::size_t>(i)];
    return out & 0x7fffffff;
}

std::string openai_request_body(const CompletionRequest& request, const OpenAiDialect& dialect,
                                BlobStore* blobs) {
    if (request.raw_prompt)
        throw ModelError(ModelFault::BadRequest, "model openai: continues conversations only, not "
                                                 "a bare text");
    Messages messages(dialect, blobs);
    for (const MessageRef& message : request.messages) messages.add(*message);
    Json body = {{"model", dialect.model}, {"messages", messages.take()}};
    for (const ToolSpec& tool : request.tools)
        body["tools"].push_back({{"type", "function"},
                                 {"function",
                                  {{"name", tool.name},
                                   {"description", utf8_clean(tool.description)},
                                   {"parameters", parse_schema(tool.schema, tool.name)}}}});
    add_sampling(body, request.sampling, dialect);
    if (request.sampling.tool_choice && !request.tools.empty())
        body["tool_choice"] = tool_choice_json(*request.sampling.tool_choice);
    body["seed"] = openai_seed(request.seed);
    if (int top = request.sampling.top_logprobs.value_or(dialect.top_logprobs); top >= 0) {
        body["logprobs"] = true;
        if (top > 0) body["top_logprobs"] = top;
    }
    if (dialect.stream) {
        body["stream"] = true;
        body["stream_options"] = {{"include_usage", true}};
    }
    return body.dump();
}

} // namespace assay
