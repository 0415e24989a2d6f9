#include "openai_request.h"

#include "fields.h"
#include "media.h"
#include "tools.h"

#include <fmt/format.h>

#include <limits>
#include <map>

namespace assay::serve {

namespace {

constexpr std::int64_t kMostTokens = std::numeric_limits<int>::max();
constexpr std::size_t kMostStops = 16;

class ChatMessages {
  public:
    ChatMessages(const RequestLimits& limits, BlobStore& blobs)
        : media_(blobs, limits) {}

    Message read(const Json& json, const std::string& where) {
        Fields fields(json, where);
        std::string role = fields.need_text("role");
        fields.ignore({"name", "id", "type", "annotations", "audio"});
        Message out;
        if (role == "system" || role == "developer")
            out = plain(Role::System, fields);
        else if (role == "user")
            out = plain(Role::User, fields);
        else if (role == "assistant")
            out = assistant(fields);
        else if (role == "tool")
            out = result(fields);
        else
            bad_request(fields.path("role"), "must be system, developer, user, assistant or tool");
        fields.refuse_rest();
        return out;
    }

  private:
    Message plain(Role role, Fields& fields) {
        Message out{role, {}};
        for (MediaPart& part : content(fields.need("content"), fields.path("content")))
            std::visit([&](auto& one) { out.parts.emplace_back(std::move(one)); }, part);
        return out;
    }

    Message assistant(Fields& fields) {
        Message out{Role::Assistant, {}};
        auto reasoning = fields.text("reasoning_content");
        if (auto other = fields.text("reasoning"); !reasoning) reasoning = std::move(other);
        if (reasoning && !reasoning->empty()) out.parts.push_back(ReasoningPart{*reasoning, {}});
        std::string text;
        if (const Json* json = fields.find("content"))
            for (const MediaPart& part : content(*json, fields.path("content"))) {
                const auto* piece = std::get_if<TextPart>(&part);
                if (piece == nullptr)
                    bad_request(fields.path("content"), "an assistant's message has no images");
                text += piece->text;
            }
        if (text.empty()) text = fields.text("refusal").value_or("");
        fields.ignore({"refusal"});
        if (!text.empty()) out.parts.push_back(TextPart{std::move(text)});
        fields.refuse_unless("function_call", nullptr, "is outdated: use tool_calls");
        if (const Json* calls = fields.list("tool_calls"))
            for (std::size_t i = 0; i < calls->size(); ++i)
                out.parts.push_back(call((*calls)[i], item_path(fields.path("tool_calls"), i)));
        return out;
    }

    ToolCall call(const Json& json, const std::string& where) {
        Fields fields(json, where);
        ToolCall out;
        out.id = fields.need_text("id");
        fields.refuse_unless("type", "function", "must be \"function\"");
        fields.ignore({"index", "extra_content"});
        Fields function(fields.need("function"), fields.path("function"));
        out.name = function.need_text("name");
        out.arguments = function.text("arguments").value_or("{}");
        function.refuse_rest();
        fields.refuse_rest();
        names_[out.id] = out.name;
        return out;
    }

    Message result(Fields& fields) {
        ToolResult out;
        out.call_id = fields.need_text("tool_call_id");
        out.name = names_.contains(out.call_id) ? names_[out.call_id] : "";
        out.parts = content(fields.need("content"), fields.path("content"));
        return {Role::Tool, {std::move(out)}};
    }

    std::vector<MediaPart> content(const Json& json, const std::string& where) {
        if (json.is_string()) return {TextPart{json.get<std::string>()}};
        if (!json.is_array()) bad_request(where, "must be a string or a list of parts");
        std::vector<MediaPart> out;
        for (std::size_t i = 0; i < json.size(); ++i)
            out.push_back(part(json[i], item_path(where, i)));
        return out;
    }

    MediaPart part(const Json& json, const std::string& where) {
        Fields fields(json, where);
        std::string type = fields.need_text("type");
        fields.ignore({"cache_control"});
        MediaPart out;
        if (type == "text" || type == "refusal") {
            out = TextPart{fields.need_text(type)};
        } else if (type == "image_url") {
            Fields image(fields.need("image_url"), fields.path("image_url"));
            image.refuse_unless("detail", "auto", "only auto: the model takes images as they are");
            out = media_.from_url(image.need_text("url"), image.path("url"));
            image.refuse_rest();
        } else {
            bad_request(fields.path("type"), "only text and image_url parts are understood");
        }
        fields.refuse_rest();
        return out;
    }

