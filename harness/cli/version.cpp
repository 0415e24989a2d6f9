#include "version.h"

#include "build_info.h"

namespace assay {

std::string version_number() {
    return ASSAY_VERSION;
}
std::string build_commit() {
    return ASSAY_BUILD_COMMIT;
}
bool build_modified() {
    return ASSAY_BUILD_MODIFIED;
}
std::string build_type() {
    return ASSAY_BUILD_TYPE;
}
std::string compiler() {
    return ASSAY_COMPILER;
}
std::string version_text() {
    return "assay " + version_number() + " (" + build_commit().substr(0, 12) +
           (build_modified() ? ", modified" : "") + ", " + build_type() + ")";
}

} // namespace assay
