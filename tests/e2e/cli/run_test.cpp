// Runs from plan to report on the suite example and the null sandbox.
#include "assay/store/reader.h"
#include "assay/store/store.h"
#include "binary.h"
#include "openai_server.h"

#include <filesystem>
#include <map>
#include <set>

using namespace assay;
using namespace assay::test;

namespace {

std::vector<std::string> run_sums(const std::string& out, std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"run",       "example", "--tasks", "sums.txt",
                                      "--sandbox", "null",    "--out",   out};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

std::set<std::string> names(const Json& show) {
    std::set<std::string> out;
    for (const Json& attempt : show["attempts"])
        out.insert(attempt["task"].get<std::string>() + "#" +
                   std::to_string(attempt["attempt"].get<int>()));
    return out;
}

} // namespace

TEST_CASE("a run that ends scored is exit code 0, and show has the promised shape") {
    Binary assay;
    assay.write_sums(4);
    CommandResult run = assay(run_sums("r.db", {"--agent", "oracle", "--attempts", "2"}));
    INFO(run.err);
    CHECK(run.exit.code == 0);
    CHECK_THAT(run.out, Catch::Contains("8 of 8 attempts"));
    CHECK_THAT(run.out, Catch::Contains("8 scored  -\n"));     // no benchmark: nothing is official
    CHECK_THAT(run.err, Catch::Contains("8 attempts to run")); // plain lines, for it is no terminal
    CHECK(run.err.find('\x1b') == std::string::npos);

    Json show = assay.show("r.db");
    CHECK(show["run"]["suite"] == "example");
    CHECK(show["run"]["status"] == "complete");
    CHECK(show["run"]["environments"].size() == 1);
    CHECK(show["run"]["environments"][0]["sandbox"]["backend"] == "null");
    REQUIRE(show["attempts"].size() == 8);
    for (const Json& attempt : show["attempts"]) {
        CHECK(attempt["class"] == "scored");
        CHECK(attempt["score"] == 1.0);
        CHECK(attempt["error"].is_null());
        for (const char* key : {"wall", "queue", "model", "sandbox", "agent", "verify"})
            CHECK(attempt["seconds"][key].is_number());
        CHECK(attempt["usage"]["turns"] == 0);
    }
    CHECK(show["attempts"][4]["attempt"] == 2);

    CHECK_THAT(assay({"show", "r.db"}).out, Catch::Contains("sum-3-1"));
    CHECK_THAT(assay({"list", "r.db"}).out, Catch::Contains("8 scored"));
    CHECK_THAT(assay({"show", "r.db", "sum-3-1", "2"}).out,
               Catch::Contains("== agent ==") && Catch::Contains("wanted 4, got '4'"));
    CHECK(assay({"show", "r.db", "nothing"}).exit.code == 64);
    CHECK(assay({"show", "r.db", "sum-3-1", "3"}).exit.code == 64);
    CHECK(assay(run_sums("r.db", {"--agent", "oracle"})).exit.code == 64); // it is there already
}

