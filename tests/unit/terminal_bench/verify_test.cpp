// The order of verification and its errors, over a sandbox that answers from a table.
#include "artifacts.h"
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "catch.h"
#include "fake_trial.h"
#include "verifier.h"

using namespace assay;
using namespace assay::terminal_bench;
using assay::test::exec_result;
using assay::test::FakeSandbox;
using assay::test::FakeTrial;

namespace {

struct Area {
    TempFolder folder;
    HarborTask task;
    FakeTrial trial;
    std::vector<std::string> ran;      // shell commands, in order
    std::vector<ExecOptions> options_; // of test.sh
    std::map<std::string, std::string> writes = {{"reward.txt", "1\n"}};
    std::function<void()> in_test;

    Area() {
        std::filesystem::create_directories(folder.path() / "tests");
        RealFileSystem().write(folder.path() / "tests/test.sh", "#!/bin/sh\n", 0644);
        task.folder = folder.path();
        trial.sandbox().on_exec = [this](const std::vector<std::string>& argv,
                                         const ExecOptions& options) {
            return answer(trial.sandbox(), argv, options);
        };
    }
    ExecResult answer(FakeSandbox& sandbox, const std::vector<std::string>& argv,
                      const ExecOptions& options) {
        std::string command = argv.back();
        ran.push_back(command);
        if (command.find("(/tests/test.sh)") == 0) {
            options_.push_back(options);
            if (in_test) in_test();
            for (const auto& [name, text] : writes)
                sandbox.files["/logs/verifier/" + name] = {text, 0644};
            return exec_result(7); // ignored
        }
        return exec_result(0);
    }
    ScoreResult score(VerifierMode mode = VerifierMode::Official) {
        return verify(task, mode, trial);
    }
    std::string refusal() {
        try {
            score();
        } catch (const Error& e) {
            CHECK(e.kind() == ErrorKind::Verifier);
            return e.message();
        }
        return "";
    }
};

} // namespace

TEST_CASE("the reward counts, the exit code of test.sh does not") {
    Area area;
    ScoreResult result = area.score();
    CHECK(result.primary.name == "reward");
    CHECK(result.primary.value == 1);
    CHECK(result.deviations.empty());
    CHECK(area.trial.sandbox().files.contains("/tests/test.sh"));
    CHECK(area.trial.artifacts.contains("verifier/reward.txt"));
    CHECK(area.trial.artifacts.contains("artifacts/manifest.json"));
}

TEST_CASE("reward.json wins; other keys become metrics") {
    Area area;
    area.writes = {{"reward.txt", "1"}, {"reward.json", R"({"reward": 0, "lines": 0.5})"}};
    ScoreResult result = area.score();
    CHECK(result.primary.value == 0);
    REQUIRE(result.others.size() == 1);
    CHECK(result.others[0].name == "lines");
    CHECK(result.others[0].value == 0.5);
}

TEST_CASE("no usable reward is a verifier error with Harbor's name") {
    Area area;
    area.writes = {};
    CHECK(area.refusal().find("RewardFileNotFoundError") == 0);
    area.writes = {{"reward.txt", ""}};
    CHECK(area.refusal().find("RewardFileEmptyError") == 0);
    area.writes = {{"reward.txt", "yes"}};
    CHECK(area.refusal().find("VerifierOutputParseError") == 0);
    area.writes = {{"reward.json", R"({"a": 1, "b": 2})"}};
    CHECK(area.refusal().find("several keys") != std::string::npos);
    area.writes = {{"reward.txt", std::string(2 << 20, '1')}};
    CHECK(area.refusal().find("VerifierOutputParseError") == 0);
    area.in_test = [] { throw Interrupted({Cause::Deadline, "verify phase: 60 s"}); };
    CHECK(area.refusal() == "VerifierTimeoutError: verify phase: 60 s");
}

TEST_CASE("a cancelled run is no verifier error") {
    Area area;
    area.in_test = [] { throw Interrupted({Cause::User, "stop"}); };
    CHECK_THROWS_AS(area.score(), Interrupted);
    area.in_test = [] { throw SandboxLost("gone"); };
    CHECK_THROWS_AS(area.score(), SandboxLost);
}

TEST_CASE("a reward that the agent wrote is removed before the tests are there") {
    Area area;
    area.trial.sandbox().files["/logs/verifier/reward.txt"] = {"1", 0644};
    area.writes = {{"reward.json", R"({"reward": 0})"}};
    ScoreResult result = area.score();
    CHECK(result.primary.value == 0);
    CHECK(result.details.find("reward_before_verification") != std::string::npos);
    area.trial.sandbox().files["/logs/verifier/reward.txt"] = {"1", 0644};
    area.writes = {};
    CHECK(area.refusal().find("RewardFileNotFoundError") == 0);
}

TEST_CASE("what fails where the agent worked is a verifier error, and is not tried again") {
    Area area;
    area.task.toml.verifier.collect.push_back({"dump", "main", 60, ""});
    for (std::string broken : {"dump", "chmod +x /tests/test.sh", "(/tests/test.sh)"}) {
        auto answer = area.trial.sandbox().on_exec;
        area.trial.sandbox().on_exec = [&](const std::vector<std::string>& argv,
                                           const ExecOptions& options) {
            if (argv.back().starts_with(broken)) throw Error(ErrorKind::Sandbox, "is a folder");
            return answer(argv, options);
        };
        CHECK(area.refusal().find("is a folder") != std::string::npos);
        area.trial.sandbox().on_exec = answer;
    }
}

