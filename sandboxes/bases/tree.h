// Host folder trees as bases: copying parts of the machine, and the digest of a tree.
#pragma once

#include "assay/base/fs.h"
#include "assay/base/hash.h"

#include <string>
#include <string_view>

namespace assay::bases {

// Copies a file, link (as a link) or folder with modes and, as root, owners. Other types are left
// out. Nothing happens if `from` is not there. Parent folders are made.
void copy_tree(const Path& from, const Path& to);

void write_text(const Path& path, std::string_view text, unsigned mode = 0644);
void make_folder(const Path& path, unsigned mode = 0755);
void make_link(const Path& path, std::string_view target);  // replaces what is there
void give_to(const Path& path, unsigned uid, unsigned gid); // ignored if we may not

// Over relative path, type, mode and content of everything below `root`, sorted by path.
Digest tree_digest(const Path& root);

} // namespace assay::bases