TEST_CASE("errors of ours are exit code 1, never a 0, and a resume runs them again") {
    Binary assay;
    assay.write_sums(3);
    Json script = {{"rules", Json::array({{{"task", "sum-1-1"}, {"fault", "auth"}},
                                          {{"task", "*"}, {"say", "1"}}})}};
    assay.write("model.json", script.dump());
    auto arguments = run_sums("r.db", {"--agent", "tools", "--model", "script:model.json"});
    CommandResult run = assay(arguments);
    INFO(run.out << run.err);
    CHECK(run.exit.code == 1);
    CHECK_THAT(run.err, Catch::Contains("infrastructure_error"));
    CHECK_THAT(run.out,
               Catch::Contains("complete: 2 of 3 attempts ended with a score, 1 in error\n"));
    for (const char* command : {"show", "list"}) {
        CommandResult shown = assay({command, "r.db"});
        CHECK_THAT(shown.out,
                   Catch::Contains("complete: 2 of 3 attempts ended with a score, 1 in error\n"));
    }
    Json show = assay.show("r.db");
    int errors = 0;
    for (const Json& attempt : show["attempts"]) {
        if (attempt["task"] != "sum-1-1") continue;
        ++errors;
        CHECK(attempt["class"] == "infrastructure_error");
        CHECK(attempt["score"].is_null());
        CHECK(attempt["error"]["kind"] == "model/auth");
    }
    CHECK(errors == 1);

    script["rules"].erase(0);
    assay.write("model.json", script.dump());
    CommandResult resumed = assay({"resume", "r.db"});
    INFO(resumed.out << resumed.err);
    CHECK(resumed.exit.code == 0);
    CHECK_THAT(resumed.err, Catch::Contains("1 attempts to run"));
    CHECK_THAT(resumed.out,
               Catch::Contains("complete: 3 of 3 attempts ended with a score (1 in this start)\n"));
    for (const Json& attempt : assay.attempts("r.db")) {
        CHECK(attempt["class"] == "scored");
        CHECK(attempt["tries"] == (attempt["task"] == "sum-1-1" ? 2 : 1));
    }
    CHECK_THAT(assay({"resume", "r.db"}).err, Catch::Contains("0 attempts to run"));

    // What the agent did with the answer is inside its turn, and shown further in.
    CHECK_THAT(assay({"show", "r.db", "sum-1-1"}).out,
               Catch::Contains(" s  agent call 0\n") && Catch::Contains(" s    note {"));
    CommandResult shown = assay({"show", "r.db", "sum-1-1", "--json"});
    const Json events = Json::parse(shown.out)["attempts"][0]["events"];
    auto of_kind = [&](const char* kind) {
        return *std::find_if(events.begin(), events.end(),
                             [&](const Json& event) { return event["kind"] == kind; });
    };
    CHECK(of_kind("note")["span"] == of_kind("model")["seq"]);
}

TEST_CASE("the shards of a plan merge to the whole") {
    Binary assay;
    assay.write_sums(7);
    CommandResult planned = assay({"plan", "example", "--tasks", "sums.txt", "--agent", "oracle",
                                   "--attempts", "3", "--sandbox", "null", "--out", "plan.json"});
    INFO(planned.err);
    REQUIRE(planned.exit.code == 0);
    std::set<std::string> seen;
    for (const char* part : {"1/3", "2/3", "3/3"}) {
        std::string file = std::string("part") + part[0] + ".db";
        CommandResult run = assay({"run", "--plan", "plan.json", "--shard", part, "--out", file});
        INFO(run.err);
        REQUIRE(run.exit.code == 0);
        CHECK_THAT(run.out, Catch::Contains("complete: 7 of 7 attempts ended with a score\n"));
        for (const std::string& name : names(assay.show(file))) CHECK(seen.insert(name).second);
        CHECK_THAT(assay({"resume", file, "--shard", part}).out,
                   Catch::Contains("7 of 7 attempts ended with a score (0 in this start)\n"));
    }
    CommandResult some = assay({"merge", "part1.db", "part3.db", "--out", "whole.db"});
    CHECK_THAT(some.out, Catch::Contains("14 of 21 attempts have a result, 7 are missing\n"));
    CommandResult merged =
        assay({"merge", "part1.db", "part2.db", "part3.db", "--out", "whole.db"});
    INFO(merged.err);
    REQUIRE(merged.exit.code == 0);
    CHECK_THAT(merged.out, Catch::Contains("21 of 21 attempts have a result\n"));
    REQUIRE(assay({"run", "--plan", "plan.json", "--out", "direct.db"}).exit.code == 0);
    Json whole = assay.show("whole.db"), direct = assay.show("direct.db");
    CHECK(names(whole) == names(direct));
    CHECK(names(whole) == seen);
    CHECK(whole["attempts"].size() == 21);
    CHECK(whole["run"]["id"] == direct["run"]["id"]);

    CommandResult other = assay(run_sums("other.db", {"--agent", "oracle"}));
    REQUIRE(other.exit.code == 0);
    CommandResult refused = assay({"merge", "part1.db", "other.db", "--out", "none.db"});
    CHECK(refused.exit.code == 64);
    CHECK_THAT(refused.err, Catch::Contains("other.db and part1.db are runs of different plans"));
    CHECK(assay({"merge", "part1.db", "absent.db", "--out", "none.db"}).exit.code == 64);
    CHECK(assay({"run", "--plan", "plan.json", "--shard", "3/2", "--out", "none.db"}).exit.code ==
          64);
    CHECK_FALSE(assay.exists("none.db"));

    std::string plan = assay.read("plan.json");
    plan.replace(plan.find("sum-3-1"), 7, "sum-4-1");
    assay.write("changed.json", plan);
    CHECK(assay({"run", "--plan", "changed.json", "--out", "x.db"}).exit.code == 64);
}

