// The file behind script:FILE: rules that match a request and say what to answer. docs/models.md
// describes the format for users.
#pragma once

#include "assay/api/model.h"
#include "pattern.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct ScriptAnswer {
    std::optional<std::string> reasoning, say;
    std::vector<ToolCall> calls;
    std::optional<Finish> finish; // absent: stop, or tool_calls if there are calls
    double delay_seconds = 0;
    std::optional<ModelFault> fault; // thrown instead of answering
    std::string fault_message;
    std::optional<double> retry_after;
    std::optional<std::uint64_t> prompt_tokens, completion_tokens; // absent: estimated
    std::uint64_t cached_tokens = 0, reasoning_tokens = 0;
    std::optional<double> cost;
};

struct ScriptRule {
    // Conditions: all that are present must hold. Globs for names.
    std::string role = "*", task = "*", tool; // tool: offered in the request
    std::optional<int> attempt;
    int first_turn = 0, last_turn = -1; // -1: no end
    std::vector<std::string> last_has, conversation_has;
    std::optional<Pattern> last, conversation;

    // How often, per (task, attempt, role): 0 is any number.
    std::size_t uses = 0;
    std::vector<ScriptAnswer> answers; // in turn; the last one again if `uses` allows
};

struct Script {
    std::string name; // the file's name, for messages
    std::vector<ScriptRule> rules;
    std::optional<std::uint64_t> context_tokens;
};

// JSON, or JSON Lines with one rule a line. Throws Error(Input) naming the rule and the key.
Script parse_script(std::string_view text, std::string name);

} // namespace assay
