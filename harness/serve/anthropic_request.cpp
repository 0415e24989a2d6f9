#include "anthropic_request.h"

#include "fields.h"
#include "media.h"
#include "tools.h"

#include <fmt/format.h>

#include <limits>
#include <map>

namespace assay::serve {

namespace {

constexpr std::int64_t kMostTokens = std::numeric_limits<int>::max();
constexpr std::size_t kMostStops = 64;

class Conversation {
  public:
    Conversation(const RequestLimits& limits, BlobStore& blobs)
        : media_(blobs, limits) {}

    void read(const Json& json, const std::string& where) {
        Fields fields(json, where);
        std::string role = fields.need_text("role");
        const Json& content = fields.need("content");
        fields.refuse_rest();
        if (role == "user")
            user(content, fields.path("content"));
        else if (role == "assistant")
            assistant(content, fields.path("content"));
        else
            bad_request(fields.path("role"), "must be user or assistant");
    }
    std::vector<Message> take() { return std::move(messages_); }

  private:
    template<class Take>
    void each_block(const Json& content, const std::string& where, Take take) {
        if (!content.is_array()) bad_request(where, "must be a string or a list of blocks");
        for (std::size_t i = 0; i < content.size(); ++i) {
            Fields block(content[i], item_path(where, i));
            std::string type = block.need_text("type");
            block.ignore({"cache_control"}); // equal beginnings are found without it
            take(block, type);
            block.refuse_rest();
        }
    }

    // The results of tools come first, each as a message; what else the user says is one more.
    void user(const Json& content, const std::string& where) {
        if (content.is_string())
            return messages_.push_back({Role::User, {TextPart{content.get<std::string>()}}});
        Message said{Role::User, {}};
        each_block(content, where, [&](Fields& block, const std::string& type) {
            if (type == "tool_result") return add_result(block);
            std::visit([&](auto part) { said.parts.emplace_back(std::move(part)); },
                       media(block, type));
        });
        if (!said.parts.empty()) messages_.push_back(std::move(said));
    }

    void add_result(Fields& block) {
        ToolResult out;
        out.call_id = block.need_text("tool_use_id");
        out.name = names_.contains(out.call_id) ? names_[out.call_id] : "";
        out.is_error = block.flag("is_error").value_or(false);
        const Json* content = block.find("content");
        if (content != nullptr && content->is_string())
            out.parts.push_back(TextPart{content->get<std::string>()});
        else if (content != nullptr)
            each_block(*content, block.path("content"),
                       [&](Fields& inner, const std::string& type) {
                           out.parts.push_back(media(inner, type));
                       });
        messages_.push_back({Role::Tool, {std::move(out)}});
    }

    MediaPart media(Fields& block, const std::string& type) {
        if (type == "text") {
            block.refuse_unless("citations", Json::array(), "citations are not supported");
            return TextPart{block.need_text("text")};
        }
        if (type != "image")
            bad_request(block.path("type"), "blocks of the type " + type + " are not understood");
        Fields source(block.need("source"), block.path("source"));
        std::string kind = source.need_text("type");
        if (kind != "base64")
            bad_request(source.path("type"),
                        "this server fetches nothing: send the image with the type base64");
        source.ignore({"media_type"}); // its bytes say so
        ImagePart out = media_.from_base64(source.need_text("data"), source.path("data"));
        source.refuse_rest();
        return out;
    }

    void assistant(const Json& content, const std::string& where) {
        Message out{Role::Assistant, {}};
        if (content.is_string()) {
            out.parts.push_back(TextPart{content.get<std::string>()});
            return messages_.push_back(std::move(out));
        }
        each_block(content, where, [&](Fields& block, const std::string& type) {
            if (type == "text") {
                block.refuse_unless("citations", Json::array(), "citations are not supported");
                out.parts.push_back(TextPart{block.need_text("text")});
            } else if (type == "thinking") {
                out.parts.push_back(ReasoningPart{block.need_text("thinking"),
                                                  block.text("signature").value_or("")});
            } else if (type == "tool_use") {
                out.parts.push_back(call(block));
            } else {
                bad_request(block.path("type"),
                            "blocks of the type " + type + " are not understood");
            }
        });
        messages_.push_back(std::move(out));
    }

    ToolCall call(Fields& block) {
        ToolCall out;
        out.id = block.need_text("id");
        out.name = block.need_text("name");
        const Json* input = block.object("input");
        out.arguments = input != nullptr ? dump(*input) : "{}";
        block.ignore({"caller"});
        names_[out.id] = out.name;
        return out;
    }