TEST_CASE("secrets reach neither the store nor what is shown") {
    Binary assay;
    assay.write_sums(1);
    assay.set("OPENAI_API_KEY=sk-very-secret-0123456789");
    assay.write_model(0, "my key is sk-very-secret-0123456789, and 1");
    CommandResult run =
        assay(run_sums("r.db", {"--agent", "tools", "--model", "script:model.json"}));
    INFO(run.err);
    REQUIRE(run.exit.code == 0);
    CommandResult show = assay({"show", "r.db", "sum-0-1", "--json"});
    CHECK_THAT(show.out, Catch::Contains("[REDACTED:OPENAI_API_KEY], and 1"));
    CHECK(show.out.find("very-secret") == std::string::npos);
    CHECK(assay.read("r.db").find("very-secret") == std::string::npos);
}

TEST_CASE("secrets that a server echoes do not reach the terminal") {
    Binary assay;
    assay.write_sums(1);
    assay.set("OPENAI_API_KEY=sk-very-secret-0123456789");
    OpenAiServer server;
    auto echo = [](int status) {
        return [status](const HttpRequest& request, ResponseWriter& writer) {
            HttpResponse response;
            response.status = status;
            response.body =
                R"({"error":{"message":)" +
                json_quote("bad key " + std::string(request.headers.get("Authorization"))) + "}}";
            writer.send(std::move(response));
        };
    };
    server.then(echo(500)); // is logged: it is tried again
    server.then([](const HttpRequest& request, ResponseWriter& writer) {
        HttpResponse response; // no JSON: of such a text 500 bytes are shown
        response.status = 500;
        response.body = std::string(480, 'x') + request.headers.get("Authorization");
        writer.send(std::move(response));
    });
    server.then(echo(401)); // ends the attempt
    CommandResult run = assay(
        run_sums("r.db", {"--agent", "tools", "--model", "openai:m@" + server.url(), "--verbose"}));
    CHECK(run.exit.code == 1);
    CHECK_THAT(run.err, Catch::Contains("failed (retry), again in") &&
                            Catch::Contains("model/auth: ") &&
                            Catch::Contains("bad key Bearer [REDACTED:OPENAI_API_KEY]"));
    for (const std::string& text : {run.err, run.out, assay.read("r.db")})
        CHECK(text.find("sk-very") == std::string::npos);
}

