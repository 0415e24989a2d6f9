// An agent that is a program of its own, run in the sandbox by a command line. It reaches the model
// through ModelEndpoint, and the task's tools through ToolBridge.
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "factories.h"
#include "model_endpoint.h"
#include "settings.h"
#include "tool_bridge.h"

#include <fmt/format.h>

#include <optional>

namespace assay {

namespace {

constexpr const char* kInstructionFile = "/usr/local/share/assay/instruction.md";
constexpr std::size_t kLongestVariable = 100'000; // the kernel takes 128 KiB
constexpr int kCannotRun = 126, kNotFound = 127;  // what a shell says

struct CommandSettings {
    std::string command, setup, cwd, user;
    bool any_exit = false;
    bool answer_is_output = false;
    std::size_t output_bytes = 0;
    EndpointOptions endpoint;
};

CommandSettings read_settings(const AgentSettings& from) {
    CommandSettings out;
    out.command = from.text("command", "");
    if (trim(out.command).empty())
        throw Error(ErrorKind::Usage, "agent command: there is no command to run")
            .hint("--agent-set 'command=my-agent --task \"$ASSAY_INSTRUCTION_FILE\"'");
    out.setup = from.text("setup", "");
    out.cwd = from.text("cwd", "");
    out.user = from.text("user", "");
    out.any_exit = from.choice("exit", "zero", {"zero", "any"}) == "any";
    out.answer_is_output = from.choice("answer", "none", {"none", "output"}) == "output";
    out.output_bytes = static_cast<std::size_t>(from.integer("output", 1 << 20, 200));
    out.endpoint.parallel = static_cast<std::size_t>(from.integer("parallel", 4, 1));
    out.endpoint.name = from.text("model_name", "assay");
    out.endpoint.any_name = from.flag("any_model_name", true);
    return out;
}

class CommandAgent final : public Agent {
  public:
    explicit CommandAgent(Settings settings)
        : settings_(std::move(settings)) {}
    const AgentInfo& info() const override { return command_info(); }

    void setup(const Task& task, TrialContext& context) override {
        CommandSettings settings = read_settings(AgentSettings(settings_, task, context));
        if (settings.setup.empty()) return;
        ExecResult result = run(settings.setup, settings, {}, context);
        if (!result.ok())
            throw Error(ErrorKind::Sandbox, "agent command: setup ended with " +
                                                result.status.text() + ": " + last_words(result));
    }

    void run(const Task& task, TrialContext& context) override {
        CommandSettings settings = read_settings(AgentSettings(settings_, task, context));
        ModelEndpoint endpoint(context, settings.endpoint);
        std::optional<ToolBridge> bridge;
        std::string instruction = task.instruction;
        if (!context.tools().tools().empty()) {
            bridge.emplace(context);
            instruction += "\n\n" + bridge->prompt();
        }
        context.events().emit(EventKind::Message, R"({"role":"user","source":"instruction"})",
                              {{"text", context.blobs().put(instruction, "text/plain")}});
        context.environment().main().put_file(kInstructionFile, instruction, 0644,
                                              context.cancel());
        auto environment = endpoint.environment();
        environment["ASSAY_INSTRUCTION_FILE"] = kInstructionFile;
        if (instruction.size() <= kLongestVariable && instruction.find('\0') == std::string::npos)
            environment["ASSAY_INSTRUCTION"] = instruction;
        ExecResult result = run(settings.command, settings, std::move(environment), context);
        context.cancel().check(); // a limit, which the program may have taken for its end
        if (bridge) bridge->check();
        endpoint.check();
        judge(result, settings, endpoint.calls());
        if (settings.answer_is_output && !(bridge && bridge->answered()))
            context.submit(utf8_clean(trim(result.out)));
    }

  private:
    static ExecResult run(const std::string& command, const CommandSettings& settings,
                          std::map<std::string, std::string> environment, TrialContext& context) {
        ExecOptions options;
        options.cwd = settings.cwd;
        options.user = settings.user;
        options.environment = std::move(environment);
        options.output_limit = settings.output_bytes;
        return recorded_exec(context.environment().main(), {"sh", "-c", command}, options, context);
    }

    static std::string last_words(const ExecResult& result) {
        constexpr std::size_t kMost = 400;
        std::string text = utf8_clean(trim(trim(result.err).empty() ? result.out : result.err));
        if (text.size() > kMost) text = text.substr(utf8_ceil(text, text.size() - kMost));
        return text.empty() ? "it said nothing" : text;
    }

    static void judge(const ExecResult& result, const CommandSettings& settings, int calls) {
        if (result.ok()) return;
        // A program that is not there says nothing about the model.
        bool missing = result.status.code == kNotFound || result.status.code == kCannotRun;
        if (missing && result.status.signal == 0 && calls == 0)
            throw Error(ErrorKind::Usage,
                        "agent command: it could not be run: " + last_words(result))
                .hint("install it in the image, or with --agent-set setup=COMMAND");
        if (settings.any_exit) return;
        throw Error(ErrorKind::Agent, "agent command: it ended with " + result.status.text() +
                                          ": " + last_words(result));
    }

    Settings settings_;
};

} // namespace

const AgentInfo& command_info() {
    static const AgentInfo info{
        "command", "1", "runs a program in the sandbox, which calls the model over HTTP", true};
    return info;
}

std::unique_ptr<Agent> make_command(const Settings& settings) {
    read_settings(AgentSettings(settings)); // a bad value is refused before the run
    return std::make_unique<CommandAgent>(settings);
}

} // namespace assay
