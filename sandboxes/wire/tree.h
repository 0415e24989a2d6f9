// Deleting a tree that a sandbox has written.
#pragma once

#include <string>

namespace assay {

// 0 or errno of the first failure; goes on after a failure. Follows no link, crosses no mount. Any
// depth of folders is removed with a bounded number of descriptors and bounded memory.
int remove_tree(const std::string& path);
int remove_tree_at(int folder, const std::string& path); // relative to the folder

} // namespace assay
