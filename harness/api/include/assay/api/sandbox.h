// A sandbox: an isolated machine of its own, as far as the processes inside can tell.
//
// Three failures are three things: the sandbox is gone (SandboxLost), the command could not be
// started (StartError: no such program, no such user, bad cwd), the command failed (ExitStatus).
// All calls are thread-safe; several processes may run at the same time.
#pragma once

#include "assay/api/terminal.h"
#include "assay/base/cancel.h"
#include "assay/base/error.h"
#include "assay/base/fs.h"
#include "assay/base/hash.h"
#include "assay/base/stream.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace assay {

class SandboxLost : public Error {
  public:
    explicit SandboxLost(std::string message)
        : Error(ErrorKind::Sandbox, std::move(message)) {}
};
class StartError : public Error {
  public:
    explicit StartError(std::string message)
        : Error(ErrorKind::Sandbox, std::move(message)) {}
};

// The path itself is the trouble (a folder, too large, a loop of links): whoever made the file did
// it.
class PathError : public Error {
  public:
    explicit PathError(std::string message)
        : Error(ErrorKind::Sandbox, std::move(message)) {}
};

enum class NetworkMode { None, AllowList, Public };
struct NetworkPolicy {
    NetworkMode mode = NetworkMode::None;
    std::vector<std::string> allowed; // host, *.host, IP, CIDR; no port
};

struct ResourceLimits { // absent: not limited
    std::optional<double> cpus;
    std::optional<std::uint64_t> memory_bytes;
    std::optional<std::uint64_t> pids;
    std::optional<std::uint64_t> disk_bytes;
};

// Where a sandbox's files come from.
struct BaseSpec {
    enum class Kind {
        Named,      // "host", "debian:bookworm", "tar:/path/root.tar" or a stored base
        Image,      // an OCI reference such as "python:3.13-slim": needs an image map here
        Dockerfile, // built from `context` / `dockerfile`; its FROM goes through the image map
    } kind = Kind::Named;
    std::string name = "host"; // Named: the base; Image: the reference
    Path context;              // Dockerfile: the build context
    Path dockerfile;           // Dockerfile: path of the file itself
};

struct SandboxSpec {
    std::string name = "main"; // also its host name on the environment's network
    BaseSpec base;
    std::map<std::string, std::string> environment;
    std::string workdir; // empty: the image's, or "/"
    std::string user;    // empty: the image's, or root; a name or a number
    ResourceLimits limits;
    NetworkPolicy network;
    std::vector<std::pair<Path, std::string>> folders_ro; // host folder, shown read-only at
};

enum class StdinMode { Closed, Pipe };

struct SpawnOptions {
    std::string user; // empty: the sandbox's default
    std::string cwd;
    std::map<std::string, std::string> environment; // added to the sandbox's
    StdinMode stdin_mode = StdinMode::Closed;
    bool merge_stderr = false;            // stderr goes into stdout, in order
    std::optional<TerminalSize> terminal; // a pty: stdin, stdout and stderr in one stream
};

struct ExitStatus {
    int code = 0;   // valid if signal == 0
    int signal = 0; // the signal that ended it
    bool ok() const { return code == 0 && signal == 0; }
    std::string text() const; // "exit code 2", "killed by signal 9"
};

class Process {
  public:
    virtual ~Process() = default; // leaves the process running; the sandbox owns it
    virtual int id() const = 0;   // pid inside the sandbox
    virtual Stream& in() = 0;     // throws Error(Internal) unless StdinMode::Pipe or a terminal
    virtual Stream& out() = 0;
    virtual Stream& err() = 0;
    virtual void signal(int number) = 0; // to its whole process group; no error if it has ended
    virtual void resize(TerminalSize size) = 0;
    virtual ExitStatus wait(const Cancel& cancel) = 0;
    virtual int wait_fd() const { return -1; } // readable once it has ended; -1: none
};

struct ExecOptions : SpawnOptions {
    std::string input;                     // given on stdin, if stdin_mode is Pipe
    std::optional<Nanoseconds> timeout;    // the command's own limit; not the phase's
    std::size_t output_limit = 256 * 1024; // bytes kept of stdout and of stderr each
};

struct ExecResult {
    ExitStatus status;
    bool timed_out = false; // ended by ExecOptions::timeout; status is that of the kill
    std::string out, err;   // head and tail if cut
    std::uint64_t out_bytes = 0, err_bytes = 0; // before cutting
    double seconds = 0;
    bool ok() const { return status.ok() && !timed_out; }
};

// Which limits hold, honestly: what the kernel enforces for this sandbox.
struct SandboxCapabilities {
    bool multi_user = false; // more than one uid: chown, apt, user=
    bool checkpoint = false;
    bool terminal = false;
    bool desktop = false;
    bool private_network = false; // several sandboxes can reach one another by name
    std::vector<NetworkMode> network;
    bool limit_cpus = false, limit_memory = false, limit_pids = false, limit_disk = false;
    bool usage = false;
    std::string notes; // in words, for the record and for `assay doctor`
};

