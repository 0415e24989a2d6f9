// What a test leaves out on this machine, by name and with the reason: printed, and appended to the
// file $ASSAY_SKIPS, which tools/test reads out at the end (ctest hides the output of what passed).
#pragma once

#include "catch.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace assay::test {

inline void note_skip(const std::string& what, const std::string& why) {
    std::string line = "SKIPPED: " + what + ": " + why + "\n";
    std::fputs(line.c_str(), stdout);
    std::fflush(stdout);
    const char* path = std::getenv("ASSAY_SKIPS");
    if (path == nullptr || *path == '\0') return;
    if (std::FILE* file = std::fopen(path, "ae")) {
        std::fputs(line.c_str(), file);
        std::fclose(file);
    }
}

// The rest of this test case.
inline void skip(const std::string& why) {
    note_skip(Catch::getResultCapture().getCurrentTestName(), why);
}

// All of this program.
[[noreturn]] inline void skip_program(const std::string& why) {
    note_skip(program_invocation_short_name, why);
    std::exit(77);
}

} // namespace assay::test
