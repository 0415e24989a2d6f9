#include "assay/suites/mcp_atlas.h"

#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/suites/folder.h"
#include "atlas_tools.h"
#include "judge.h"
#include "rows.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <map>

namespace assay {

using namespace atlas;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::uint64_t kMaxRowsFile = 1ull << 30;
constexpr int kMaxTurns = 256, kMaxToolCalls = 100; // of the official harness
constexpr auto kAgentTime = std::chrono::seconds(1800);

struct AtlasTask : Task {
    Row row;
    std::vector<const ServerConfig*> servers; // borrowed from the suite
};

class Rows final : public TaskSet {
  public:
    const std::vector<TaskHeader>& headers() const override { return headers_; }
    TaskRef open(std::size_t index) override { return tasks_.at(index); }
    const std::vector<std::pair<std::string, std::string>>& refused() const override {
        return refused_;
    }
    void add(std::shared_ptr<const AtlasTask> task) {
        headers_.push_back(task->header);
        tasks_.push_back(std::move(task));
    }
    void refuse(std::string id, std::string why) {
        refused_.emplace_back(std::move(id), std::move(why));
    }

  private:
    std::vector<TaskHeader> headers_;
    std::vector<std::shared_ptr<const AtlasTask>> tasks_;
    std::vector<std::pair<std::string, std::string>> refused_;
};

std::vector<std::string> servers_of(const std::vector<std::string>& tools) {
    std::vector<std::string> out;
    for (const std::string& tool : tools)
        if (std::string server = server_of(tool);
            std::find(out.begin(), out.end(), server) == out.end())
            out.push_back(std::move(server));
    return out;
}

// Servers that the reference run calls; without a reference run, all that are enabled.
std::vector<std::string> needed_servers(const Row& row) {
    std::vector<std::string> tools;
    for (const ReferenceCall& call : row.calls) tools.push_back(call.tool);
    return servers_of(tools.empty() ? row.enabled : tools);
}

bool yes_no(const Settings& settings, const char* key) {
    auto found = settings.find(key);
    if (found == settings.end() || found->second == "no") return false;
    if (found->second == "yes") return true;
    throw Error(ErrorKind::Usage,
                fmt::format("mcp_atlas: {}={}: must be yes or no", key, found->second));
}

int positive(const Settings& settings, const char* key, int otherwise) {
    auto found = settings.find(key);
    if (found == settings.end()) return otherwise;
    const std::string& text = found->second;
    int value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > 100)
        throw Error(ErrorKind::Usage,
                    fmt::format("mcp_atlas: {}={}: must be a number, 1 to 100", key, text));
    return value;
}

std::string folder_digest(const Path& folder) {
    if (folder.empty()) return "none";
    RealFileSystem files;
    std::vector<Path> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
        if (entry.is_regular_file()) all.push_back(entry.path());
    std::sort(all.begin(), all.end());
    Sha256 hash;
    for (const Path& file : all) {
        hash.update(file.lexically_relative(folder).string() + '\0');
        hash.update(sha256(files.read(file)).hex());
    }
    return hash.finish().hex();
}

std::string row_digest(const Row& row, const std::string& fixtures) {
    Json json = {{"id", row.id},         {"prompt", row.prompt},           {"enabled", row.enabled},
                 {"claims", row.claims}, {"answer", row.reference_answer}, {"fixtures", fixtures}};
    for (const ReferenceCall& call : row.calls)
        json["calls"].push_back({call.tool, call.arguments});
    return "sha256:" + sha256(json.dump(-1, ' ', false, Json::error_handler_t::replace)).hex();
}

class McpAtlas final : public Suite {
  public:
    explicit McpAtlas(const Settings& settings)
        : settings_(settings)
        , table_(find_servers(settings))
        , judge_tries_(positive(settings, "judge_tries", 3)) {
        options_.strict = yes_no(settings, "strict");
        options_.stale_cache = yes_no(settings, "official_cache");
        options_.shared = yes_no(settings, "shared_sandbox");
    }

