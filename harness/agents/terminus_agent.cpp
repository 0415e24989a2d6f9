// The terminal agent: the model types batches of keystrokes and sees the screen. The protocol is
// that of Terminus-2 (Harbor, agents/terminus_2, version 2.0.0) with prompts of our own, over a
// terminal of the sandbox instead of tmux inside it. What differs is named in docs/agents.md.
#include "assay/base/error.h"
#include "assay/base/log.h"
#include "assay/base/text.h"
#include "factories.h"
#include "settings.h"
#include "terminus_chat.h"
#include "terminus_keys.h"
#include "terminus_prompts.h"
#include "terminus_reply.h"
#include "terminus_screen.h"
#include "tool_bridge.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay {

namespace {

constexpr double kLongestWait = 60;           // seconds, of one batch
constexpr std::int64_t kFreeAfterDrop = 4000; // tokens, after an overflow

struct TerminusSettings {
    TerminusFormat format = TerminusFormat::Json;
    bool summarize = true;
    std::int64_t summarize_below = 8000; // free tokens
    int max_turns = 0;                   // 0: no limit
    TerminalSize size;
    bool tool_client = true; // offer the suite's tools as a program, if there are any
    ChatSettings chat;
};

TerminusSettings read_settings(const AgentSettings& from) {
    TerminusSettings out;
    out.format = from.choice("parser", "json", {"json", "xml"}) == "xml" ? TerminusFormat::Xml
                                                                         : TerminusFormat::Json;
    out.summarize = from.flag("summarize", true);
    out.summarize_below = from.integer("summarize_below", 8000);
    out.max_turns = from.integer("max_turns", 0);
    out.size.columns = from.integer("columns", 160, 20);
    out.size.rows = from.integer("rows", 40, 5);
    out.tool_client = from.flag("tool_client", true);
    out.chat.sampling = from.sampling();
    out.chat.keep_reasoning = from.flag("keep_reasoning", false);
    out.chat.context_tokens =
        static_cast<std::uint64_t>(from.integer("context_tokens", 0)); // 0: the model's
    return out;
}

std::unique_ptr<Terminal> open_shell(Sandbox& sandbox, TerminalSize size, const Cancel& cancel) {
    TerminalOptions options;
    options.size = size;
    options.environment["TERM"] = "xterm-256color";
    try {
        return sandbox.open_terminal({"bash", "--login"}, options, cancel);
    } catch (const StartError&) {
        return sandbox.open_terminal({"sh", "-l"}, options, cancel);
    }
}

// One trial of the loop. The recording becomes an artifact however it ends.
class TerminusLoop {
  public:
    TerminusLoop(const Task& task, TrialContext& context, TerminusSettings settings)
        : task_(task)
        , context_(context)
        , settings_(std::move(settings))
        , chat_(context, settings_.chat)
        , terminal_(open_shell(context.environment().main(), settings_.size, context.cancel())) {
        if (settings_.tool_client && !context.tools().tools().empty()) bridge_.emplace(context);
    }
    ~TerminusLoop() {
        try { // an answer that came just before a limit counts
            if (bridge_) bridge_->check();
        } catch (const std::exception& e) {
            log_debug("tool client: {}", e.what());
        }
        try {
            context_.artifact("agent/recording.cast", terminal_->recording(),
                              "application/x-asciicast");
        } catch (const std::exception& e) {
            log_warn("the terminal recording was lost: {}", e.what());
        }
    }
    TerminusLoop(const TerminusLoop&) = delete;
    TerminusLoop& operator=(const TerminusLoop&) = delete;

    void run() {
        settle();
        std::string prompt =
            prompts::first(settings_.format, task_.instruction, bridge_ ? bridge_->prompt() : "",
                           screen_.look(*terminal_));
        say("instruction", task_.instruction);
        for (int turn = 0; settings_.max_turns == 0 || turn < settings_.max_turns; ++turn) {
            if (!terminal_->alive()) return note("the terminal's shell has ended");
            std::optional<std::string> next = one_turn(std::move(prompt));
            if (bridge_) bridge_->check();
            if (!next) return;
            prompt = std::move(*next);
        }
        context_.events().emit(
            EventKind::Limit,
            fmt::format(R"({{"cause":"max_turns","detail":"{}"}})", settings_.max_turns));
    }

  private:
    // The shell's first prompt may take a moment to appear: the quiet before it is none.
    void settle() {
        const Cancel& cancel = context_.cancel();
        auto give_up = context_.clock().now() + std::chrono::seconds(10);
        while (trim(terminal_->screen()).empty() && terminal_->alive() &&
               context_.clock().now() < give_up)
            if (!cancel.sleep_for(std::chrono::milliseconds(20))) cancel.check();
        terminal_->wait_quiet(std::chrono::milliseconds(200), std::chrono::seconds(3), cancel);
        cancel.check();
    }