TEST_CASE("--max-cost stops with 130 and a resume goes on where it was") {
    Binary assay;
    assay.write_sums(6);
    Json script = {{"rules", Json::array({{{"say", "1"}, {"usage", {{"cost", 1.0}}}}})}};
    assay.write("model.json", script.dump());
    CommandResult run = assay(run_sums("r.db", {"--agent", "tools", "--model", "script:model.json",
                                                "--jobs", "1", "--max-cost", "2.5"}));
    INFO(run.out << run.err);
    CHECK(run.exit.code == 130);
    CHECK_THAT(run.out, Catch::Contains("--max-cost was reached"));
    CHECK(assay.show("r.db")["run"]["status"] == "cost limit");
    auto attempts_with_a_result = [&] {
        int count = 0;
        for (const Json& attempt : assay.attempts("r.db"))
            count += attempt["class"] == "scored" ? 1 : 0;
        return count;
    };
    CHECK(attempts_with_a_result() == 2); // the third was broken off at 3 dollars
    CHECK_THAT(run.out, Catch::Contains("assay resume r.db --max-cost X"));
    CommandResult kept = assay({"resume", "r.db"}); // what was spent before counts
    INFO(kept.out << kept.err);
    CHECK(kept.exit.code == 130);
    CHECK_THAT(kept.out, Catch::Contains("--max-cost was reached"));
    CHECK_THAT(kept.out, Catch::Contains("$3.0000 spent")); // nothing more
    CHECK(attempts_with_a_result() == 2);
    CHECK(assay({"resume", "r.db", "--max-cost", "5.5"}).exit.code == 130);
    CHECK(attempts_with_a_result() == 4);
    CHECK(assay({"resume", "r.db", "--max-cost", "0"}).exit.code == 64);
    CHECK(assay({"resume", "r.db", "--max-cost", "none"}).exit.code == 0);
    CHECK(attempts_with_a_result() == 6);
    CHECK(assay({"resume", "r.db"}).exit.code == 0); // nothing is left to pay for
    Json shown = assay.show("r.db")["run"];
    CHECK(shown["status"] == "complete");
    // The two that had other limits than the plan are on record.
    REQUIRE(shown["audit"].size() == 2);
    CHECK(shown["audit"][0]["why"] == "--max-cost 5.5");
    CHECK(shown["audit"][1]["why"] == "--max-cost none");
    Json start = shown["environments"][0];
    CHECK(start["models"] == Json::parse(R"([{"spec": "script:model.json", "sha256": ")" +
                                         sha256(script.dump()).hex() + R"("}])"));
    CHECK(start["suite"]["tasks"] == 6);
    auto tasks_of_run = [&](int sums, const std::string& file) {
        assay.write_sums(sums);
        CHECK(assay(run_sums(file, {"--agent", "noop"})).exit.code == 0);
        return assay.show(file)["run"]["environments"][0]["suite"]["tasks_sha256"];
    };
    CHECK(tasks_of_run(6, "same.db") == start["suite"]["tasks_sha256"]);
    CHECK(tasks_of_run(7, "more.db") != start["suite"]["tasks_sha256"]);
}

TEST_CASE("a resume counts by the prices of the start") {
    Binary assay;
    assay.write_sums(4);
    Json script = {{"rules", Json::array({{{"say", "1"},
                                           {"usage", {{"prompt", 1000000}, {"completion", 0}}}}})}};
    assay.write("model.json", script.dump());
    assay.write("prices.json", R"({"*": {"input": 1.5, "output": 0}})");
    CommandResult run =
        assay(run_sums("r.db", {"--agent", "tools", "--model", "script:model.json", "--jobs", "1",
                                "--prices", "prices.json", "--max-cost", "2"}));
    INFO(run.out << run.err);
    CHECK(run.exit.code == 130);
    CHECK(assay({"resume", "r.db", "--max-cost", "none"}).exit.code == 0);
    Json attempts = assay.show("r.db")["attempts"];
    REQUIRE(attempts.size() == 4);
    for (const Json& attempt : attempts) CHECK(attempt["usage"]["cost"] == 1.5);
}

