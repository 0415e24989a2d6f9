// assay engine ACTION
#include "commands.h"

#include <map>

namespace assay {

int command_engine(const Arguments& arguments) {
    static const std::map<std::string, int (*)(const Arguments&)> actions = {
        {"generate", engine_generate}, {"inspect", engine_inspect},
        {"parse", engine_parse},       {"perplexity", engine_perplexity},
        {"render", engine_render},     {"tokenize", engine_tokenize},
        {"trace", engine_trace},
    };
    return actions.at(arguments.engine.action)(arguments);
}

} // namespace assay