TEST_CASE("the notes and files of a flood are counted, not kept") {
    Area area;
    FakeSandbox& sandbox = area.trial.sandbox();
    for (int i = 0; i < 5100; i++)
        sandbox.files["/logs/agent/" + std::to_string(10'000 + i)] = {"x", 0644};
    area.score();
    int kept = 0;
    for (const auto& [name, bytes] : area.trial.artifacts) kept += name.starts_with("agent/");
    CHECK(kept == 5000);
    CHECK(area.trial.sink.count(EventKind::Note) == 21);
    CHECK(area.trial.sink.has(EventKind::Note, "80 more of /logs/agent"));
}

TEST_CASE("what a separate verifier is given is named by content, mode and kind") {
    CHECK_FALSE(Area().score().inputs.has_value()); // in the agent's sandbox it may see anything
    TempFolder host;
    RealFileSystem files;
    std::vector<CollectedArtifact> artifacts(3);
    artifacts[0] = {"/app/out", "app/out", "directory", "ok", "main", host.path() / "0", {}};
    artifacts[1] = {"/app/one", "app/one", "file", "ok", "main", host.path() / "1" / "one", {}};
    artifacts[2] = {"/app/no", "app/no", "", "failed", "main", {}, {}};
    std::filesystem::create_directories(artifacts[0].host / "sub");
    std::filesystem::create_directories(artifacts[1].host.parent_path());
    files.write(artifacts[0].host / "sub/file", "a", 0644);
    files.write(artifacts[1].host, "a", 0644);
    std::filesystem::create_symlink("sub/nowhere", artifacts[0].host / "link");
    auto inputs = artifact_inputs(artifacts);
    CHECK(inputs.size() == 5);
    CHECK(inputs.at("/app/out/sub/file") == inputs.at("/app/one"));
    CHECK(inputs.contains("/app/out/link"));
    CHECK(artifact_inputs(artifacts) == inputs);
    files.write(artifacts[0].host / "sub/file", "b", 0644);
    CHECK(artifact_inputs(artifacts).at("/app/out/sub/file") != inputs.at("/app/out/sub/file"));
    std::filesystem::permissions(artifacts[1].host, std::filesystem::perms(0755));
    CHECK(artifact_inputs(artifacts).at("/app/one") != inputs.at("/app/one"));
}

TEST_CASE("users, variables and hooks of the verifier") {
    Area area;
    area.task.toml.agent.user = "agent";
    area.task.image_user = "app";
    area.task.verifier_env = {{"KEY", "v"}};
    area.task.toml.verifier.collect.push_back({"dump-database", "main", 60, ""});
    area.task.toml.verifier.collect.push_back({"elsewhere", "db", 60, ""});
    area.score();
    REQUIRE(area.options_.size() == 1);
    CHECK(area.options_[0].user == "app"); // the image's, not the agent's
    CHECK(area.options_[0].environment.at("KEY") == "v");
    CHECK(area.ran[0] == "dump-database");
    CHECK(std::count(area.ran.begin(), area.ran.end(), "elsewhere") == 0);
}

TEST_CASE("a substituted base and the compat verifier are written on the score") {
    Area area;
    area.task.deviations = {"built here"};
    ScoreResult result = area.score(VerifierMode::Compat);
    REQUIRE(result.deviations.size() == 2);
    CHECK(result.deviations[1].find("verifier=compat") == 0);
    CHECK(area.options_[0].environment.at("PATH").find("/opt/assay-verifier/bin:") == 0);
    CHECK(area.trial.sandbox().files.contains("/opt/assay-verifier/bin/uvx"));
}

TEST_CASE("declared artifacts are kept with a manifest") {
    Area area;
    area.trial.sandbox().files["/app/out.txt"] = {"result", 0644};
    area.task.toml.artifacts = {
        {.source = "/app/out.txt", .destination = "../../named", .service = "", .exclude = {}},
        {.source = "/missing", .destination = "", .service = "", .exclude = {}},
        {.source = "/other", .destination = "", .service = "db", .exclude = {}}};
    auto answer = area.trial.sandbox().on_exec;
    area.trial.sandbox().on_exec = [&](const std::vector<std::string>& argv,
                                       const ExecOptions& options) {
        if (argv.back().find("if [ -d /app/out.txt ]") == 0) return exec_result(0, "file\n");
        return answer(argv, options);
    };
    area.score();
    CHECK(area.trial.artifacts.at("artifacts/named") == "result");
    const std::string& manifest = area.trial.artifacts.at("artifacts/manifest.json");
    CHECK(manifest.find("\"status\": \"ok\"") != std::string::npos);
    CHECK(manifest.find("\"status\": \"failed\"") != std::string::npos);
    CHECK(manifest.find("\"status\": \"skipped\"") != std::string::npos);
}
