// Guards the files of others against -o and --out.
#pragma once

#include "assay/base/fs.h"

#include <string_view>

namespace assay {

// Throws Error(Usage) if something else than an earlier output of ours is at `file`. Ours has
// `mark` near its beginning; an empty file may be replaced too.
void refuse_foreign(const Path& file, std::string_view mark);

} // namespace assay
