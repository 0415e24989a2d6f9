// The writable layer of a running sandbox, read while nothing writes to it: by a child of
// assay-launch that is root of its user namespace, as the files may belong to users that only exist
// inside.
#include "local/sandbox.h"

#include <sys/mman.h>

#include <cerrno>

namespace assay::local {
namespace {

std::string contents(int fd, std::uint64_t size) {
    std::string out(static_cast<std::size_t>(size), '\0');
    for (std::size_t at = 0; at < out.size();) {
        ssize_t n = ::pread(fd, out.data() + at, out.size() - at, static_cast<off_t>(at));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) throw io_error("read a layer's tar", n < 0 ? errno : EIO);
        at += static_cast<std::size_t>(n);
    }
    return out;
}

class Frozen {
  public:
    explicit Frozen(SandboxCgroup& cgroup)
        : cgroup_(cgroup) {}
    ~Frozen() { cgroup_.thaw(); }

  private:
    SandboxCgroup& cgroup_;
};

} // namespace

LayerTar LocalSandbox::layer_tar(std::uint64_t limit, const Cancel& cancel) {
    std::lock_guard guard(checkpoint_mutex_);
    if (stopped_) throw SandboxLost("sandbox " + spec_.name + " is not running");
    if (!layers_.empty())
        throw Error(ErrorKind::Unsupported, "the layer of a sandbox that had a checkpoint is in "
                                            "several parts");
    std::vector<std::string> uppers, places;
    for (std::size_t i = 0; i < image_.mounts.size(); i++) {
        uppers.push_back((writable() / ("u" + std::to_string(i))).string());
        places.push_back(
            Path("/" + image_.mounts[i].at).lexically_normal().relative_path().string());
    }
    std::shared_ptr<Channel> held = channel();
    auto hold = held->hold(); // from the count on nobody starts anything
    std::optional<Frozen> frozen;
    if (running_processes(cancel) != 0) {
        frozen.emplace(*cgroup_);
        if (!cgroup_->freeze())
            throw Error(ErrorKind::Sandbox,
                        "sandbox " + spec_.name + " has running processes that cannot be frozen");
    }
    UniqueFd out(::memfd_create("assay-layer", MFD_CLOEXEC));
    if (!out) throw io_error("make room for a layer's tar", errno);
    UniqueFd user = open_namespace("user");
    Channel helper(shared_->janitor.prepare({}, user.get(), Janitor::kMachine),
                   "the layer of sandbox " + spec_.name);
    Reply reply =
        helper.errand(wire::Op::Layer, wire::Writer().u64(limit).list(uppers).list(places).data(),
                      {out.get()}, cancel);
    wire::Reader reader(reply.payload);
    LayerTar tar;
    tar.size = reader.u64();
    if (!reader.done())
        throw Error(ErrorKind::Internal, "malformed answer to a request for a layer");
    if (tar.size <= limit) tar.bytes = contents(out.get(), tar.size);
    return tar;
}

} // namespace assay::local
