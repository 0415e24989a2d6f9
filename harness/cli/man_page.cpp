#include "man_page.h"

#include "assay/base/text.h"

namespace assay {

namespace {

std::string roff(std::string_view text) {
    std::string out = replace_all(std::string(text), "\\", "\\e");
    out = replace_all(out, "-", "\\-");
    if (!out.empty() && (out[0] == '.' || out[0] == '\'')) out = "\\&" + out;
    return out;
}

constexpr const char* kHead = R"(.TH ASSAY 1 "" "assay" "User Commands"
.SH NAME
assay \- run agentic benchmarks in sandboxes, store every step, report scores
.SH SYNOPSIS
.B assay
.I COMMAND
.RI [ OPTION "]... [" ARGUMENT ]...
.SH DESCRIPTION
.B assay
runs suites of tasks against models and agents, each attempt in a sandbox of its own. A run is one
SQLite file: every model call, command, score and time is in it. Reports and exports are made from
that file alone. A run survives Ctrl\-C, a crash and
.BR "kill \-9" :
.B assay resume
runs what is missing and repeats nothing that has a result.
.PP
Ctrl\-C once: no new trial is begun, those that run are finished. Ctrl\-C twice: they are broken off
and run again by a resume.
.SH COMMANDS
)";

constexpr const char* kTail = R"(.SH CONFIG FILES
.B \-\-config
.I FILE
names a TOML file with the same options by their long names, repeatable ones as lists, settings as
tables
.RB ( [set] ", " [agent\-set] ).
What the command line says wins.
.SH EXIT STATUS
.TP
.B 0
all attempts ended scored: scored, agent failure or limit reached
.TP
.B 1
some attempts ended in an infrastructure or verifier error, or the command failed
.TP
.B 2
inconclusive
.TP
.B 3
invalid
.TP
.B 64
wrong usage, an input that cannot be used, or an output that cannot be made
.TP
.B 130
stopped by Ctrl\-C or by
.B \-\-max\-cost
.SH ENVIRONMENT
.TP
.B OPENAI_API_KEY, OPENAI_BASE_URL
for models of the form
.BR openai: .
The key is never stored: it is replaced wherever it appears.
.TP
.B XDG_CACHE_HOME
below it bases and layers are cached, unless
.B \-\-state
names a folder
)";

} // namespace

std::string render_man_page(const std::vector<ManCommand>& commands) {
    std::string out = kHead;
    for (const ManCommand& command : commands) {
        out += ".SS assay " + roff(command.name);
        for (const ManOption& option : command.options)
            if (option.positional)
                out += option.required ? " " + roff(option.name) : " [" + roff(option.name) + "]";
        out += "\n" + roff(command.help) + "\n";
        for (const ManOption& option : command.options) {
            if (option.name == "-h,--help") continue;
            out += ".TP\n.B " + roff(option.name);
            if (!option.value.empty()) out += " \\fI" + roff(option.value) + "\\fR";
            out += "\n" + roff(option.help) + "\n";
        }
    }
    return out + kTail;
}

} // namespace assay
