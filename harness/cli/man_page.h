// docs/assay.1 from the definitions of the command line.
#pragma once

#include <string>
#include <vector>

namespace assay {

struct ManOption {
    std::string name, value, help;
    bool positional = false, required = false;
};
struct ManCommand {
    std::string name, help;
    std::vector<ManOption> options;
};

std::string render_man_page(const std::vector<ManCommand>& commands);

} // namespace assay
