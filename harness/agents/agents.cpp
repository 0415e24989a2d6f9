#include "assay/agents/agents.h"

#include "assay/base/error.h"
#include "factories.h"

namespace assay {

namespace {
// What every agent with a model understands.
SettingList with_sampling(SettingList list) {
    list.insert(list.end(), {{"temperature", "sampling temperature"},
                             {"top_p", "nucleus sampling"},
                             {"top_k", "top-k sampling"},
                             {"max_tokens", "longest completion"},
                             {"reasoning_effort", "as the provider understands it"}});
    return list;
}

SettingList tools_settings() {
    return with_sampling(
        {{"builtin", "shell, file and submit: auto (as the task says), all or none"},
         {"system", "the system prompt; empty: none"},
         {"max_tool_calls", "calls in the whole trial; 0: no limit"},
         {"at_max_tool_calls", "answer (ask for a last answer) or stop (drop the rest and end)"},
         {"answer",
          "final (the last message) or last_text (also kept when a limit ends the trial)"},
         {"context", "when it is full: stop, or compact old tool results once"},
         {"tool_output_limit", "bytes of one tool result shown to the model; 0: no limit"},
         {"shell_timeout", "seconds for a shell call that names none"},
         {"shell_timeout_max", "most seconds that a shell call may ask for"},
         {"shell_output", "bytes of shell output shown to the model"}});
}

SettingList terminus_settings() {
    return with_sampling({{"parser", "json or xml: the format of the replies"},
                          {"max_turns", "model replies to act on; 0: no limit"},
                          {"summarize", "hand over to a fresh context when the old one is full"},
                          {"summarize_below", "free tokens at which that is done"},
                          {"context_tokens", "of the model, if it does not say so itself"},
                          {"keep_reasoning", "reasoning stays in the conversation"},
                          {"columns", "width of the terminal"},
                          {"rows", "height of the terminal"},
                          {"tool_client", "offer the suite's tools as the program `tool`"}});
}

SettingList command_settings() {
    return {{"command", "command line, run with sh -c; needed"},
            {"setup", "command line that installs it, before the agent's time begins"},
            {"cwd", "where it is run; without: where the task says"},
            {"user", "who runs it; without: whom the task says"},
            {"exit", "zero (another exit code is a failure of the agent) or any"},
            {"answer", "none, or output (what it prints is the answer)"},
            {"output", "bytes of its output that are stored"},
            {"parallel", "model calls at a time"},
            {"model_name", "what the model is called inside"},
            {"any_model_name", "false: it answers to that name alone"}};
}
} // namespace

const std::vector<AgentKind>& agent_kinds() {
    static const std::vector<AgentKind> kinds = {
        {oracle_info(), {}, make_oracle},
        {noop_info(), {}, make_noop},
        {tools_info(), tools_settings(), make_tools},
        {terminus_info(), terminus_settings(), make_terminus},
        {command_info(), command_settings(), make_command},
    };
    return kinds;
}

std::unique_ptr<Agent> make_agent(std::string_view name, const Settings& settings) {
    std::string list;
    for (const AgentKind& kind : agent_kinds()) {
        if (kind.info.name == name) {
            check_settings("agent " + kind.info.name, kind.settings, settings);
            return kind.make(settings);
        }
        list += (list.empty() ? "" : ", ") + kind.info.name;
    }
    throw Error(ErrorKind::Usage, "there is no agent '" + std::string(name) + "'")
        .hint("agents: " + list);
}

} // namespace assay
