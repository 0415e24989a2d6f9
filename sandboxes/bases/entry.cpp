#include "bases/entry.h"

#include "bases/tree.h"

#include <algorithm>

namespace assay::bases {

void seal_entry(const Path& entry, std::string_view more) {
    Digest digest = sha256(tree_digest(entry / "root").hex() + std::string(more));
    write_text(entry / "digest", digest.hex());
}

Digest entry_digest(const Path& entry) {
    std::string bytes = from_hex(RealFileSystem().read(entry / "digest", 64));
    Digest digest;
    std::copy_n(bytes.begin(), std::min(bytes.size(), digest.bytes.size()), digest.bytes.begin());
    return digest;
}

BaseImage entry_image(const Path& entry, const std::string& name) {
    BaseImage image;
    image.mounts = {{"/", {entry / "root"}}};
    image.environment = {{"PATH", kDefaultPath}};
    image.record.asked = image.record.used = name;
    image.record.digest = entry_digest(entry);
    return image;
}

} // namespace assay::bases