    MediaReader media_;
    std::vector<Message> messages_;
    std::map<std::string, std::string> names_; // of calls so far, by id
};

void read_system(Fields& fields, std::vector<Message>& out) {
    const Json* system = fields.find("system");
    if (system == nullptr) return;
    Message message{Role::System, {}};
    if (system->is_string()) {
        message.parts.push_back(TextPart{system->get<std::string>()});
    } else {
        if (!system->is_array()) bad_request("system", "must be a string or a list of text blocks");
        for (std::size_t i = 0; i < system->size(); ++i) {
            Fields block((*system)[i], item_path("system", i));
            if (block.need_text("type") != "text") bad_request(block.path("type"), "must be text");
            message.parts.push_back(TextPart{block.need_text("text")});
            block.ignore({"cache_control", "citations"});
            block.refuse_rest();
        }
    }
    if (!message.text().empty()) out.push_back(std::move(message));
}

ToolSpec read_tool(const Json& json, const std::string& where) {
    Fields fields(json, where);
    std::string type = fields.text("type").value_or("custom");
    if (type != "custom")
        bad_request(fields.path("type"),
                    "only tools of the client are understood (no type, or custom)");
    ToolSpec out;
    out.name = fields.need_text("name");
    out.description = fields.text("description").value_or("");
    const Json& schema = fields.need("input_schema");
    if (!schema.is_object()) bad_request(fields.path("input_schema"), "must be an object");
    out.schema = dump(schema);
    fields.ignore({"cache_control", "strict", "eager_input_streaming"});
    fields.refuse_unless("defer_loading", false, "is not supported");
    fields.refuse_unless("allowed_callers", Json::array({"direct"}), "is not supported");
    fields.refuse_unless("input_examples", Json::array(), "is not supported");
    fields.refuse_rest();
    return out;
}

void read_choice(Fields& fields, Sampling& sampling) {
    const Json* json = fields.find("tool_choice");
    if (json == nullptr) return;
    Fields choice(*json, "tool_choice");
    std::string type = choice.need_text("type");
    if (type == "auto")
        sampling.tool_choice = ToolChoice{ToolChoice::Kind::Auto, {}};
    else if (type == "none")
        sampling.tool_choice = ToolChoice{ToolChoice::Kind::None, {}};
    else if (type == "any")
        sampling.tool_choice = ToolChoice{ToolChoice::Kind::Required, {}};
    else if (type == "tool")
        sampling.tool_choice = ToolChoice{ToolChoice::Kind::Named, choice.need_text("name")};
    else
        bad_request("tool_choice.type", "must be auto, any, tool or none");
    choice.refuse_unless("disable_parallel_tool_use", false,
                         "is not supported: the model decides how many tools it calls at a time");
    choice.refuse_rest();
}

// How long the thinking may get is bounded by max_tokens alone.
void read_thinking(Fields& fields, Sampling& sampling) {
    if (const Json* json = fields.find("thinking")) {
        Fields thinking(*json, "thinking");
        std::string type = thinking.need_text("type");
        if (type == "disabled")
            sampling.reasoning_effort = "none";
        else if (type == "enabled")
            sampling.reasoning_effort = "high";
        else if (type != "adaptive")
            bad_request("thinking.type", "must be enabled, adaptive or disabled");
        thinking.integer("budget_tokens", 0, kMostTokens);
        thinking.ignore({"display"});
        thinking.refuse_rest();
    }
    const Json* json = fields.find("output_config");
    if (json == nullptr) return;
    Fields config(*json, "output_config");
    if (auto effort = config.text("effort"); effort && sampling.reasoning_effort != "none")
        sampling.reasoning_effort = std::move(effort);
    if (const Json* wanted = config.find("format")) {
        Fields format(*wanted, "output_config.format");
        if (format.need_text("type") != "json_schema")
            bad_request("output_config.format.type", "must be json_schema");
        const Json& schema = format.need("schema");
        if (!schema.is_object()) bad_request(format.path("schema"), "must be an object");
        sampling.response_schema = dump(schema);
        format.refuse_rest();
    }
    config.refuse_rest();
}

void read_sampling(Fields& fields, Sampling& sampling) {
    fields.need("max_tokens");
    sampling.max_tokens = static_cast<int>(*fields.integer("max_tokens", 1, kMostTokens));
    sampling.temperature = fields.number("temperature", 0, 1);
    sampling.top_p = fields.number("top_p", 0, 1);
    if (auto top_k = fields.integer("top_k", 0, kMostTokens); top_k && *top_k > 0)
        sampling.top_k = static_cast<int>(*top_k);
    if (const Json* stops = fields.list("stop_sequences")) {
        if (stops->size() > kMostStops)
            bad_request("stop_sequences", fmt::format("more than {}", kMostStops));
        for (const Json& stop : *stops) {
            if (!stop.is_string() || stop.get_ref<const std::string&>().empty())
                bad_request("stop_sequences", "must be texts, none of them empty");
            sampling.stop.push_back(stop.get<std::string>());
        }
    }
    read_thinking(fields, sampling);
}

} // namespace

ApiRequest parse_messages_request(std::string_view body, const RequestLimits& limits,
                                  BlobStore& blobs) {
    Json json = parse_body(body);
    Fields fields(json, "");
    ApiRequest out;
    out.model = fields.need_text("model");
    read_sampling(fields, out.sampling);
    out.stream = fields.flag("stream").value_or(false);
    if (const Json* tools = fields.list("tools"))
        for (std::size_t i = 0; i < tools->size(); ++i)
            out.tools.push_back(read_tool((*tools)[i], item_path("tools", i)));
    read_choice(fields, out.sampling);
    check_tools(out.tools, out.sampling.tool_choice);
    const Json* messages = fields.list("messages");
    if (messages == nullptr || messages->empty())
        bad_request("messages", "a list with a message is required");
    if (messages->size() > limits.messages_most)
        bad_request("messages", fmt::format("more than {} messages", limits.messages_most));
    read_system(fields, out.messages);
    Conversation conversation(limits, blobs);
    for (std::size_t i = 0; i < messages->size(); ++i)
        conversation.read((*messages)[i], item_path("messages", i));
    for (Message& message : conversation.take()) out.messages.push_back(std::move(message));
    if (out.messages.empty() || out.messages.back().role == Role::Assistant)
        bad_request("messages", "the last one must be the user's: an answer that is begun for the "
                                "model is not supported");
    fields.refuse_unless("mcp_servers", Json::array(), "is not supported");
    fields.ignore({"metadata", "service_tier", "inference_geo", "cache_control"});
    fields.refuse_rest();
    return out;
}

} // namespace assay::serve
