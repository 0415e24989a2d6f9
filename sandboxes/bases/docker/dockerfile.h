// Dockerfiles as data. Pure: nothing is read, expanded or run here.
//
// Accepted: continuation lines (also with comments between them), `# escape=`, exec form, flags,
// heredocs of RUN, COPY and ADD. A malformed line is Error(Input) "FILE:LINE: what".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay::bases {

struct Heredoc {
    std::string name;
    std::string content; // tabs stripped for <<-
    bool expand = true;  // false if the name was quoted
};

struct Instruction {
    std::string name;                                       // upper case: "RUN"
    int line = 0;                                           // of its first line
    std::vector<std::pair<std::string, std::string>> flags; // {"from", "build"} of --from=build
    std::string text; // the arguments, continuation lines joined, flags removed
    std::optional<std::vector<std::string>> exec; // the JSON array, if it is one
    std::vector<Heredoc> heredocs;

    std::string flag(std::string_view key) const; // empty: not given
};

struct Dockerfile {
    std::string file; // for messages
    char escape = '\\';
    std::vector<Instruction> instructions;
};

Dockerfile parse_dockerfile(std::string_view text, const std::string& file);

} // namespace assay::bases
