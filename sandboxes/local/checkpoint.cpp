// Sealing the writable layer of a running sandbox.
//
// overlayfs leaves it undefined what happens when an upper folder in use is changed or stacked
// below another overlay. So: with no process inside, pid 1 gets an empty root for a moment, the
// entries of the upper that nothing uses any more are moved (those at its top: few, whatever lies
// below them), and pid 1 gets a root with a new upper above it. With processes inside, they are
// frozen and the upper is copied while nothing writes to it.
#include "assay/base/random.h"
#include "local/pasta.h"
#include "local/sandbox.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

namespace assay::local {
std::uint32_t LocalSandbox::running_processes(const Cancel& cancel) {
    Reply reply = channel()->request(wire::Op::Count, {}, {}, cancel);
    if (reply.error != 0) throw io_error("count processes in the sandbox", reply.error);
    wire::Reader reader(reply.payload);
    std::uint32_t count = reader.u32();
    if (!reader.done()) throw SandboxLost("malformed answer to a count");
    return count;
}

std::shared_ptr<SealedLayer> LocalSandbox::new_layer() const {
    Path all = shared_->janitor.folder() / "layers";
    ::mkdir(all.c_str(), 0711);
    auto layer = std::make_shared<SealedLayer>();
    layer->folder = all / shared_->next_name("l");
    layer->remove = [shared = shared_](const Path& path) { shared->remove(path); };
    return layer;
}

bool LocalSandbox::seal_by_rename(const Cancel& cancel) {
    if (layers_.size() >= kMaxLayers) flatten_layers(cancel);
    std::vector<std::shared_ptr<SealedLayer>> before = layers_;
    auto layer = new_layer();
    layers_.insert(layers_.begin(), layer);
    std::shared_ptr<Channel> held = channel();
    auto hold = held->hold(); // from the count on nobody starts anything
    try {
        if (running_processes(cancel) != 0) {
            layers_ = std::move(before);
            return false;
        }
        NewRoot root = prepare_root(layer.get());
        try {
            set_root(root, Cancel()); // a few milliseconds, and nothing to go back to
        } catch (const PathError&) {
            throw;
        } catch (...) { // with which root, nobody knows
            held->close();
            throw;
        }
    } catch (...) {
        layers_ = std::move(before);
        throw;
    }
    return true;
}

std::shared_ptr<SealedLayer> LocalSandbox::seal_by_copy(const Cancel& cancel) {
    if (!cgroup_->freeze())
        throw Error(ErrorKind::Sandbox,
                    "sandbox " + spec_.name + " has running processes that cannot be frozen")
            .hint("end them before the checkpoint");
    auto layer = new_layer();
    try {
        ::mkdir(layer->folder.c_str(), 0711);
        for (std::size_t i = 0; i < image_.mounts.size(); i++) {
            std::string upper = "u" + std::to_string(i);
            copy_tree(writable() / upper, layer->folder / upper, false, cancel);
        }
    } catch (...) {
        cgroup_->thaw();
        throw;
    }
    cgroup_->thaw();
    return layer;
}

void LocalSandbox::flatten_layers(const Cancel& cancel) {
    auto flat = new_layer();
    ::mkdir(flat->folder.c_str(), 0711);
    for (std::size_t i = 0; i < image_.mounts.size(); i++) {
        std::string upper = "u" + std::to_string(i);
        std::vector<Path> tops;
        for (const auto& layer : layers_) tops.push_back(layer->folder / upper);
        flatten(tops, flat->folder / upper, cancel);
    }
    layers_ = {flat};
}

std::shared_ptr<Checkpoint> LocalSandbox::checkpoint(const Cancel& cancel) {
    std::lock_guard guard(checkpoint_mutex_);
    if (stopped_) throw SandboxLost("sandbox " + spec_.name + " is not running");
    std::vector<std::shared_ptr<SealedLayer>> layers;
    if (seal_by_rename(cancel)) {
        layers = layers_;
    } else {
        layers = layers_;
        layers.insert(layers.begin(), seal_by_copy(cancel));
    }
    return std::make_shared<LocalCheckpoint>(std::move(layers), image_.mounts.size(),
                                             image_.record.digest);
}

BaseImage LocalSandbox::seal_into(const Path& folder, const Cancel& cancel) {
    std::lock_guard guard(checkpoint_mutex_);
    // A build step ends with its command: what it left in the background dies with the sandbox.
    channel()->close();
    await_death();
    layers_.insert(layers_.begin(), new_layer());
    const Path& top = layers_.front()->folder;
    if (::rename(writable().c_str(), top.c_str()) != 0)
        throw io_error("seal " + writable().string(), errno);
    RealFileSystem().make_folders(folder);
    BaseImage out = image_;
    Sha256 hash;
    hash.update("assay-base/1 " + image_.record.digest.hex());
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
        if ((*layer)->remove) move_layer(**layer, folder, cancel);
        for (std::size_t i = 0; i < out.mounts.size(); i++) {
            Path upper = (*layer)->folder / ("u" + std::to_string(i));
            hash.update(tree_digest(upper).hex());
            out.mounts[i].lowers.insert(out.mounts[i].lowers.begin(), upper);
        }
    }
    out.record.digest = hash.finish();
    return out;
}

// The overlays that use it hold on to its folders, not to its name.
void LocalSandbox::move_layer(SealedLayer& layer, const Path& folder, const Cancel& cancel) {
    SystemRandom random;
    Path to = folder / Id::random(random).hex();
    if (::rename(layer.folder.c_str(), to.c_str()) != 0) {
        if (errno != EXDEV) throw io_error("move the layer to " + to.string(), errno);
        copy_tree(layer.folder, to, false, cancel);
        layer.remove(layer.folder);
    }
    layer.folder = to;
    layer.remove = nullptr;
}

} // namespace assay::local