TEST_CASE("a recorded run replays to the same answers") {
    Binary assay;
    assay.write_sums(3);
    assay.write_model(0, "it is 2");
    REQUIRE(
        assay(run_sums("r.db", {"--agent", "tools", "--model", "script:model.json"})).exit.code ==
        0);
    CommandResult replay =
        assay(run_sums("again.db", {"--agent", "tools", "--model", "replay:r.db"}));
    INFO(replay.out << replay.err);
    REQUIRE(replay.exit.code == 0);
    Json first = assay.show("r.db"), second = assay.show("again.db");
    for (std::size_t i = 0; i < first["attempts"].size(); ++i)
        CHECK(first["attempts"][i]["score"] == second["attempts"][i]["score"]);
}

TEST_CASE("how many calls a server was sent at a time is in the run") {
    Binary assay;
    assay.write_sums(1);
    OpenAiServer server;
    server.status(429, "{}", {{"Retry-After", "0"}});
    server.say("1");
    CommandResult run =
        assay(run_sums("r.db", {"--agent", "tools", "--model", "openai:m@" + server.url()}));
    INFO(run.out << run.err);
    REQUIRE(run.exit.code == 0);
    CHECK_THAT(assay({"show", "r.db"}).out,
               Catch::Contains("#m: 20 calls at a time at first, 16 at last, 16 to 20 (changes: 1 "
                               "retry_after)"));
    const Json changes = assay.show("r.db")["run"]["connection_changes"];
    REQUIRE(changes.size() == 1);
    CHECK(changes[0]["before"] == 20);
    CHECK(changes[0]["after"] == 16);
    CHECK(changes[0]["cause"] == "retry_after");
}

TEST_CASE("a replay compares messages with secrets, and one that differs is not tried again") {
    Binary assay;
    assay.write_sums(1);
    assay.write_model(0, "it is 1");
    auto run = [&](const char* out, const std::string& model, const std::string& system) {
        return assay(run_sums(out, {"--agent", "tools", "--model", model, "--model-env",
                                    "SERVICE_TOKEN=sk-very-secret-0123456789", "--agent-set",
                                    "system=" + system}));
    };
    const std::string system = "the token is sk-very-secret-0123456789";
    REQUIRE(run("r.db", "script:model.json", system).exit.code == 0);
    CommandResult replay = run("again.db", "replay:r.db", system);
    INFO(replay.out << replay.err);
    CHECK(replay.exit.code == 0);
    CHECK(assay.attempts("again.db").at(0)["score"] == 1.0);

    replay = run("other.db", "replay:r.db", "another prompt");
    CHECK(replay.exit.code == 1);
    Json other = assay.attempts("other.db").at(0);
    CHECK(other["class"] == "infrastructure_error");
    CHECK(other["tries"] == 1);
}

TEST_CASE("an attempt that ended at a limit is replayed to the same limit") {
    Binary assay;
    assay.write_sums(1);
    auto replayed = [&](const std::vector<std::string>& limit) {
        std::vector<std::string> more = {"--agent", "tools", "--model", "script:model.json"};
        more.insert(more.end(), limit.begin(), limit.end());
        CommandResult run = assay(run_sums("r.db", more));
        INFO(run.out << run.err);
        REQUIRE(run.exit.code == 0);
        run = assay(run_sums("again.db", {"--agent", "tools", "--model", "replay:r.db"}));
        UNSCOPED_INFO(run.out << run.err);
        CHECK(run.exit.code == 0);
        Json attempt = assay.attempts("again.db").at(0);
        CHECK(attempt["class"] == "limit");
        CHECK(attempt["tries"] == 1);
        return attempt["agent"].dump() + assay({"show", "again.db", "sum-0-1"}).out;
    };
    SECTION("during a call, which is stored") {
        assay.write_model(60);
        CHECK_THAT(replayed({"--max-seconds", "4"}),
                   Catch::Contains("interrupted:time\n  | 4 s in all"));
        Json calls =
            Json::parse(assay({"show", "r.db", "sum-0-1", "--json"}).out)["attempts"][0]["calls"];
        REQUIRE(calls.size() == 1);
        CHECK(calls[0]["finish"] == "interrupted:time");
        CHECK(assay.attempts("r.db").at(0)["usage"]["turns"] == 0);
        CHECK(assay({"export", "r.db", "--format", "atif", "-o", "atif"}).exit.code == 0);
        CHECK(assay({"report", "r.db", "-o", "r.html"}).exit.code == 0);
    }
    SECTION("between two calls") {
        Json call = {{"name", "nothing"}, {"arguments", Json::object()}};
        Json rule = {{"calls", Json::array({call})}};
        assay.write("model.json", Json{{"rules", Json::array({rule})}}.dump());
        CHECK_THAT(replayed({"--max-turns", "2"}), Catch::Contains("2 turns"));
    }
}

