#include "assay/api/task.h"

#include "assay/base/text.h"

#include <algorithm>

namespace assay {

bool TaskFilter::wants(std::string_view id) const {
    auto hit = [&](const std::string& glob) { return glob_match(glob, id); };
    if (std::any_of(exclude.begin(), exclude.end(), hit)) return false;
    return include.empty() || std::any_of(include.begin(), include.end(), hit);
}

} // namespace assay
