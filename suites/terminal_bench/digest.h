// The identities that Harbor computes of a task folder.
#pragma once

#include "assay/base/fs.h"
#include "assay/base/hash.h"

#include <string>
#include <vector>

namespace assay::terminal_bench {

// SHA-256 over "path NUL sha256hex LF" of every file of the task, sorted by path: "sha256:<hex>".
std::string task_digest(const Path& folder);

// The image tag's part "hb__<32 hex>": over 4-byte big-endian length + path and length + content of
// the files below environment/. An empty folder: of the image reference.
std::string environment_hash(const Path& environment, const std::string& docker_image);

// Relative paths that count for task_digest, after .gitignore or the default rules.
std::vector<std::string> task_files(const Path& folder);

} // namespace assay::terminal_bench
