// The agents with scripted models in real sandboxes: what the model sees is what the machine says.
#include "assay/agents/agents.h"
#include "assay/models/models.h"
#include "assay/sandboxes/local.h"
#include "catch.h"
#include "fake_trial.h"
#include "sandbox_probe.h"

using namespace assay;
using namespace assay::test;

namespace {

// A model made from the text of a script, that keeps what it was asked.
class Scripted final : public Model {
  public:
    explicit Scripted(const std::string& script) {
        Path file = folder_.path() / "script.json";
        RealFileSystem().write(file, script, 0644);
        inner_ = make_model("script:" + file.string(), {});
    }
    std::string name() const override { return "scripted"; }
    ModelCapabilities capabilities() const override { return inner_->capabilities(); }
    std::string connection_key() const override { return {}; }
    Completion complete(const CompletionRequest& request, const DeltaSink& sink,
                        const Cancel& cancel) override {
        const Message& last = *request.messages.back();
        std::string text = last.text();
        for (const ContentPart& part : last.parts)
            if (const auto* result = std::get_if<ToolResult>(&part))
                text += plain_text(result->parts);
        seen.push_back(text);
        return inner_->complete(request, sink, cancel);
    }
    std::vector<std::string> seen;

  private:
    TempFolder folder_;
    std::unique_ptr<Model> inner_;
};

LocalBackend& backend() {
    need_sandboxes();
    static std::unique_ptr<LocalBackend> made = [] {
        LocalOptions options;
        options.scratch = Path(ASSAY_BUILD_DIR) / "agent-tests" / "scratch";
        options.state = Path(ASSAY_BUILD_DIR) / "agent-tests" / "state";
        BaseMakerOptions bases;
        bases.state = options.state;
        options.bases = make_base_maker(std::move(bases));
        return make_local_backend(std::move(options));
    }();
    return *made;
}

struct Real {
    explicit Real(const std::string& script) {
        trial.real_environment = backend().start({}, Cancel());
        auto model = std::make_unique<Scripted>(script);
        scripted = model.get();
        trial.models["agent"] = std::move(model);
        task.instruction = "do it";
    }
    void run(const char* agent, const Settings& settings = {}) {
        make_agent(agent, settings)->run(task, trial);
    }
    std::string file(const std::string& path) {
        return trial.environment().main().get_file(path, 1 << 20, Cancel()).value_or("(none)");
    }
    bool saw(std::size_t request, std::string_view text) const {
        INFO("request " << request << " saw: " << scripted->seen.at(request));
        bool found = scripted->seen.at(request).find(text) != std::string::npos;
        CHECK(found);
        return found;
    }
    FakeTrial trial;
    Task task;
    Scripted* scripted = nullptr;
};

struct AddTool final : Tool {
    const ToolSpec& spec() const override { return about; }
    ToolOutcome call(std::string_view arguments, const Cancel&) override {
        return text_outcome("sum of " + std::string(arguments));
    }
    ToolSpec about{"add", "Adds numbers.", R"({"type":"object"})"};
};

} // namespace

TEST_CASE("tools in a real sandbox: fail, malformed, edit with mode kept, time-out, submit") {
    Real real(R"~({"rules":[{"sequence":[
        {"calls":[{"name":"shell","arguments":{"command":"cat /nothing; exit 3"}}]},
        {"calls":[{"name":"shell","arguments":"{\"command\": "}]},
        {"calls":[{"name":"file","arguments":{"action":"create","path":"/tmp/new/run.sh","text":"#!/bin/sh\necho one\n"}}]},
        {"calls":[{"name":"shell","arguments":{"command":"chmod 755 /tmp/new/run.sh"}}]},
        {"calls":[{"name":"file","arguments":{"action":"replace","path":"/tmp/new/run.sh","old":"one","new":"two"}}]},
        {"calls":[{"name":"shell","arguments":{"command":"/tmp/new/run.sh; stat -c %a /tmp/new/run.sh"}}]},
        {"calls":[{"name":"file","arguments":{"action":"view","path":"/tmp/new"}}]},
        {"calls":[{"name":"shell","arguments":{"command":"sleep 60","timeout":0.3}}]},
        {"calls":[{"name":"shell","arguments":{"command":"seq 1 20000"}}]},
        {"calls":[{"name":"submit","arguments":{"answer":"two"}}]}]}]})~");
    real.run("tools");
    real.saw(1, "No such file or directory");
    real.saw(1, "[exit code 3]");
    real.saw(2, "not valid JSON");
    real.saw(3, "wrote 19 bytes");
    real.saw(6, "two\n755\n[exit code 0]");
    real.saw(7, "Error: cannot read /tmp/new");
    real.saw(8, "[stopped: still running after 0.3 s]");
    real.saw(9, "bytes left out");
    CHECK(real.scripted->seen.at(9).size() < 40'000);
    CHECK(real.trial.submitted == "two");
}

