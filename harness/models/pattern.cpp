#include "pattern.h"

#include "assay/base/error.h"
#include "assay/base/log.h"

#include <boost/regex.hpp>

namespace assay {

struct Pattern::Compiled {
    boost::regex regex;
};

Pattern::Pattern(const std::string& expression) {
    try {
        compiled_ = std::make_shared<const Compiled>(
            Compiled{boost::regex(expression, boost::regex::perl | boost::regex::mod_s)});
    } catch (const boost::regex_error& e) {
        throw Error(ErrorKind::Input, "regular expression '" + expression + "': " + e.what());
    }
}

bool Pattern::search(std::string_view text, std::vector<std::string>* groups) const {
    boost::cmatch match;
    try {
        if (!boost::regex_search(text.data(), text.data() + text.size(), match, compiled_->regex))
            return false;
    } catch (const std::runtime_error& e) { // the matcher's own limit on backtracking
        log_warn("regular expression given up: {}", e.what());
        return false;
    }
    if (groups != nullptr) {
        groups->clear();
        for (const auto& group : match) groups->push_back(group.str());
    }
    return true;
}

} // namespace assay
