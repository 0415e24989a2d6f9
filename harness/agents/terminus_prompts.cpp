#include "terminus_prompts.h"

#include <fmt/format.h>

namespace assay::prompts {

namespace {

constexpr std::string_view kRole =
    "You carry out a task on a Linux machine. All you have is its terminal: you are shown its "
    "text, "
    "and you answer with batches of keystrokes that are typed into it for you. Nobody answers "
    "questions; decide for yourself and check your results in the terminal.\n\n";

constexpr std::string_view kJsonFormat =
    R"(Answer with one JSON object and nothing around it:

{
  "analysis": "what the terminal shows now: what has been reached, what is still open",
  "plan": "what you do next, and what each batch of keystrokes is for",
  "commands": [
    {"keystrokes": "ls -l\n", "duration": 0.1},
    {"keystrokes": "make 2>&1 | tail -n 20\n", "duration": 5}
  ],
  "task_complete": false
}

analysis, plan and commands are required, in this order. commands may be empty if you only want to
look again. Set task_complete to true only when all of the task is done; leave it out otherwise.
)";

constexpr std::string_view kXmlFormat =
    R"(Answer with one XML element and nothing around it:

<response>
<analysis>what the terminal shows now: what has been reached, what is still open</analysis>
<plan>what you do next, and what each batch of keystrokes is for</plan>
<commands>
<keystrokes duration="0.1">ls -l
</keystrokes>
<keystrokes duration="5">make 2>&1 | tail -n 20
</keystrokes>
</commands>
<task_complete>false</task_complete>
</response>

analysis, plan and commands are required. commands may be empty if you only want to look again. Set
task_complete to true only when all of the task is done. Write keystrokes as they are, without XML
escapes.
)";

constexpr std::string_view kAdvice =
    R"(
keystrokes are typed exactly as written. End a command line with a newline, or it is not run and the
next batch is typed behind it. A batch that is only the name of a key presses that key: C-c, C-d,
C-z, Enter, Escape, Tab, Up, Down, Left, Right and so on.

duration is how many seconds to wait before the next batch or the next look at the terminal. Take
0.1 for what answers at once (cd, ls, echo, cat), 1 for a compiler or a search, more for what is
known to be slow. Never wait more than 60 seconds at a time: for something longer send an empty
batch and look again. A short wait and another look are better than one long wait.
)";

std::string list(const std::vector<std::string>& lines) {
    std::string out;
    for (const std::string& line : lines) out += "- " + line + "\n";
    return out;
}

std::string_view format_name(TerminusFormat format) {
    return format == TerminusFormat::Json ? "JSON object" : "<response> element";
}

} // namespace

std::string first(TerminusFormat format, std::string_view instruction, std::string_view tools,
                  std::string_view screen) {
    return fmt::format("{}{}{}\n# Task\n\n{}\n\n{}{}\n", kRole,
                       format == TerminusFormat::Json ? kJsonFormat : kXmlFormat, kAdvice,
                       instruction, tools, screen);
}

std::string parse_error(TerminusFormat format, std::string_view error,
                        const std::vector<std::string>& warnings) {
    std::string more = warnings.empty() ? "" : "Also:\n" + list(warnings);
    return fmt::format("Your last reply could not be read, and nothing of it was typed:\n- {}\n{}"
                       "\nReply again with one valid {}.",
                       error, more, format_name(format));
}

std::string with_warnings(const std::vector<std::string>& warnings, std::string_view screen) {
    if (warnings.empty()) return std::string(screen);
    return fmt::format("Your last reply was carried out, but:\n{}\n{}", list(warnings), screen);
}

std::string confirm(TerminusFormat format, std::string_view screen, bool answer_missing) {
    return fmt::format(
        "{}\n\nYou said that the task is complete. {}If it is, say so again with task_complete "
        "true in your next {}: the work is then graded as it stands and nothing can be repaired "
        "any more. If something is missing, go on working.",
        screen, answer_missing ? "You have not handed in an answer with `tool answer` yet. " : "",
        format_name(format));
}

std::string cut_off(TerminusFormat format) {
    return fmt::format("Your last reply was cut off at the limit of its length, and nothing of it "
                       "was typed. Split the work into smaller steps and reply with one complete, "
                       "shorter {}; write long files in several parts.",
                       format_name(format));
}

std::string summarize(std::string_view instruction) {
    return fmt::format(
        "The conversation is about to exceed what you can hold. Someone else will go on from a "
        "summary that you write now, without seeing any of the above. The task was:\n\n{}\n\n"
        "Write down, with exact paths, commands, values and error texts: what has been done and "
        "how it was checked; what was found out about the machine; what was tried and failed, and "
        "why; the state of every running program; what is left to do. Plain text, no keystrokes.",
        instruction);
}

std::string questions(std::string_view instruction, std::string_view summary,
                      std::string_view screen) {
    return fmt::format(
        "You take over a task from someone else.\n\nThe task:\n\n{}\n\nTheir summary:\n\n{}\n\n{}"
        "\n\nBefore you start, ask at least five questions about what the summary leaves open and "
        "you need to know to go on. Only the questions, numbered; no keystrokes.",
        instruction, summary, screen);
}

std::string answer_questions(std::string_view text) {
    return fmt::format("The one who takes over has these questions. Answer each of them in full, "
                       "from what you have seen above:\n\n{}",
                       text);
}

std::string hand_over(std::string_view answers, std::string_view screen) {
    return fmt::format("The answers to your questions:\n\n{}\n\nGo on with the task now, in the "
                       "format described at the beginning.\n\n{}",
                       answers, screen);
}

std::string short_summary(std::string_view instruction, std::string_view screen_tail) {
    return fmt::format("A task on a Linux terminal has been worked on:\n\n{}\n\nThe end of the "
                       "screen:\n\n{}\n\nSay in a few sentences how far it seems to be and what "
                       "to do next.",
                       instruction, screen_tail);
}

std::string restart(std::string_view instruction, std::string_view summary,
                    std::string_view screen) {
    if (summary.empty())
        return fmt::format("{}\n\nThe task may already be partly done.\n\n{}", instruction, screen);
    return fmt::format("{}\n\nThe state so far: {}\n\n{}", instruction, summary, screen);
}

} // namespace assay::prompts
