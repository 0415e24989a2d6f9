#include "assay/reports/export.h"
#include "catch.h"
#include "run_fixture.h"

#include <nlohmann/json.hpp>

#include <set>

using namespace assay;
using Json = nlohmann::json;

namespace {

// The rules of ATIF 1.7 as its reader checks them: keys per level, step numbers, call references.
std::string atif_problem(const Json& atif) {
    auto only = [](const Json& object, std::set<std::string> keys, std::string at) {
        for (const auto& [key, value] : object.items())
            if (!keys.contains(key)) return at + ": unknown key " + key;
        return std::string();
    };
    std::string bad =
        only(atif,
             {"schema_version", "session_id", "trajectory_id", "agent", "steps", "notes",
              "final_metrics", "continued_trajectory_ref", "extra", "subagent_trajectories"},
             "root");
    if (!bad.empty()) return bad;
    if (atif.at("steps").empty()) return "no step";
    int expected = 0;
    for (const Json& step : atif["steps"]) {
        if (step.at("step_id") != ++expected) return "step_id out of order";
        bad = only(step,
                   {"step_id", "timestamp", "source", "message", "observation", "is_copied_context",
                    "extra", "model_name", "reasoning_effort", "reasoning_content", "tool_calls",
                    "metrics", "llm_call_count"},
                   "step");
        if (!bad.empty()) return bad;
        bool agent = step["source"] == "agent";
        for (const char* key : {"model_name", "reasoning_content", "tool_calls", "metrics"})
            if (!agent && step.contains(key))
                return std::string(key) + " on a step not the agent's";
        std::set<std::string> calls;
        for (const Json& call : step.value("tool_calls", Json::array())) {
            if (!call.at("arguments").is_object()) return "arguments are no object";
            calls.insert(call.at("tool_call_id"));
        }
        if (step.contains("observation"))
            for (const Json& result : step["observation"].at("results"))
                if (result.contains("source_call_id") &&
                    !calls.contains(result["source_call_id"].get<std::string>()))
                    return "result of a call that this step did not make";
    }
    return "";
}

Json load(const Path& path) {
    return Json::parse(RealFileSystem().read(path));
}

} // namespace

TEST_CASE("ATIF: every attempt is a valid trajectory") {
    TempFolder folder;
    Path run = test::make_run(folder.path());
    export_atif(run, folder.path() / "atif");
    auto names = RealFileSystem().list(folder.path() / "atif");
    REQUIRE(names.size() == 8);
    for (const std::string& name : names) {
        Json atif = load(folder.path() / "atif" / name);
        INFO(name);
        REQUIRE(atif_problem(atif) == "");
        REQUIRE(atif["schema_version"] == "ATIF-v1.7");
        REQUIRE(atif["steps"].size() == 4);          // the instruction and three turns
        for (std::size_t step = 1; step < 4; ++step) // the verifier's tool is not the agent's
            REQUIRE(atif["steps"][step]["observation"]["results"].size() == 1);
        REQUIRE(atif["final_metrics"]["total_prompt_tokens"] == 300);
    }
    // The check itself sees planted mistakes.
    Json atif = load(folder.path() / "atif" / names[0]);
    Json broken = atif;
    broken["steps"][1]["observation"]["results"][0]["source_call_id"] = "nobody";
    CHECK(atif_problem(broken) != "");
    broken = atif;
    broken["steps"][2]["step_id"] = 7;
    CHECK(atif_problem(broken) != "");
    broken = atif;
    broken["ours"] = 1;
    CHECK(atif_problem(broken) != "");
}

TEST_CASE("Harbor: a job folder with the numbers that Harbor would count") {
    TempFolder folder;
    Path run = test::make_run(folder.path());
    export_harbor(run, folder.path() / "job");
    Json job = load(folder.path() / "job" / "result.json");
    Json eval = job["stats"]["evals"]["tools__x__fixture"];
    CHECK(job["n_total_trials"] == 8);
    CHECK(eval["n_trials"] == 8);
    // Missing rewards are 0: (1 + .5 + .5) / 8.
    CHECK(eval["metrics"][0]["mean"].get<double>() == Approx(2.0 / 8));
    CHECK(eval["reward_stats"]["reward"]["1.0"].size() == 1);
    CHECK(eval["reward_stats"]["reward"]["0.5"].size() == 2);
    CHECK(eval["exception_stats"]["RewardFileNotFoundError"].size() == 1);
    std::size_t trials = 0;
    for (const std::string& name : RealFileSystem().list(folder.path() / "job")) {
        Path trial = folder.path() / "job" / name;
        if (!RealFileSystem().exists(trial / "config.json") || !name.find("__")) continue;
        ++trials;
        Json result = load(trial / "result.json");
        CHECK(result["trial_name"] == name);
        for (const char* key : {"task_name", "trial_uri", "task_id", "task_checksum", "agent_info"})
            CHECK(result.contains(key));
        REQUIRE(atif_problem(load(trial / "agent" / "trajectory.json")) == "");
    }
    CHECK(trials == 8);
    CHECK_FALSE(RealFileSystem().exists(folder.path() / "pwned"));
}

TEST_CASE("CSV and JUnit: a row, a case an attempt") {
    TempFolder folder;
    Path run = test::make_run(folder.path());
    std::string csv = export_csv(run);
    std::size_t lines = 0;
    for (std::size_t at = 0; (at = csv.find("\r\n", at)) != std::string::npos; ++at) ++lines;
    CHECK(lines == 9);
    CHECK(csv.find("VerifierError") == std::string::npos); // our own words: verifier_error
    std::string junit = export_junit(run);
    CHECK(junit.find("tests=\"8\" failures=\"4\" errors=\"3\" skipped=\"0\"") != std::string::npos);
    CHECK(junit.find("<img") == std::string::npos);
}