    // Asks, types, looks. Returns the next prompt; nullopt: done.
    std::optional<std::string> one_turn(std::string prompt) {
        Completion completion = ask(std::move(prompt));
        std::string text = completion.message.text();
        if (completion.finish == Finish::Length) {
            std::string_view whole = settings_.format == TerminusFormat::Xml
                                         ? complete_xml_part(text)
                                         : std::string_view();
            if (whole.empty()) return fed_back("cut", prompts::cut_off(settings_.format));
            text = std::string(whole);
        }
        TerminusReply reply = settings_.format == TerminusFormat::Xml ? parse_terminus_xml(text)
                                                                      : parse_terminus_json(text);
        if (!reply.ok())
            return fed_back("parse_error",
                            prompts::parse_error(settings_.format, reply.error, reply.warnings));
        for (const TerminusCommand& command : reply.commands) type(command);
        std::string seen = look();
        if (reply.task_complete) {
            if (claimed_complete_) {
                if (bridge_ && !bridge_->answered()) context_.submit(reply.analysis);
                return std::nullopt;
            }
            claimed_complete_ = true;
            return prompts::confirm(settings_.format, seen, bridge_ && !bridge_->answered());
        }
        claimed_complete_ = false;
        return prompts::with_warnings(reply.warnings, seen);
    }

    Completion ask(std::string prompt) {
        if (settings_.summarize && !chat_.messages().empty() &&
            chat_.free_tokens(prompt.size()) < settings_.summarize_below)
            prompt = hand_over();
        for (int overflows = 0;; ++overflows) {
            try {
                return chat_.ask(prompt);
            } catch (const ModelError& e) {
                if (e.fault() != ModelFault::ContextOverflow || !settings_.summarize ||
                    overflows == 2)
                    throw;
            }
            if (overflows == 0) {
                chat_.drop_until_free(kFreeAfterDrop);
                prompt = hand_over();
            } else {
                prompt =
                    chat_.start_again(task_.instruction, {}, TerminusScreen::visible(*terminal_));
            }
        }
    }

    std::string hand_over() {
        return chat_.hand_over(task_.instruction, TerminusScreen::visible(*terminal_),
                               terminal_->screen());
    }

    void type(const TerminusCommand& command) {
        auto began = context_.clock().now();
        std::string bytes = terminal_bytes(command.keystrokes);
        if (!bytes.empty()) terminal_->send(bytes, context_.cancel());
        double wait = std::min(command.duration, kLongestWait);
        Nanoseconds left = from_seconds(wait) - (context_.clock().now() - began);
        if (left > Nanoseconds(0) && !context_.cancel().sleep_for(left)) context_.cancel().check();
        constexpr std::size_t kShownKeys = 200; // the model's call has them in full
        std::string_view keys = command.keystrokes;
        keys = keys.substr(0, utf8_floor(keys, std::min(keys.size(), kShownKeys)));
        context_.events().emit(
            EventKind::Terminal,
            fmt::format(R"({{"keys":{},"bytes":{},"seconds":{:.3f}}})", json_quote(keys),
                        bytes.size(), wait),
            {{"screen", context_.blobs().put(terminal_->screen(), "text/plain")}});
    }

    std::string look() { return screen_.look(*terminal_); }

    void say(std::string_view why, std::string_view text) {
        context_.events().emit(EventKind::Message,
                               fmt::format(R"({{"role":"user","why":{}}})", json_quote(why)),
                               {{"text", context_.blobs().put(text, "text/plain")}});
    }
    std::string fed_back(std::string_view why, std::string prompt) {
        say(why, prompt);
        return prompt;
    }
    void note(std::string_view text) {
        context_.events().emit(EventKind::Note, fmt::format(R"({{"text":{}}})", json_quote(text)));
    }

    const Task& task_;
    TrialContext& context_;
    TerminusSettings settings_;
    TerminusChat chat_;
    std::unique_ptr<Terminal> terminal_;
    TerminusScreen screen_;
    std::optional<ToolBridge> bridge_;
    bool claimed_complete_ = false;
};

class TerminusAgent final : public Agent {
  public:
    explicit TerminusAgent(Settings settings)
        : settings_(std::move(settings)) {}
    const AgentInfo& info() const override { return terminus_info(); }
    void run(const Task& task, TrialContext& context) override {
        TerminusSettings settings = read_settings(AgentSettings(settings_, task, context));
        if (settings.chat.context_tokens == 0)
            settings.chat.context_tokens =
                context.model("agent").capabilities().context_tokens.value_or(1'000'000);
        TerminusLoop(task, context, std::move(settings)).run();
    }

  private:
    Settings settings_;
};

} // namespace

const AgentInfo& terminus_info() {
    static const AgentInfo info{
        "terminus", "1", "types keystrokes into a terminal (the protocol of Terminus-2)", true};
    return info;
}

std::unique_ptr<Agent> make_terminus(const Settings& settings) {
    read_settings(AgentSettings(settings)); // a bad value is refused before the run
    return std::make_unique<TerminusAgent>(settings);
}

} // namespace assay
