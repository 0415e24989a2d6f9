// A cached base that is one root folder: ENTRY/root and ENTRY/digest.
#pragma once

#include "assay/sandboxes/base_image.h"

#include <string>

namespace assay::bases {

inline constexpr const char* kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

void seal_entry(const Path& entry, std::string_view more = {}); // writes the digest of root
Digest entry_digest(const Path& entry);
BaseImage entry_image(const Path& entry, const std::string& name);

} // namespace assay::bases