TEST_CASE("a replay that parts from its recording is told apart at the end, also quietly") {
    Binary assay;
    assay.write_sums(1);
    assay.write_model(0, "it is 2");
    REQUIRE(
        assay(run_sums("r.db", {"--agent", "tools", "--model", "script:model.json"})).exit.code ==
        0);
    assay.write_sums(3);
    CommandResult replay =
        assay(run_sums("again.db", {"--agent", "tools", "--model", "replay:r.db", "--quiet"}));
    INFO(replay.out << replay.err);
    CHECK(replay.exit.code == 1);
    CHECK_THAT(replay.out, Catch::Contains("replay mismatch: 2 attempts parted from the recording, "
                                           "first sum-1-1#1: replay:r.db") &&
                               Catch::Contains("1 of 3 attempts ended with a score, 2 in error"));
    CHECK(assay.attempts("again.db")[1]["error"]["kind"] == "model/replay-mismatch");
}

TEST_CASE("--logprobs asks the model for them, and they are stored; a resume asks again") {
    Binary assay;
    assay.write_sums(1);
    OpenAiServer server;
    server.status(401, "{}"); // of the first start: no result
    server.json(
        R"({"choices":[{"index":0,"message":{"role":"assistant","content":"1"},)"
        R"("finish_reason":"stop","logprobs":{"content":[{"token":"token_id:5","logprob":-0.5,)"
        R"("top_logprobs":[{"token":"token_id:6","logprob":-1}]}]}}]})");
    std::vector<std::string> more = {"--agent", "tools", "--model", "openai:m@" + server.url()};
    more.insert(more.end(), {"--logprobs", "2"});
    CHECK(assay(run_sums("r.db", more)).exit.code == 1);
    CommandResult resumed = assay({"resume", "r.db"});
    INFO(resumed.out << resumed.err);
    CHECK(resumed.exit.code == 0);
    for (const HttpRequest& request : server.requests()) {
        Json body = Json::parse(request.body);
        CHECK(body["logprobs"] == true);
        CHECK(body["top_logprobs"] == 2);
    }
    auto reader = RunReader::open(assay.folder() / "r.db");
    auto calls = reader->calls(reader->tries().back().row);
    REQUIRE(calls.size() == 1);
    REQUIRE(calls[0].logprobs.size() == 1);
    CHECK(calls[0].logprobs[0].token == 5);
    CHECK(calls[0].logprobs[0].logprob == -0.5F);
    CHECK(calls[0].logprobs[0].top.at(0) == std::pair<std::int32_t, float>(6, -1.F));
}

