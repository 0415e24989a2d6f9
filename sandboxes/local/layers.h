// Sealed writable layers: what a checkpoint holds. A layer is a folder with u0, u1, ...: the upper
// folder of each of the base's overlays. It is never written again.
#pragma once

#include "assay/api/sandbox.h"
#include "assay/base/fs.h"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace assay::local {

struct SealedLayer {
    Path folder;
    std::function<void(const Path&)> remove; // empty: the folder belongs to somebody else
    ~SealedLayer() {
        if (remove) remove(folder);
    }
};

class LocalCheckpoint final : public Checkpoint {
  public:
    // Top layer first. `mounts` overlays each; `base` is what they lie on.
    LocalCheckpoint(std::vector<std::shared_ptr<SealedLayer>> layers, std::size_t mounts,
                    Digest base);
    Digest digest() const override;
    std::uint64_t bytes() const override;
    int depth() const override { return static_cast<int>(layers_.size()); }
    const std::vector<std::shared_ptr<SealedLayer>>& layers() const { return layers_; }
    Digest base() const { return base_; }

  private:
    std::vector<std::shared_ptr<SealedLayer>> layers_;
    std::size_t mounts_;
    Digest base_;
    mutable std::mutex mutex_;
    mutable std::optional<Digest> digest_; // computed when first asked for
};

constexpr int kMaxLayers = 32;

// Over relative path, type, mode, owner, size, link target, overlay attributes and content; not
// over times, inode numbers or the order on disk.
Digest tree_digest(const Path& folder);
std::uint64_t tree_bytes(const Path& folder); // disk blocks; hard links counted once
// Owners, modes, times, links, devices (overlay whiteouts), user.overlay attributes. With
// `hard_link` regular files are linked instead: both trees must never be written again.
void copy_tree(const Path& from, const Path& to, bool hard_link, const Cancel& cancel);
// One layer in `to` that shows what `tops` (top first) show together.
void flatten(const std::vector<Path>& tops, const Path& to, const Cancel& cancel);

} // namespace assay::local
