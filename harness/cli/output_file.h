// Guards the files of others against -o and --out.
#pragma once

#include "assay/base/fs.h"

#include <string>
#include <string_view>

namespace assay {

// Throws Error(Usage) if something else than an earlier output of ours is at `file`. Ours has
// `mark` near its beginning; an empty file may be replaced too.
void refuse_foreign(const Path& file, std::string_view mark);

// The same of a folder: it may be absent, empty, or an earlier export in `format`, which
// mark_folder() has told.
void refuse_foreign_folder(const Path& folder, const std::string& format);
void mark_folder(const Path& folder, const std::string& format);

} // namespace assay
