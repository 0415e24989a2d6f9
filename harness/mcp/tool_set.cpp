#include "assay/mcp/tool_set.h"

#include "assay/base/log.h"
#include "assay/base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace assay::mcp {

using Json = nlohmann::json;

namespace {

std::string text_at(const Json& json, const char* key) {
    auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

MediaPart binary_part(const std::string& base64, std::string type, BlobStore& blobs,
                      const std::string& what) {
    if (type.empty()) type = "application/octet-stream";
    std::string bytes;
    try {
        bytes = base64_decode(base64);
    } catch (const Error&) {
        return TextPart{fmt::format("[{} with malformed base64]", what)};
    }
    BlobRef blob = blobs.put(bytes, type);
    if (type.starts_with("image/")) return ImagePart{blob};
    return TextPart{fmt::format("[{} {}, {} bytes, sha256 {}]", what, type, blob.size,
                                blob.hash.hex().substr(0, 16))};
}

MediaPart resource_part(const Json& block, BlobStore& blobs) {
    auto resource = block.find("resource");
    if (resource == block.end() || !resource->is_object())
        return TextPart{"[resource without content]"};
    if (resource->contains("text")) return TextPart{text_at(*resource, "text")};
    return binary_part(text_at(*resource, "blob"), text_at(*resource, "mimeType"), blobs,
                       "resource " + text_at(*resource, "uri"));
}

MediaPart part_of(const Json& block, BlobStore& blobs) {
    std::string type = block.is_object() ? text_at(block, "type") : "";
    if (type == "text") return TextPart{text_at(block, "text")};
    if (type == "image" || type == "audio")
        return binary_part(text_at(block, "data"), text_at(block, "mimeType"), blobs, type);
    if (type == "resource") return resource_part(block, blobs);
    if (type == "resource_link")
        return TextPart{fmt::format("{}: {}", text_at(block, "name"), text_at(block, "uri"))};
    return TextPart{fmt::format("[content of unknown type '{}']", type)};
}

} // namespace

std::vector<MediaPart> media_parts(std::string_view content, BlobStore& blobs) {
    std::vector<MediaPart> out;
    Json blocks = Json::parse(content, nullptr, false);
    if (!blocks.is_array()) return out;
    for (const Json& block : blocks) out.push_back(part_of(block, blobs));
    return out;
}

Renderer plain_renderer(BlobStore& blobs) {
    return [&blobs](const std::string&, const CallEnd& end) {
        if (end.kind != CallEnd::Kind::Result) return text_outcome("Error: " + end.message, true);
        ToolOutcome outcome{media_parts(end.result.content, blobs), end.result.is_error,
                            end.result.structured};
        // A result may have nothing but structured content.
        if (outcome.parts.empty() && outcome.structured)
            outcome.parts.push_back(TextPart{*outcome.structured});
        return outcome;
    };
}

struct Counters {
    std::atomic<std::uint64_t> calls = 0, tool_errors = 0, rpc_errors = 0, timeouts = 0, dead = 0;
};

struct McpToolSet::Server {
    std::unique_ptr<Client> client;
    Sandbox* sandbox = nullptr;
};

class McpToolSet::McpTool final : public Tool {
  public:
    McpTool(Server& server, std::string name, ToolSpec spec, const Renderer& render,
            std::shared_ptr<Counters> counters)
        : server_(server)
        , name_(std::move(name))
        , spec_(std::move(spec))
        , render_(render)
        , counters_(std::move(counters)) {}

    const ToolSpec& spec() const override { return spec_; }
    ToolOutcome call(std::string_view arguments, const Cancel& cancel) override {
        ++counters_->calls;
        return render_(spec_.name, end_of(std::string(arguments), cancel));
    }

  private:
    CallEnd end_of(const std::string& arguments, const Cancel& cancel) {
        CallEnd end;
        try {
            end.result = server_.client->call(name_, arguments, cancel);
            if (end.result.is_error) ++counters_->tool_errors;
        } catch (const RpcError& e) {
            ++counters_->rpc_errors;
            end.kind = CallEnd::Kind::RpcError;
            end.message = e.message();
        } catch (const CallTimeout& e) {
            ++counters_->timeouts;
            end.kind = CallEnd::Kind::Timeout;
            end.message = e.message();
            end.limit_seconds = e.limit_seconds();
        } catch (const SandboxLost&) {
            throw;
        } catch (const Error& e) {
            if (server_.sandbox != nullptr && !server_.sandbox->alive())
                throw SandboxLost("sandbox '" + server_.sandbox->name() +
                                  "' was lost in a call of " + spec_.name);
            ++counters_->dead;
            log_warn("{}: {}", spec_.name, e.message());
            end.kind = CallEnd::Kind::Dead;
            end.message = e.message();
        }
        return end;
    }

    Server& server_;
    std::string name_; // as the server knows it
    ToolSpec spec_;
    const Renderer& render_;
    std::shared_ptr<Counters> counters_;
};

McpToolSet::McpToolSet(Renderer render)
    : counters_(std::make_shared<Counters>())
    , render_(std::move(render)) {}
McpToolSet::~McpToolSet() = default;

void McpToolSet::add_server(const std::string& prefix, std::unique_ptr<Client> client,
                            Sandbox* sandbox, const std::vector<std::string>& wanted,
                            const Cancel& cancel) {
    servers_.push_back(std::make_unique<Server>(Server{std::move(client), sandbox}));
    Server& server = *servers_.back();
    for (ToolInfo& tool : server.client->tools(cancel)) {
        std::string full = prefix.empty() ? tool.name : prefix + "_" + tool.name;
        if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), full) == wanted.end())
            continue;
        ToolSpec spec{full, tool.description, tool.input_schema};
        owned_.push_back(
            std::make_unique<McpTool>(server, tool.name, std::move(spec), render_, counters_));
        view_.push_back(owned_.back().get());
    }
}

void McpToolSet::order_by(const std::vector<std::string>& names) {
    auto rank = [&](const Tool* tool) {
        return std::find(names.begin(), names.end(), tool->spec().name) - names.begin();
    };
    std::stable_sort(view_.begin(), view_.end(),
                     [&](const Tool* a, const Tool* b) { return rank(a) < rank(b); });
}

ToolSetStats McpToolSet::stats() const {
    return {counters_->calls, counters_->tool_errors, counters_->rpc_errors, counters_->timeouts,
            counters_->dead};
}

bool McpToolSet::servers_changed() const {
    return std::any_of(servers_.begin(), servers_.end(),
                       [](const auto& server) { return server->client->tools_changed(); });
}

std::vector<std::string> McpToolSet::warnings() const {
    std::vector<std::string> out;
    for (const auto& server : servers_)
        for (std::string& text : server->client->warnings()) out.push_back(std::move(text));
    return out;
}

} // namespace assay::mcp