    const SuiteInfo& info() const override {
        static const SuiteInfo info = {
            "mcp_atlas",
            "1",
            "tool use through MCP servers, scored claim by claim by a judge model (MCP Atlas)",
            {{"pass", "1 if the coverage of the claims is at least 0.75", true, true, true},
             {"coverage", "mean over the claims: 1 fulfilled, 0.5 partially, 0 not", true, false},
             {"pass_50", "1 if the coverage is at least 0.5", true, false},
             {"judge_failures", "claims on which the judge gave no usable verdict", false, false}},
            true,
            {{"data",
              "folder that is copied to /data of every server; without: data/ beside the rows"},
             {"servers", "JSON file with further servers"},
             {"mcp_servers", "where tools/mcp-servers installed"},
             {"node", "the Node program; without: from PATH"},
             {"kit", "our server program for the samples; without: beside assay"},
             {"stand_ins", "yes or no: servers of ours in place of three official ones"},
             {"shared_sandbox", "yes or no: all servers in one sandbox, as officially"},
             {"strict", "yes or no: errors and images as in the official harness"},
             {"official_cache", "yes or no: keep results of stateful servers for the whole run"},
             {"judge_tries", "calls per claim until a verdict can be read"}}};
        return info;
    }

    std::unique_ptr<TaskSet> load(const Path& source, const TaskFilter& filter) override;
    std::unique_ptr<ToolSet> tools(const Task& task, TrialContext& context) override;
    void solve(const Task& task, TrialContext& context) override;
    ScoreResult score(const Task& task, TrialContext& context) override;

  private:
    void load_file(const Path& file, const TaskFilter& filter, Rows& into);
    std::string reason_to_refuse(const Row& row) const;
    std::shared_ptr<AtlasTask> make_task(Row row, const std::string& fixtures) const;
    EnvironmentSpec environment_of(const std::vector<const ServerConfig*>& servers) const;
    ScoreResult judged(const AtlasTask& task, const std::string& response, TrialContext& context);
    void describe(const AtlasTask& task, TrialContext& context, ScoreResult& result) const;

    Settings settings_;
    ServerTable table_;
    int judge_tries_;
    AtlasOptions options_;
    ResultCache cache_;
};

// --- loading
// --------------------------------------------------------------------------------------

std::unique_ptr<TaskSet> McpAtlas::load(const Path& source, const TaskFilter& filter) {
    auto rows = std::make_unique<Rows>();
    Path from = source.empty() ? suite_folder(ASSAY_SUITE_FOLDER) / "samples" : source;
    if (auto data = settings_.find("data"); data != settings_.end()) {
        options_.data = data->second;
        if (!std::filesystem::is_directory(options_.data))
            throw Error(ErrorKind::Usage,
                        "mcp_atlas: data=" + data->second + ": there is no such folder");
    } else {
        Path beside = (std::filesystem::is_directory(from) ? from : from.parent_path()) / "data";
        options_.data = std::filesystem::is_directory(beside) ? beside : Path();
    }
    if (!std::filesystem::is_directory(from)) {
        load_file(from, filter, *rows);
        return rows;
    }
    int files = 0;
    for (const std::string& name : RealFileSystem().list(from)) {
        bool table =
            name.ends_with(".csv") || name.ends_with(".jsonl") || name.ends_with(".ndjson");
        if (!table) continue;
        load_file(from / name, filter, *rows);
        ++files;
    }
    if (files == 0)
        throw Error(ErrorKind::Input, from.string() + ": no .csv or .jsonl file with rows");
    return rows;
}

void McpAtlas::load_file(const Path& file, const TaskFilter& filter, Rows& into) {
    std::string text = RealFileSystem().read(file, kMaxRowsFile);
    std::string fixtures = folder_digest(options_.data);
    for (Row& row : parse_rows(text, file.filename().string())) {
        if (!filter.wants(row.id)) continue;
        if (std::string why = reason_to_refuse(row); !why.empty())
            into.refuse(row.id.empty() ? row.where : row.id, row.where + ": " + why);
        else
            into.add(make_task(std::move(row), fixtures));
    }
}

std::string McpAtlas::reason_to_refuse(const Row& row) const {
    if (!row.problem.empty()) return row.problem;
    std::string why;
    for (const std::string& server : needed_servers(row)) {
        if (table_.servers.count(server) != 0) continue;
        auto known = table_.missing.find(server);
        why += fmt::format("{}{} ({})", why.empty() ? "needs MCP server " : ", ", server,
                           known == table_.missing.end() ? "not configured" : known->second);
    }
    if (why.empty() && row.enabled.empty() && row.calls.empty()) return "no tools are enabled";
    return why;
}

