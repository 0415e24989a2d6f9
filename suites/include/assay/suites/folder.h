// Where a suite's own files are: its samples, and the programs that it puts into sandboxes.
#pragma once

#include "assay/base/fs.h"

namespace assay {

// <prefix>/share/assay/suites/NAME for an installed <prefix>/bin/assay, wherever that was moved to;
// else `in_source`, the suite's folder in the source tree that the binary was built from.
inline Path suite_folder(const Path& in_source) {
    std::error_code none;
    Path prefix = std::filesystem::canonical("/proc/self/exe", none).parent_path().parent_path();
    Path installed = prefix / "share/assay/suites" / in_source.filename();
    return std::filesystem::is_directory(installed, none) ? installed : in_source;
}

} // namespace assay