TEST_CASE("a failed model call is shown, exported and replayed as it was") {
    Binary assay;
    assay.write_sums(1);
    Json script = {{"rules", Json::array({{{"fault", "refused"}, {"message", "I will not"}}})}};
    assay.write("model.json", script.dump());
    REQUIRE(
        assay(run_sums("r.db", {"--agent", "tools", "--model", "script:model.json"})).exit.code ==
        0);
    CHECK_THAT(assay({"show", "r.db", "sum-0-1"}).out,
               Catch::Contains("error:refused\n  | I will not"));
    Json shown = Json::parse(assay({"show", "r.db", "sum-0-1", "--json"}).out);
    Json call = shown["attempts"][0]["calls"][0];
    CHECK(call["finish"] == "error:refused");
    CHECK(call["error"] == "I will not");
    CHECK(call["output"].is_null());
    CHECK(assay({"export", "r.db", "--format", "atif", "-o", "atif"}).exit.code == 0);
    CHECK(assay({"report", "r.db", "-o", "r.html"}).exit.code == 0);

    CommandResult replay =
        assay(run_sums("again.db", {"--agent", "tools", "--model", "replay:r.db"}));
    INFO(replay.out << replay.err);
    for (const char* run : {"r.db", "again.db"}) {
        Json attempt = assay.show(run)["attempts"][0];
        CHECK(attempt["class"] == "agent_failure");
        CHECK(attempt["error"]["kind"] == "model/refused");
        CHECK(attempt["error"]["message"] == "I will not");
    }
}

TEST_CASE("a run is reported and exported") {
    Binary assay;
    assay.write_sums(2);
    REQUIRE(assay(run_sums("r.db", {"--agent", "oracle"})).exit.code == 0);
    REQUIRE(assay(run_sums("n.db", {"--agent", "noop"})).exit.code == 0);
    CommandResult report = assay({"report", "r.db", "n.db", "-o", "r.html"});
    CHECK(report.exit.code == 0);
    CHECK_THAT(report.out, Catch::StartsWith("suite ") && Catch::Contains("oracle  100.0") &&
                               Catch::Contains("noop    0.0") && Catch::EndsWith("r.html\n"));
    CHECK_THAT(assay.read("r.html"), Catch::Contains("sum-1-1"));
    for (const char* format : {"harbor", "atif", "csv", "junit"}) {
        CommandResult result =
            assay({"export", "r.db", "--format", format, "-o", std::string("out-") + format});
        INFO(format << result.err);
        CHECK(result.exit.code == 0);
        CHECK(assay.exists(std::string("out-") + format));
    }
    CHECK_THAT(assay.read("out-csv"), Catch::Contains("sum-1-1"));
}

TEST_CASE("an attempt's artifacts are named by show and written by export") {
    Binary assay;
    PlanRecord plan;
    plan.run = Id::derive("run");
    plan.suite = "example";
    ArmRecord arm;
    arm.id = arm_id(plan.run, arm.label = "oracle");
    plan.arms = {arm};
    plan.slots = {{slot_id(plan.run, "t", arm.label, 1), arm.id, "t", "", "", 1, 0}};
    {
        auto store = RunStore::create(assay.folder() / "a.db", plan, {});
        auto attempt = store->begin_try(plan.slots[0].id);
        for (int i = 0; i < 60; ++i)
            attempt->artifact(i == 0 ? "layer.tar" : "log/" + std::to_string(i),
                              store->blobs().put("the layer", "application/x-tar"));
        TryEnd end;
        end.attempt_class = AttemptClass::Scored;
        end.accepted = true;
        end.score = 1;
        attempt->finish(end);
    }
    CHECK_THAT(assay({"show", "a.db", "t"}).out, Catch::Contains("artifact layer.tar, 9 bytes\n") &&
                                                     Catch::Contains("artifact log/49,") &&
                                                     !Catch::Contains("artifact log/50,") &&
                                                     Catch::Contains("and 10 more artifacts"));
    CHECK(assay({"export", "a.db", "--format", "harbor", "-o", "out"}).exit.code == 0);
    std::string kept;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(assay.folder() / "out"))
        if (entry.path().filename() == "layer.tar")
            kept = RealFileSystem().read(entry.path(), 1000);
    CHECK(kept == "the layer");
}

