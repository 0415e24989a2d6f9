#include "local/process.h"

#include "assay/base/cancel_fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace assay::local {
namespace {

std::string describe(int error, const std::string& stage) {
    if (stage.starts_with("program ")) {
        if (error == ENOENT) return "no such " + stage;
        if (error == ENOEXEC) return stage + " is neither a binary nor a script with '#!'";
    }
    if (stage.starts_with("user ") && error == ENOENT) return "no such " + stage;
    if (stage == "fork" && error == EAGAIN)
        return "the sandbox is at its limit of processes (fork: " + std::string(strerror(error)) +
               ")";
    return stage + ": " + std::strerror(error);
}

// Nothing and end of file: the program runs. Else why it does not.
void check_started(int fd, const Cancel& cancel) {
    std::string said;
    char buffer[1024];
    for (;;) {
        poll_one(fd, POLLIN, cancel);
        ssize_t n = ::read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        said.append(buffer, static_cast<std::size_t>(n));
        if (said.size() > 65536) break;
    }
    if (said.empty()) return;
    wire::Reader reader(said);
    int error = reader.i32();
    std::string stage = reader.str();
    throw StartError(describe(error, stage));
}

std::string encode(const SpawnSpec& spec) {
    std::uint32_t flags = (spec.terminal ? wire::kSpawnPty : 0u) |
                          (spec.with_stdin ? wire::kSpawnStdin : 0u) |
                          (spec.merge ? wire::kSpawnMerge : 0u);
    TerminalSize size = spec.terminal.value_or(TerminalSize{});
    wire::Writer out;
    out.u32(flags)
        .u32(static_cast<std::uint32_t>(size.rows))
        .u32(static_cast<std::uint32_t>(size.columns))
        .str(spec.user)
        .str(spec.cwd)
        .list(spec.argv)
        .list(spec.environment);
    return out.data();
}

} // namespace

std::unique_ptr<LocalProcess> LocalProcess::start(const std::shared_ptr<Channel>& channel,
                                                  const SpawnSpec& spec, const Cancel& cancel) {
    auto process = std::make_unique<LocalProcess>();
    process->channel_ = channel;
    process->terminal_ = spec.terminal.has_value();
    Pipe exec = make_pipe(), status = make_pipe();
    std::vector<int> passed = {exec.write_end.get(), status.write_end.get()};
    std::optional<Pipe> in, out, err;
    if (!spec.terminal) {
        if (spec.with_stdin) passed.push_back(in.emplace(make_pipe()).read_end.get());
        passed.push_back(out.emplace(make_pipe()).write_end.get());
        if (!spec.merge) passed.push_back(err.emplace(make_pipe()).write_end.get());
    }
    Reply reply = channel->request(wire::Op::Spawn, encode(spec), passed, cancel);
    if (reply.error != 0) throw StartError(describe(reply.error, reply.stage));
    wire::Reader reader(reply.payload);
    process->pid_ = reader.i32();
    if (!reader.done() || (spec.terminal && reply.fds.size() != 1))
        throw SandboxLost("malformed answer to spawn");
    exec.write_end.reset();
    status.write_end.reset();
    if (spec.terminal) {
        process->out_ = std::make_unique<FdStream>(std::move(reply.fds[0]));
    } else {
        out->write_end.reset();
        process->out_ = std::make_unique<FdStream>(std::move(out->read_end));
        if (in) {
            in->read_end.reset();
            process->in_ = std::make_unique<FdStream>(std::move(in->write_end));
        }
        if (err) {
            err->write_end.reset();
            process->err_ = std::make_unique<FdStream>(std::move(err->read_end));
        }
    }
    process->status_ = std::move(status.read_end);
    try {
        check_started(exec.read_end.get(), cancel);
    } catch (const Interrupted&) {
        process->signal(SIGKILL);
        throw;
    }
    return process;
}

Stream& LocalProcess::in() {
    if (terminal_) return *out_;
    if (!in_) throw Error(ErrorKind::Internal, "the process was started without a stdin pipe");
    return *in_;
}

Stream& LocalProcess::err() {
    if (!err_) throw Error(ErrorKind::Internal, "the process has no stderr of its own");
    return *err_;
}

void LocalProcess::signal(int number) {
    try {
        channel_->request(wire::Op::Signal, wire::Writer().i32(pid_).i32(number).data(), {},
                          Cancel());
    } catch (const Error&) {
        // The sandbox is gone, and the process with it.
    }
}

void LocalProcess::resize(TerminalSize size) {
    winsize wanted{static_cast<unsigned short>(size.rows),
                   static_cast<unsigned short>(size.columns), 0, 0};
    if (terminal_) ::ioctl(out_->poll_fd(), TIOCSWINSZ, &wanted);
}

ExitStatus LocalProcess::wait(const Cancel& cancel) {
    {
        std::lock_guard lock(mutex_);
        if (ended_) return *ended_;
    }
    poll_one(status_.get(), POLLIN, cancel);
    std::lock_guard lock(mutex_);
    if (ended_) return *ended_;
    std::int32_t record[2];
    ssize_t n;
    do n = ::read(status_.get(), record, sizeof record);
    while (n < 0 && errno == EINTR);
    if (n != static_cast<ssize_t>(sizeof record))
        throw SandboxLost("the sandbox ended before the process did");
    ended_ = ExitStatus{record[0], record[1]};
    return *ended_;
}

} // namespace assay::local
