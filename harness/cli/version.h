// What was built: from CMake.
#pragma once

#include <string>

namespace assay {

std::string version_text();   // "assay 0.1.0 (1a2b3c4d, modified)"
std::string version_number(); // "0.1.0"
std::string build_commit();   // "1a2b3c4d...", "unknown" outside a checkout
bool build_modified();        // the checkout had changes
std::string build_type();     // "RelWithDebInfo"
std::string compiler();       // "GNU 12.2.0"

} // namespace assay
