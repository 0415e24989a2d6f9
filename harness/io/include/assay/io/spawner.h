// Starting processes of this machine. Everything goes through one long-lived thread: the kernel
// sends PR_SET_PDEATHSIG when the spawning *thread* ends, and posix_spawn (vfork inside) is three
// orders of magnitude cheaper than fork in a process that holds model weights.
//
// A child starts in a session of its own, with default signals, an empty mask and exactly the
// descriptors it was given. Make one Spawner early and let it outlive all children.
//
//   Spawner spawner;
//   ChildProcess child = spawner.spawn({.argv = {"sleep", "10"}});
//   child.signal_group(SIGTERM);
//   ChildExit end = child.wait(cancel);
#pragma once

#include "assay/base/cancel.h"
#include "assay/base/fd.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace assay {

struct ChildSpec {
    std::vector<std::string> argv;        // argv[0] is looked up in our PATH unless it has a '/'
    std::vector<std::string> environment; // "KEY=value", exact: nothing is inherited
    std::string cwd;                      // empty: ours
    UniqueFd in, out, err;                // empty: /dev/null
    bool err_to_out = false;              // the child's stderr is its stdout; `err` stays empty
    std::vector<std::pair<int, UniqueFd>> extra; // number in the child (>= 3), descriptor
};

// The environment of this process, as ChildSpec wants it.
std::vector<std::string> current_environment();

struct ChildExit {
    int code = 0;   // valid if signal == 0
    int signal = 0; // the signal that ended it
    bool ok() const { return code == 0 && signal == 0; }
    std::string text() const; // "exit code 2", "killed by signal 9"
};

// Handle of one child. Thread-safe: several threads may wait and signal. The destructor kills the
// child's process group and reaps the child, unless it was detached.
class ChildProcess {
  public:
    ChildProcess(); // no process
    ChildProcess(ChildProcess&&) noexcept;
    ChildProcess& operator=(ChildProcess&&) noexcept;
    ~ChildProcess();

    explicit operator bool() const { return state_ != nullptr; }
    int pid() const;
    int wait_fd() const; // pidfd: readable once the child has ended
    ChildExit wait(const Cancel& cancel);
    bool ended(); // without blocking; reaps
    // No error if it has ended. The group is signalled only while the leader is unreaped, since
    // after that its number may belong to someone else. A child that has itself left the group
    // (setsid) is not reached: use a cgroup or a PID namespace for that.
    void signal(int number);
    void signal_group(int number);
    // It outlives this handle. If it ends before us it stays a zombie until we end.
    void detach();

  private:
    friend class Spawner;
    struct State;
    explicit ChildProcess(std::unique_ptr<State> state);
    void stop() noexcept;
    std::unique_ptr<State> state_;
};

class Spawner {
  public:
    Spawner();
    ~Spawner();
    Spawner(const Spawner&) = delete;
    Spawner& operator=(const Spawner&) = delete;

    // Throws Error(Io) that names the program and the cause if it could not be started; no zombie
    // is left then. Thread-safe.
    ChildProcess spawn(ChildSpec spec);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace assay
