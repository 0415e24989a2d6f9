#include "atlas_tools.h"

#include "assay/base/json.h"
#include "assay/base/log.h"
#include "assay/base/text.h"
#include "assay/mcp/http_transport.h"
#include "rows.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace assay::atlas {

using Json = nlohmann::json; // sorted keys: the cache's key must not depend on their order

bool ResultCache::covers(std::string_view server) {
    static const std::set<std::string_view> kLive = {"filesystem", "git", "arxiv",
                                                     "cli-mcp-server"};
    return kLive.count(server) == 0;
}

std::string ResultCache::key(std::string_view tool, std::string_view arguments) {
    Json json = parse_json<Json>(arguments);
    return std::string(tool) + " " + (json.is_discarded() ? std::string(arguments) : json.dump());
}

std::optional<ToolOutcome> ResultCache::find(const std::string& key) const {
    std::lock_guard lock(mutex_);
    auto found = results_.find(key);
    return found == results_.end() ? std::nullopt : std::optional(found->second);
}

void ResultCache::keep(const std::string& key, const ToolOutcome& outcome) {
    std::lock_guard lock(mutex_);
    results_.emplace(key, outcome);
}

namespace {

constexpr auto kToolTimeout = std::chrono::seconds(60);
constexpr auto kListTimeout = std::chrono::seconds(180);

mcp::Renderer renderer_for(const AtlasOptions& options, TrialContext& context,
                           const std::shared_ptr<std::atomic<bool>>& shown_otherwise) {
    if (options.strict) return strict_renderer();
    return [plain = mcp::plain_renderer(context.blobs()),
            shown_otherwise](const std::string& tool, const mcp::CallEnd& end) {
        ToolOutcome outcome = plain(tool, end);
        bool only_text = std::all_of(outcome.parts.begin(), outcome.parts.end(), [](const auto& p) {
            return std::holds_alternative<TextPart>(p);
        });
        if (outcome.is_error || !only_text || outcome.parts.empty()) *shown_otherwise = true;
        return outcome;
    };
}

// An HTTP server's output goes to a file inside; it is ready once its port answers.
std::unique_ptr<mcp::Transport> start_http(const ServerConfig& server, Sandbox& sandbox,
                                           const SpawnOptions& options, const Cancel& cancel) {
    std::string log = "/tmp/mcp-" + server.name + ".log";
    std::vector<std::string> argv = {"sh", "-c", "exec \"$@\" >\"$0\" 2>&1", log};
    argv.insert(argv.end(), server.argv.begin(), server.argv.end());
    std::unique_ptr<Process> process = sandbox.spawn(argv, options, cancel);
    Cancel ready = cancel.child(Cause::Deadline, kListTimeout, "MCP server " + server.name);
    for (;;) {
        try {
            sandbox.connect(server.port, ready)->close();
            break;
        } catch (const SandboxLost&) {
            throw;
        } catch (const Error&) {
            if (!sandbox.exec({"sh", "-c", fmt::format("kill -0 {}", process->id())}, {}, ready)
                     .ok())
                throw Error(ErrorKind::Sandbox,
                            fmt::format("MCP server '{}' ended at its start: {}", server.name,
                                        sandbox.get_file(log, 64 << 10, cancel).value_or("")));
        }
        ready.sleep_for(std::chrono::milliseconds(50));
        ready.check();
    }
    mcp::HttpTarget target;
    target.url = fmt::format("http://127.0.0.1:{}{}", server.port, server.path);
    target.connect = [&sandbox, port = server.port](const Cancel& own) {
        return sandbox.connect(port, own);
    };
    return mcp::http_transport(std::move(target));
}

std::unique_ptr<mcp::Transport> start(const ServerConfig& server, Sandbox& sandbox,
                                      const Cancel& cancel) {
    SpawnOptions options;
    options.environment = server.environment;
    options.cwd = "/data";
    if (server.carrier == Carrier::Http) return start_http(server, sandbox, options, cancel);
    options.stdin_mode = StdinMode::Pipe;
    return mcp::stdio_transport(sandbox.spawn(server.argv, options, cancel));
}

void put_fixtures(const ServerConfig& server, const AtlasOptions& options, Sandbox& sandbox,
                  const Cancel& cancel) {
    Path data = server.data.value_or(options.data);
    ExecResult made = sandbox.exec({"mkdir", "-p", "/data"}, {}, cancel);
    if (!made.ok()) throw Error(ErrorKind::Sandbox, "mkdir /data: " + made.err);
    if (!data.empty()) sandbox.put_folder(data, "/data", cancel);
}

StartedServer describe(const ServerConfig& config, const mcp::ServerInfo& info,
                       const std::vector<mcp::ToolInfo>& tools) {
    Sha256 hash;
    for (const mcp::ToolInfo& tool : tools)
        hash.update(tool.name + '\0' + tool.description + '\0' + tool.input_schema + '\0');
    return {config.name, info.name, info.version, info.protocol, hash.finish().hex().substr(0, 16),
            tools.size()};
}

} // namespace