EnvironmentSpec McpAtlas::environment_of(const std::vector<const ServerConfig*>& servers) const {
    EnvironmentSpec spec;
    spec.sandboxes.clear();
    for (const ServerConfig* server : servers) {
        if (options_.shared && !spec.sandboxes.empty()) {
            SandboxSpec& main = spec.sandboxes.front();
            for (const auto& folder : server->folders_ro)
                if (std::find(main.folders_ro.begin(), main.folders_ro.end(), folder) ==
                    main.folders_ro.end())
                    main.folders_ro.push_back(folder);
            if (server->network.mode == NetworkMode::Public) main.network = server->network;
            continue;
        }
        SandboxSpec sandbox;
        sandbox.name = options_.shared ? "main" : server->name;
        sandbox.base = server->base;
        sandbox.network = server->network;
        sandbox.folders_ro = server->folders_ro;
        spec.sandboxes.push_back(std::move(sandbox));
    }
    return spec;
}

std::shared_ptr<AtlasTask> McpAtlas::make_task(Row row, const std::string& fixtures) const {
    auto task = std::make_shared<AtlasTask>();
    task->header = {row.id, "", row_digest(row, fixtures)};
    task->instruction = row.prompt;
    std::vector<std::string> wanted = needed_servers(row);
    for (std::string& server : servers_of(row.enabled))
        if (std::find(wanted.begin(), wanted.end(), server) == wanted.end())
            wanted.push_back(std::move(server));
    for (const std::string& name : wanted)
        if (auto found = table_.servers.find(name); found != table_.servers.end())
            task->servers.push_back(&found->second);
    task->environment = environment_of(task->servers);
    task->claim.sandboxes = static_cast<int>(task->environment.sandboxes.size());
    task->limits.agent_setup = std::chrono::minutes(4);
    task->limits.agent = kAgentTime;
    task->budget.turns = kMaxTurns;
    task->sandbox_tools = false;
    task->agent_defaults = {{"max_tool_calls", std::to_string(kMaxToolCalls)},
                            {"at_max_tool_calls", "stop"},
                            {"answer", "last_text"},
                            {"tool_output_limit", "0"}};
    Json metadata = {{"split", row.split},
                     {"claims", row.claims.size()},
                     {"enabled_tools", row.enabled.size()},
                     {"needed_servers", needed_servers(row)}};
    task->metadata = metadata.dump(-1, ' ', false, Json::error_handler_t::replace);
    task->row = std::move(row);
    return task;
}

// --- the trial
// ------------------------------------------------------------------------------------

std::unique_ptr<ToolSet> McpAtlas::tools(const Task& task, TrialContext& context) {
    const auto& atlas = static_cast<const AtlasTask&>(task);
    auto tools = std::make_unique<AtlasTools>(atlas.servers, atlas.row.enabled, options_,
                                              options_.stale_cache ? &cache_ : nullptr, context);
    for (const StartedServer& server : tools->servers())
        context.events().emit(
            EventKind::Note,
            fmt::format(R"({{"text":{}}})",
                        json_quote(fmt::format("MCP server {}: {} {}, revision {}, {} tools, {}",
                                               server.name, server.own_name, server.version,
                                               server.protocol, server.tools, server.tools_hash))));
    return tools;
}

// Replays the reference run's calls and submits its last answer. The published rows often end with
// a tool's result; then the claims are the answer.
void McpAtlas::solve(const Task& task, TrialContext& context) {
    const Row& row = static_cast<const AtlasTask&>(task).row;
    std::vector<std::string> absent;
    for (const ReferenceCall& call : row.calls)
        if (context.tools().find(call.tool) == nullptr &&
            std::find(absent.begin(), absent.end(), call.tool) == absent.end())
            absent.push_back(call.tool);
    if (!absent.empty())
        throw Error(ErrorKind::Unsupported,
                    fmt::format("task {}: the reference run calls tools that no server offers: {}",
                                row.id, fmt::join(absent, ", ")));
    int number = 0;
    for (const ReferenceCall& call : row.calls)
        call_tool(context.tools().find(call.tool),
                  {fmt::format("reference-{}", ++number), call.tool, call.arguments}, context);
    if (!trim(row.reference_answer).empty()) return context.submit(row.reference_answer);
    context.events().emit(
        EventKind::Note, R"({"text":"the reference run has no answer: the claims are submitted"})");
    context.submit(fmt::format("{}", fmt::join(row.claims, "\n")));
}

// --- scoring
// --------------------------------------------------------------------------------------

ScoreResult make_result(double value, const std::vector<Verdict>& verdicts) {
    double failures =
        static_cast<double>(std::count_if(verdicts.begin(), verdicts.end(), [](const Verdict& v) {
            return v.outcome == Outcome::Failed;
        }));
    ScoreResult result;
    result.primary = {"pass", value >= kPassAt ? 1.0 : 0.0};
    result.others = {
        {"coverage", value}, {"pass_50", value >= 0.5 ? 1.0 : 0.0}, {"judge_failures", failures}};
    return result;
}

