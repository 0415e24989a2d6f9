#include "model_environment.h"

#include "assay/base/error.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace assay {

std::map<std::string, std::string> model_environment(const std::vector<std::string>& named,
                                                     Redactor& redactor) {
    std::map<std::string, std::string> out;
    for (char** at = environ; *at != nullptr; ++at) {
        std::string_view word = *at;
        std::size_t equals = word.find('=');
        if (word.starts_with("OPENAI_") && equals != std::string_view::npos)
            out[std::string(word.substr(0, equals))] = word.substr(equals + 1);
    }
    for (const std::string& word : named) {
        std::size_t equals = word.find('=');
        std::string name = word.substr(0, equals);
        if (equals != std::string::npos) {
            out[name] = word.substr(equals + 1);
        } else if (const char* value = std::getenv(name.c_str())) {
            out[name] = value;
        } else {
            throw Error(ErrorKind::Usage, "--model-env " + name + ": the variable is not set");
        }
    }
    for (const auto& [name, value] : out)
        if (is_secret_name(name)) redactor.add(name, value);
    return out;
}

} // namespace assay