// Tools as the official harness wraps them: the cache, and one argument that it forces.
class AtlasTools::Wrapped final : public Tool {
  public:
    Wrapped(Tool& inner, ResultCache* cache)
        : inner_(inner)
        , cache_(cache) {}
    const ToolSpec& spec() const override { return inner_.spec(); }
    ToolOutcome call(std::string_view arguments, const Cancel& cancel) override {
        std::string given(arguments);
        if (spec().name == "met-museum_get-museum-object") {
            Json json = parse_json<Json>(given);
            if (json.is_object()) {
                json["returnImage"] = false;
                given = json.dump();
            }
        }
        if (cache_ == nullptr) return inner_.call(given, cancel);
        std::string key = ResultCache::key(spec().name, given);
        if (auto kept = cache_->find(key)) return *kept;
        ToolOutcome outcome = inner_.call(given, cancel);
        if (!outcome.is_error) cache_->keep(key, outcome);
        return outcome;
    }

  private:
    Tool& inner_;
    ResultCache* cache_; // nullptr: not for this tool
};

AtlasTools::~AtlasTools() = default;

AtlasTools::AtlasTools(const std::vector<const ServerConfig*>& servers,
                       const std::vector<std::string>& enabled, const AtlasOptions& options,
                       ResultCache* cache, TrialContext& context)
    : shown_otherwise_(std::make_shared<std::atomic<bool>>(false))
    , set_(renderer_for(options, context, shown_otherwise_)) {
    const Cancel& cancel = context.cancel();
    struct Starting {
        const ServerConfig* config;
        Sandbox* sandbox;
        std::unique_ptr<mcp::Client> client;
    };
    // All are spawned before the first handshake: they load at the same time.
    std::vector<Starting> starting;
    std::set<Sandbox*> filled;
    for (const ServerConfig* config : servers) {
        Sandbox* sandbox = options.shared ? &context.environment().main()
                                          : context.environment().find(config->name);
        if (sandbox == nullptr)
            throw Error(ErrorKind::Internal, "no sandbox for MCP server " + config->name);
        if (filled.insert(sandbox).second) put_fixtures(*config, options, *sandbox, cancel);
        if (!config->program.empty())
            sandbox->put_file(config->argv[0], RealFileSystem().read(config->program), 0755,
                              cancel);
        mcp::ClientOptions client_options;
        client_options.server = config->name;
        client_options.era = config->era;
        client_options.startup_timeout = kListTimeout;
        client_options.call_timeout = kToolTimeout;
        starting.push_back(
            {config, sandbox,
             std::make_unique<mcp::Client>(start(*config, *sandbox, cancel), client_options)});
    }
    for (Starting& one : starting) {
        one.client->open(cancel);
        servers_.push_back(describe(*one.config, one.client->server(), one.client->tools(cancel)));
        set_.add_server(one.config->name, std::move(one.client), one.sandbox, enabled, cancel);
    }
    set_.order_by(enabled);
    for (Tool* tool : set_.tools()) {
        bool cached = cache != nullptr && ResultCache::covers(server_of(tool->spec().name));
        wrapped_.push_back(std::make_unique<Wrapped>(*tool, cached ? cache : nullptr));
        view_.push_back(wrapped_.back().get());
    }
    for (const std::string& name : enabled)
        if (find(name) == nullptr) absent_.push_back(name);
    for (const std::string& text : set_.warnings()) log_warn("{}", text);
}

} // namespace assay::atlas