ScoreResult McpAtlas::score(const Task& task, TrialContext& context) {
    const auto& atlas = static_cast<const AtlasTask&>(task);
    const std::string& response = context.submission();
    ScoreResult result;
    if (trim(response).empty() || response.starts_with("ERROR:")) {
        result = make_result(0, {});
        result.explanation = trim(response).empty() ? "no answer" : "the answer is an error";
    } else {
        result = judged(atlas, response, context);
    }
    describe(atlas, context, result);
    result.inputs = {{"submission", sha256(response)}};
    return result;
}

ScoreResult McpAtlas::judged(const AtlasTask& task, const std::string& response,
                             TrialContext& context) {
    if (task.row.claims.empty())
        throw Error(ErrorKind::Verifier, "no claims: the row is left out of every rate");
    std::string bounded = bounded_response(response);
    std::vector<Verdict> verdicts;
    for (const std::string& claim : task.row.claims) {
        Verdict verdict = judge_claim(task.row.prompt, bounded, claim, judge_tries_, context);
        // The official scorer counts such a claim as not fulfilled without a word.
        if (verdict.outcome == Outcome::Failed && !options_.strict)
            throw Error(ErrorKind::Verifier,
                        fmt::format("claim {}: {}", verdicts.size() + 1, verdict.reason));
        verdicts.push_back(std::move(verdict));
    }
    ScoreResult result = make_result(coverage(verdicts), verdicts);
    Json claims = Json::array();
    for (const Verdict& verdict : verdicts) {
        result.explanation += fmt::format("[{}] {}\n    {}\n", to_string(verdict.outcome),
                                          verdict.claim, verdict.reason);
        claims.push_back({{"claim", verdict.claim},
                          {"outcome", to_string(verdict.outcome)},
                          {"reason", verdict.reason},
                          {"confidence", verdict.confidence}});
    }
    result.details = Json{{"claims", claims}}.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (bounded.size() != response.size()) result.explanation += "(the answer was cut)\n";
    return result;
}

// What must stand beside the number for it to be comparable, and where we differ from the official
// procedure.
void McpAtlas::describe(const AtlasTask& task, TrialContext& context, ScoreResult& result) const {
    Json details = Json::parse(result.details);
    details["split"] = task.row.split.empty() ? "unknown" : task.row.split;
    details["judge"] = context.has_model("judge") ? context.model("judge").name() : "none";
    const std::string official = std::to_string(kMaxToolCalls);
    auto given = context.agent_settings().find("max_tool_calls");
    bool other = given != context.agent_settings().end() && given->second != official;
    details["tool_call_limit"] = other ? given->second : official;
    if (other)
        result.deviations.push_back("at most " + given->second + " tool calls instead of " +
                                    official);
    result.deviations.push_back("judge prompt in our own words");
    if (!options_.shared && task.servers.size() > 1)
        result.deviations.push_back("each server has a sandbox and a copy of /data of its own");
    for (const ServerConfig* server : task.servers)
        if (!server->stand_in_for.empty())
            result.deviations.push_back("stand-in for MCP server " + server->stand_in_for);
    const auto* tools = dynamic_cast<const AtlasTools*>(&context.tools());
    if (tools != nullptr) {
        if (!tools->absent().empty())
            result.deviations.push_back(fmt::format("{} of {} enabled tools are absent",
                                                    tools->absent().size(),
                                                    task.row.enabled.size()));
        if (tools->shown_otherwise())
            result.deviations.push_back(
                "an error or image was not shown as officially (strict=no)");
        mcp::ToolSetStats stats = tools->stats();
        details["tools"] = {{"calls", stats.calls},           {"tool_errors", stats.tool_errors},
                            {"rpc_errors", stats.rpc_errors}, {"timeouts", stats.timeouts},
                            {"dead_server", stats.dead},      {"absent", tools->absent()}};
        for (const StartedServer& server : tools->servers())
            details["servers"][server.name] = {{"name", server.own_name},
                                               {"version", server.version},
                                               {"protocol", server.protocol},
                                               {"tools_hash", server.tools_hash}};
    }
    result.details = details.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace

std::unique_ptr<Suite> make_mcp_atlas(const Settings& settings) {
    return std::make_unique<McpAtlas>(settings);
}

} // namespace assay