TEST_CASE("a run warns of the first retry, on a terminal above the status line") {
    const std::string run = std::string(ASSAY_BINARY) +
                            " run example --tasks sums.txt --sandbox null --agent tools --jobs 1 "
                            "--model script:model.json --out r.db";
    for (const char* program : {"/bin/sh", "/usr/bin/script"}) {
        Binary assay(program);
        assay.write_sums(1);
        Json slow = {{"once", true}, {"delay", 0.6}, {"fault", "retry"}, {"message", "refused"}};
        assay.write("model.json", Json{{"rules", {slow, {{"say", "1"}}}}}.dump());
        bool terminal = program != std::string_view("/bin/sh");
        CommandResult result = terminal ? assay({"-qec", run, "/dev/null"}) : assay({"-c", run});
        std::string text = result.out + result.err;
        INFO(text);
        CHECK(result.exit.code == 0);
        std::size_t at = text.find("refused; tried again, up to 7 times");
        REQUIRE(at != std::string::npos);
        CHECK(text.find("tried again", at + 20) == std::string::npos);
        std::size_t line = text.rfind("assay: ", at);
        REQUIRE(line != std::string::npos);
        REQUIRE(line > 0);
        CHECK((text[line - 1] == '\n' || text.substr(line - 3, 3) == "\x1b[K"));
    }
}

TEST_CASE("an earlier output is replaced, a file of someone else's is not") {
    Binary assay;
    assay.write_sums(1);
    REQUIRE(assay(run_sums("r.db", {"--agent", "oracle"})).exit.code == 0);
    std::vector<std::vector<std::string>> commands = {
        {"report", "r.db", "-o"},
        {"plan", "example", "--agent", "oracle", "--out"},
        {"export", "r.db", "--format", "csv", "-o"},
        {"export", "r.db", "--format", "junit", "-o"}};
    const std::string run = assay.read("r.db");
    int number = 0;
    for (const auto& command : commands) {
        auto into = [&](const std::string& file) {
            auto words = command;
            words.push_back(file);
            return assay(words);
        };
        std::string own = "own-" + std::to_string(number++);
        INFO(command.at(0) << " " << own);
        CHECK(into(own).exit.code == 0);
        CHECK(into(own).exit.code == 0);
        for (const char* foreign : {"{\"mine\": 1}\n", "<!doctype html>\n<p>mine\n"}) {
            assay.write("foreign", foreign);
            CommandResult refused = into("foreign");
            CHECK(refused.exit.code == 64);
            CHECK_THAT(refused.err, Catch::Contains("give another name"));
            CHECK(assay.read("foreign") == foreign);
        }
        assay.write("empty", ""); // as mktemp makes it
        CHECK(into("empty").exit.code == 0);
        CHECK(into("r.db").exit.code == 64);
        CHECK(into("/dev/null").exit.code == 64);
    }
    CHECK(assay.read("r.db") == run);
}

TEST_CASE("an exported folder is replaced, a folder of someone else's is not") {
    Binary assay;
    assay.write_sums(1);
    REQUIRE(assay(run_sums("r.db", {"--agent", "oracle"})).exit.code == 0);
    const std::map<std::string, std::string> one_of = {{"atif", "sum-0-1__oracle__1.json"},
                                                       {"harbor", "config.json"}};
    for (const auto& [format, file] : one_of) {
        auto into = [&, name = format](const std::string& folder) {
            return assay({"export", "r.db", "--format", name, "-o", folder});
        };
        INFO(format);
        std::filesystem::create_directory(assay.folder() / ("own-" + format));
        CHECK(into("own-" + format).exit.code == 0); // an empty one
        CHECK(into("own-" + format).exit.code == 0);
        std::filesystem::create_directory(assay.folder() / ("foreign-" + format));
        std::string mine = "foreign-" + format + "/" + file;
        assay.write(mine, "mine");
        CommandResult refused = into("foreign-" + format);
        CHECK(refused.exit.code == 64);
        CHECK_THAT(refused.err, Catch::Contains("give another name"));
        CHECK(assay.read(mine) == "mine");
        CHECK(into(mine).exit.code == 64);
    }
    CHECK(assay({"export", "r.db", "--format", "atif", "-o", "own-harbor"}).exit.code == 64);
}
