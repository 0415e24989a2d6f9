// --config FILE: a TOML file that holds what a command line can.
//
//   suite = "terminal_bench"        # positional arguments by their name
//   attempts = 5
//   task = ["hello*", "build-*"]    # repeatable options as lists
//   dry-run = true                  # '_' and '-' are the same in keys
//   [set]                           # --set and --agent-set as tables
//   verifier = "compat"
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct ConfiguredWords {
    std::vector<std::string> words;
    std::map<std::string, std::string> origin; // "--jobs" -> "run.toml:3:1", of those from the file
};

// The words with the file's options put in behind the command. A key that the command line has is
// left out, so the command line wins. Without --config: the words. `known` are the command's
// options ("--jobs"). Throws Error(Usage) with file, line and column.
ConfiguredWords with_config_file(const std::vector<std::string>& words,
                                 const std::set<std::string>& known);

// The same with the file's text given.
ConfiguredWords merge_config(const std::vector<std::string>& words, std::string_view toml,
                             const std::string& file, const std::set<std::string>& known);

} // namespace assay