struct ResourceUsage { // since the sandbox started; -1: not known
    double cpu_seconds = -1;
    std::int64_t memory_peak_bytes = -1;
    std::int64_t oom_kills = -1;
    std::int64_t pids_peak = -1;
    std::int64_t disk_bytes = -1; // in the writable layer
    double throttled_seconds = -1;
    // New processes and threads that the limit forbade. An event of the trial, no column.
    std::int64_t pids_refused = -1;
};

// A sealed state of a sandbox's files (never its processes), content-addressed.
class Checkpoint {
  public:
    virtual ~Checkpoint() = default;
    virtual Digest digest() const = 0;
    virtual std::uint64_t bytes() const = 0; // of the layers above the base
    virtual int depth() const = 0;           // layers above the base
};

// What was changed above the base, as the tar of an image layer.
struct LayerTar {
    std::uint64_t size = 0;
    std::optional<std::string> bytes; // absent: over the limit
};

// A service of the harness, offered to the inside. Called on a thread of its own per connection.
using Service = std::function<void(std::unique_ptr<Stream> connection, const Cancel& cancel)>;

// While it lives the service is reachable at `address` ("127.0.0.1:40123") from inside.
class Exposed {
  public:
    virtual ~Exposed() = default;
    virtual std::string address() const = 0;
};

class Sandbox {
  public:
    virtual ~Sandbox() = default; // stops it and removes its scratch
    virtual const std::string& name() const = 0;
    virtual SandboxCapabilities capabilities() const = 0;
    virtual bool alive() const = 0;

    virtual std::unique_ptr<Process> spawn(const std::vector<std::string>& argv,
                                           const SpawnOptions& options, const Cancel& cancel) = 0;
    // The helper on spawn: runs to the end, bounded capture. On timeout: SIGTERM to the group, 2 s,
    // SIGKILL. Output is read until end of file or 250 ms after the exit, whichever comes first.
    virtual ExecResult exec(const std::vector<std::string>& argv, const ExecOptions& options,
                            const Cancel& cancel);

    // TCP into the sandbox's own network namespace (to its loopback).
    virtual std::unique_ptr<Stream> connect(std::uint16_t port, const Cancel& cancel) = 0;
    virtual std::unique_ptr<Exposed> expose(Service service, const Cancel& cancel) = 0;

    // Paths are inside, absolute. No link is ever followed out of the root. put makes parent
    // folders; a folder is copied with its modes; `owner` is a user name inside (empty: root).
    virtual void put_file(const std::string& path, std::string_view data, unsigned mode,
                          const Cancel& cancel) = 0;
    virtual void put_folder(const Path& host_folder, const std::string& path,
                            const Cancel& cancel) = 0;
    // nullopt: no such file. Over `limit` bytes, a folder, a loop: PathError.
    virtual std::optional<std::string> get_file(const std::string& path, std::uint64_t limit,
                                                const Cancel& cancel) = 0;
    // Copies regular files, folders and relative links that stay below `path` to the host; other
    // links, devices and what is over the limit are left out and named in the result. A `path` that
    // is one file is copied to the folder. The reader must not follow the links: what they lead to
    // is of the sandbox, too.
    virtual std::vector<std::string> get_folder(const std::string& path, const Path& host_folder,
                                                std::uint64_t limit, const Cancel& cancel) = 0;
    // A file, link or folder with all that is in it; the link, never what it leads to. No error if
    // nothing is there.
    virtual void remove(const std::string& path, const Cancel& cancel) = 0;
    // Ends every process inside, also those that copy files for another thread; returns when they
    // are gone. No program of the sandbox is needed for this. Throws Error(Sandbox) if some stay.
    virtual void kill_all(const Cancel& cancel) = 0;

    virtual void set_network(const NetworkPolicy& policy, const Cancel& cancel) = 0;
    virtual ResourceUsage usage() = 0;

    // Seals the writable layer; goes on with a new one on top. Error(Sandbox): a process cannot be
    // frozen. PathError: the inside has put a link or a file where one of its mounts belongs.
    virtual std::shared_ptr<Checkpoint> checkpoint(const Cancel& cancel) = 0;

    // Capability queries: throw Error(Unsupported) where there is none.
    virtual std::unique_ptr<Terminal> open_terminal(const std::vector<std::string>& argv,
                                                    const TerminalOptions& options,
                                                    const Cancel& cancel);
    // Deletions are `.wh.NAME`, users are numbers as inside, names are in order; without sockets
    // and extended attributes. What runs inside stands still meanwhile, and goes on. Throws
    // Error(Sandbox) if a process cannot be stopped, or for what no tar of a layer can say.
    virtual LayerTar layer_tar(std::uint64_t limit, const Cancel& cancel);
};

// Convenience: `bash -c command` (or sh where there is no bash).
ExecResult run_shell(Sandbox& sandbox, const std::string& command, const ExecOptions& options,
                     const Cancel& cancel);

} // namespace assay
