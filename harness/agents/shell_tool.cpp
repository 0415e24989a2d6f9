#include "arguments.h"
#include "assay/base/capture.h"
#include "assay/base/text.h"
#include "sandbox_tools.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay {

namespace {

// bash if there is one, else sh; as run_shell, but recorded.
ExecResult recorded_shell(Sandbox& sandbox, const std::string& command, const ExecOptions& options,
                          TrialContext& context) {
    try {
        return recorded_exec(sandbox, {"bash", "-c", command}, options, context);
    } catch (const StartError&) {
        return recorded_exec(sandbox, {"sh", "-c", command}, options, context);
    }
}

std::string shown(const ExecResult& result, double timeout) {
    std::string out = utf8_clean(result.out);
    if (!out.empty() && out.back() != '\n') out += '\n';
    if (result.timed_out)
        return out + fmt::format("[stopped: still running after {:g} s]", timeout);
    if (out.empty()) out = "[no output]\n";
    return out + "[" + result.status.text() + "]";
}

class ShellTool final : public Tool {
  public:
    ShellTool(TrialContext& context, const ShellLimits& limits)
        : context_(context)
        , limits_(limits) {
        spec_.name = "shell";
        spec_.description = fmt::format(
            "Runs a command with bash in the task's machine and returns its output (standard "
            "output "
            "and error together, the middle left out if it is longer than {} bytes) and exit code. "
            "Every call is a new shell: the working directory and variables of an earlier call are "
            "gone. Nothing can be typed into a running command. Start what must stay up in the "
            "background with its output sent to a file.",
            limits.output_bytes);
        spec_.schema = fmt::format(
            R"({{"type":"object","properties":{{"command":{{"type":"string","description":)"
            R"("the command line, may be several lines"}},"timeout":{{"type":"number",)"
            R"("description":"seconds until it is stopped; {:g} if absent, at most {:g}"}}}},)"
            R"("required":["command"],"additionalProperties":false}})",
            limits.timeout_seconds, limits.max_timeout_seconds);
    }
    const ToolSpec& spec() const override { return spec_; }

    ToolOutcome call(std::string_view json, const Cancel&) override {
        try {
            Arguments arguments(json);
            std::string command = arguments.text("command");
            if (command.find('\0') != std::string::npos)
                throw BadArgument("\"command\" holds a NUL byte");
            double timeout = arguments.optional_number("timeout").value_or(limits_.timeout_seconds);
            if (!(timeout > 0)) throw BadArgument("\"timeout\" must be more than 0 seconds");
            timeout = std::min(timeout, limits_.max_timeout_seconds);
            return run(command, timeout);
        } catch (const BadArgument& e) {
            return text_outcome(std::string("Error: ") + e.what(), true);
        }
    }

  private:
    ToolOutcome run(const std::string& command, double timeout) {
        ExecOptions options;
        options.merge_stderr = true;
        options.timeout = from_seconds(timeout);
        options.output_limit = limits_.output_bytes;
        try {
            ExecResult result =
                recorded_shell(context_.environment().main(), command, options, context_);
            return text_outcome(shown(result, timeout), !result.ok());
        } catch (const StartError& e) {
            return text_outcome("Error: the command could not be started: " + e.message(), true);
        }
    }

    TrialContext& context_;
    ShellLimits limits_;
    ToolSpec spec_;
};

class SubmitTool final : public Tool {
  public:
    SubmitTool(TrialContext& context, bool& done)
        : context_(context)
        , done_(done) {
        spec_.name = "submit";
        spec_.description = "Hands in the work and ends the task. Call it once, when everything is "
                            "done and checked; nothing can be changed afterwards.";
        spec_.schema = R"({"type":"object","properties":{"answer":{"type":"string","description":)"
                       R"("the answer, if the task asks for one; else a short summary"}},)"
                       R"("additionalProperties":false})";
    }
    const ToolSpec& spec() const override { return spec_; }
    ToolOutcome call(std::string_view json, const Cancel&) override {
        try {
            context_.submit(Arguments(json).optional_text("answer").value_or(""));
        } catch (const BadArgument& e) {
            return text_outcome(std::string("Error: ") + e.what(), true);
        }
        done_ = true;
        return text_outcome("submitted");
    }

  private:
    TrialContext& context_;
    bool& done_;
    ToolSpec spec_;
};

} // namespace

std::unique_ptr<Tool> make_shell_tool(TrialContext& context, const ShellLimits& limits) {
    return std::make_unique<ShellTool>(context, limits);
}
std::unique_ptr<Tool> make_submit_tool(TrialContext& context, bool& done) {
    return std::make_unique<SubmitTool>(context, done);
}

} // namespace assay