    MediaReader media_;
    std::map<std::string, std::string> names_; // of calls so far, by id
};

ToolSpec read_tool(const Json& json, const std::string& where) {
    Fields fields(json, where);
    if (fields.need_text("type") != "function")
        bad_request(fields.path("type"), "only tools of the type function are understood");
    Fields function(fields.need("function"), fields.path("function"));
    ToolSpec out;
    out.name = function.need_text("name");
    out.description = function.text("description").value_or("");
    const Json* schema = function.object("parameters");
    out.schema = schema != nullptr ? dump(*schema) : R"({"type":"object","properties":{}})";
    function.flag("strict"); // what the model's grammar holds, it holds for all
    function.refuse_rest();
    fields.refuse_rest();
    return out;
}

ToolChoice read_choice(const Json& json, const std::string& where) {
    if (json.is_string()) {
        auto word = json.get<std::string>();
        if (word == "auto") return {ToolChoice::Kind::Auto, {}};
        if (word == "none") return {ToolChoice::Kind::None, {}};
        if (word == "required") return {ToolChoice::Kind::Required, {}};
        bad_request(where, "must be auto, none, required or a function");
    }
    Fields fields(json, where);
    if (fields.need_text("type") != "function")
        bad_request(fields.path("type"), "only a choice of the type function is understood");
    Fields function(fields.need("function"), fields.path("function"));
    ToolChoice out{ToolChoice::Kind::Named, function.need_text("name")};
    function.refuse_rest();
    fields.refuse_rest();
    return out;
}

void read_tools(Fields& fields, ApiRequest& out) {
    if (const Json* tools = fields.list("tools"))
        for (std::size_t i = 0; i < tools->size(); ++i)
            out.tools.push_back(read_tool((*tools)[i], item_path("tools", i)));
    if (const Json* choice = fields.find("tool_choice"))
        out.sampling.tool_choice = read_choice(*choice, "tool_choice");
    check_tools(out.tools, out.sampling.tool_choice);
    if (auto parallel = fields.flag("parallel_tool_calls");
        parallel && !*parallel && !out.tools.empty())
        bad_request("parallel_tool_calls", "false is not supported: the model decides how many "
                                           "tools it calls at a time");
    for (const char* outdated : {"functions", "function_call"})
        fields.refuse_unless(outdated, nullptr, "is outdated: use tools and tool_choice");
}

void read_response_format(Fields& fields, Sampling& sampling) {
    const Json* json = fields.find("response_format");
    if (json == nullptr) return;
    Fields format(*json, "response_format");
    std::string type = format.need_text("type");
    if (type == "json_object") {
        sampling.response_schema = R"({"type":"object"})";
    } else if (type == "json_schema") {
        Fields schema(format.need("json_schema"), "response_format.json_schema");
        const Json& wanted = schema.need("schema");
        if (!wanted.is_object()) bad_request(schema.path("schema"), "must be an object");
        sampling.response_schema = dump(wanted);
        schema.ignore({"name", "description", "strict"});
        schema.refuse_rest();
    } else if (type != "text") {
        bad_request("response_format.type", "must be text, json_object or json_schema");
    }
    format.refuse_rest();
}

void read_stop(Fields& fields, Sampling& sampling) {
    const Json* json = fields.find("stop");
    if (json == nullptr) return;
    Json list = json->is_array() ? *json : Json::array({*json});
    if (list.size() > kMostStops)
        bad_request("stop", fmt::format("more than {} sequences", kMostStops));
    for (const Json& one : list) {
        if (!one.is_string() || one.get_ref<const std::string&>().empty())
            bad_request("stop", "must be a text or a list of texts, none of them empty");
        sampling.stop.push_back(one.get<std::string>());
    }
}

template<class To, class From>
std::optional<To> narrowed(const std::optional<From>& value) {
    return value ? std::optional<To>(static_cast<To>(*value)) : std::nullopt;
}

// What both calls have.
void read_common(Fields& fields, ApiRequest& out) {
    out.model = fields.need_text("model");
    Sampling& sampling = out.sampling;
    sampling.temperature = fields.number("temperature", 0, 2);
    sampling.top_p = fields.number("top_p", 0, 1);
    if (auto top_k = fields.integer("top_k", -1, kMostTokens); top_k && *top_k > 0)
        sampling.top_k = static_cast<int>(*top_k); // 0 and -1 are two ways to say "all"
    sampling.min_p = fields.number("min_p", 0, 1);
    sampling.presence_penalty = fields.number("presence_penalty", -2, 2);
    sampling.frequency_penalty = fields.number("frequency_penalty", -2, 2);
    sampling.repetition_penalty = fields.number("repetition_penalty", 0.01, 10);
    sampling.max_tokens = narrowed<int>(fields.integer("max_tokens", 1, kMostTokens));
    read_stop(fields, sampling);
    if (auto seed = fields.integer("seed", std::numeric_limits<std::int64_t>::min(),
                                   std::numeric_limits<std::int64_t>::max()))
        out.seed = static_cast<std::uint64_t>(*seed);
    out.stream = fields.flag("stream").value_or(false);
    if (const Json* json = fields.object("stream_options")) {
        Fields options(*json, "stream_options");
        out.include_usage = options.flag("include_usage").value_or(false);
        options.ignore({"include_obfuscation"});
        options.refuse_rest();
        if (!out.stream) bad_request("stream_options", "needs stream: true");
    }
    fields.refuse_unless("n", 1, "only one answer at a time: send the request again");
    fields.refuse_unless("logit_bias", Json::object(), "is not supported");
    fields.ignore({"user", "metadata", "store", "service_tier", "safety_identifier",
                   "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
                   "prediction"});
}

void read_chat_logprobs(Fields& fields, Sampling& sampling) {
    bool wanted = fields.flag("logprobs").value_or(false);
    auto top = fields.integer("top_logprobs", 0, 20);
    if (top && !wanted) bad_request("top_logprobs", "needs logprobs: true");
    if (wanted) sampling.top_logprobs = static_cast<int>(top.value_or(0));
}

} // namespace

ApiRequest parse_chat_request(std::string_view body, const RequestLimits& limits,
                              BlobStore& blobs) {
    Json json = parse_body(body);
    Fields fields(json, "");
    ApiRequest out;
    read_common(fields, out);
    if (auto tokens = fields.integer("max_completion_tokens", 1, kMostTokens))
        out.sampling.max_tokens = static_cast<int>(*tokens); // the newer name wins
    read_chat_logprobs(fields, out.sampling);
    out.sampling.reasoning_effort = fields.text("reasoning_effort");
    read_response_format(fields, out.sampling);
    read_tools(fields, out);
    fields.refuse_unless("modalities", Json::array({"text"}), "only text comes out");
    const Json* messages = fields.list("messages");
    if (messages == nullptr || messages->empty())
        bad_request("messages", "a list with a message is required");
    if (messages->size() > limits.messages_most)
        bad_request("messages", fmt::format("more than {} messages", limits.messages_most));
    ChatMessages reader(limits, blobs);
    for (std::size_t i = 0; i < messages->size(); ++i)
        out.messages.push_back(reader.read((*messages)[i], item_path("messages", i)));
    fields.refuse_rest();
    return out;
}

ApiRequest parse_completions_request(std::string_view body, const RequestLimits& limits) {
    constexpr int kUsualTokens = 16; // of this call, where none is named
    Json json = parse_body(body);
    Fields fields(json, "");
    ApiRequest out;
    read_common(fields, out);
    if (!out.sampling.max_tokens) out.sampling.max_tokens = kUsualTokens;
    out.sampling.top_logprobs = narrowed<int>(fields.integer("logprobs", 0, 20));
    fields.refuse_unless("echo", false, "is not supported");
    fields.refuse_unless("suffix", "", "is not supported");
    fields.refuse_unless("best_of", 1, "is not supported");
    const Json& prompt = fields.need("prompt");
    Json prompts = prompt.is_array() ? prompt : Json::array({prompt});
    if (prompts.empty() || prompts.size() > limits.prompts_most)
        bad_request("prompt", fmt::format("must be a text or 1 to {} texts", limits.prompts_most));
    for (const Json& one : prompts) {
        if (!one.is_string())
            bad_request("prompt", "must be a text or a list of texts; token ids are not taken");
        out.prompts.push_back(one.get<std::string>());
    }
    fields.refuse_rest();
    return out;
}

} // namespace assay::serve