TEST_CASE("terminus in a real sandbox: type, see, interrupt, recover, complete twice") {
    Real real(R"~({"rules":[{"sequence":[
        {"say_json":{"analysis":"","plan":"","commands":[{"keystrokes":"echo he''llo; false || echo failed $?\n","duration":0.5}]}},
        {"say":"this is no reply"},
        {"say_json":{"analysis":"","plan":"","commands":[{"keystrokes":"sleep 600\n","duration":0.3},{"keystrokes":"C-c","duration":0.5},{"keystrokes":"echo code $?\n","duration":0.5}]}},
        {"say_json":{"analysis":"","plan":"","commands":[{"keystrokes":"echo first > /tmp/x\n","duration":0.3},{"keystrokes":"Up","duration":0.3},{"keystrokes":"Home","duration":0.1},{"keystrokes":"#","duration":0.1},{"keystrokes":"Enter","duration":0.3}]}},
        {"say_json":{"analysis":"","plan":"","commands":[],"task_complete":true}},
        {"say_json":{"analysis":"","plan":"","commands":[],"task_complete":true}}]}]})~");
    real.run("terminus");
    real.saw(0, "Current Terminal Screen:");
    real.saw(1, "New Terminal Output:");
    real.saw(1, "hello");
    real.saw(1, "failed 1");
    real.saw(2, "could not be read");
    real.saw(3, "code 130");
    real.saw(4, "#echo first > /tmp/x");
    real.saw(5, "say so again");
    CHECK(real.file("/tmp/x") == "first\n");
    CHECK(real.trial.artifacts.at("agent/recording.cast").find("\"version\"") != std::string::npos);
}

TEST_CASE("terminus in a real sandbox: the end of the shell ends the run") {
    Real real(R"~({"rules":[{"once":true,"say_json":{"analysis":"","plan":"","commands":[
        {"keystrokes":"exit\n","duration":1}]}}]})~");
    real.run("terminus");
    CHECK(real.scripted->seen.size() == 1);
}

TEST_CASE("terminus in a real sandbox: a suite's tools through the program `tool`") {
    Real real(R"~({"rules":[{"sequence":[
        {"say_json":{"analysis":"","plan":"","commands":[
            {"keystrokes":"clear; tool list; tool show add; tool call add '{\"a\": \"x y\"}'; echo code $?\n","duration":2}]}},
        {"say_json":{"analysis":"","plan":"","commands":[
            {"keystrokes":"tool call sub; echo code $?; tool call add - <<E\n{\"b\": \"\u00e4\"}\nE\n","duration":2}]}},
        {"say_json":{"analysis":"","plan":"","commands":[
            {"keystrokes":"tool; tool answer 'forty two'\n","duration":2}],"task_complete":true}},
        {"say_json":{"analysis":"","plan":"","commands":[],"task_complete":true}}]}]})~");
    real.trial.suite_tools.add(std::make_unique<AddTool>());
    real.run("terminus");
    real.saw(0, "add: Adds numbers.");
    real.saw(1, "add: Adds numbers.");
    real.saw(1, "Arguments (JSON schema)");
    real.saw(1, R"(sum of {"a": "x y"})");
    real.saw(1, "code 0");
    real.saw(2, "there is no tool named 'sub'");
    real.saw(2, "code 1");
    real.saw(2, "sum of {\"b\": \"\xc3\xa4\"}");
    real.saw(3, "usage: tool list");
    CHECK(real.trial.submitted == "forty two");
}
