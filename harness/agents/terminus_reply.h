// What a model answers in the terminal protocol, parsed leniently: what can be understood is
// understood with a warning, the rest is an error text that goes back to the model. Pure functions
// over untrusted text. The rules are those of Terminus-2 (Harbor, agents/terminus_2).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct TerminusCommand {
    std::string keystrokes;
    double duration = 1.0; // seconds to wait after typing
};

struct TerminusReply {
    std::string analysis, plan;
    std::vector<TerminusCommand> commands;
    bool task_complete = false;
    std::string error; // empty: the reply is good; else nothing of it may be carried out
    std::vector<std::string> warnings;

    bool ok() const { return error.empty(); }
};

// {"analysis","plan","commands":[{"keystrokes","duration"}],"task_complete"}: the first balanced
// object in the text.
TerminusReply parse_terminus_json(std::string_view text);

// <response><analysis>, <plan>, <commands><keystrokes duration="..">, <task_complete>.
TerminusReply parse_terminus_xml(std::string_view text);

// Of a reply that was cut at the limit of its length: the part up to </response>, if it is there.
std::string_view complete_xml_part(std::string_view text);

// Warns about commands that would be typed into one line. Shared by the two.
void warn_glued(const std::vector<TerminusCommand>& commands, std::vector<std::string>& warnings);

} // namespace assay
