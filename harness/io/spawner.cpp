#include "assay/io/spawner.h"

#include "assay/base/error.h"
#include "child_process.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

extern "C" {
#include <sys/pidfd.h>
}

namespace assay {

namespace {

void require(int error_number, const char* doing) {
    if (error_number != 0) throw io_error(doing, error_number);
}

class Actions {
  public:
    Actions() { require(::posix_spawn_file_actions_init(&actions_), "prepare a spawn"); }
    ~Actions() { ::posix_spawn_file_actions_destroy(&actions_); }
    Actions(const Actions&) = delete;
    Actions& operator=(const Actions&) = delete;
    posix_spawn_file_actions_t* get() { return &actions_; }

  private:
    posix_spawn_file_actions_t actions_;
};

class Attributes {
  public:
    Attributes() {
        require(::posix_spawnattr_init(&attributes_), "prepare a spawn");
        sigset_t all, none;
        sigfillset(&all);
        sigemptyset(&none);
        ::posix_spawnattr_setsigdefault(&attributes_, &all);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
                                                     POSIX_SPAWN_SETSIGMASK);
    }
    ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;
    posix_spawnattr_t* get() { return &attributes_; }

  private:
    posix_spawnattr_t attributes_;
};

struct Mapping {
    int target;
    UniqueFd source;
};

// Every source gets a copy above the highest target, so that no dup2 in the child overwrites a
// source that a later one needs.
std::vector<Mapping> map_descriptors(const ChildSpec& spec) {
    int top = 2;
    for (const auto& [number, fd] : spec.extra) {
        if (number < 3)
            throw Error(ErrorKind::Internal,
                        fmt::format("spawn: extra descriptor number {} is below 3", number));
        top = std::max(top, number);
    }
    auto copy = [&](int fd) {
        UniqueFd made(::fcntl(fd, F_DUPFD_CLOEXEC, top + 1));
        if (!made) throw io_error("duplicate a descriptor for a child", errno);
        return made;
    };
    UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null) throw io_error("open /dev/null", errno);
    std::vector<Mapping> made;
    made.push_back({0, copy(spec.in ? spec.in.get() : null.get())});
    made.push_back({1, copy(spec.out ? spec.out.get() : null.get())});
    if (spec.err_to_out)
        made.push_back({2, copy(made[1].source.get())});
    else
        made.push_back({2, copy(spec.err ? spec.err.get() : null.get())});
    for (const auto& [number, fd] : spec.extra) made.push_back({number, copy(fd.get())});
    return made;
}

void add_descriptors(Actions& actions, const std::vector<Mapping>& mappings) {
    int top = 2;
    for (const Mapping& mapping : mappings) top = std::max(top, mapping.target);
    for (int fd = 3; fd < top; ++fd) { // gaps between the numbers that were asked for
        bool used = std::any_of(mappings.begin(), mappings.end(),
                                [&](const Mapping& m) { return m.target == fd; });
        if (!used) require(::posix_spawn_file_actions_addclose(actions.get(), fd), "spawn");
    }
    for (const Mapping& mapping : mappings)
        require(
            ::posix_spawn_file_actions_adddup2(actions.get(), mapping.source.get(), mapping.target),
            "spawn");
    require(::posix_spawn_file_actions_addclosefrom_np(actions.get(), top + 1), "spawn");
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> made;
    for (const std::string& text : texts) made.push_back(const_cast<char*>(text.c_str()));
    made.push_back(nullptr);
    return made;
}

[[noreturn]] void throw_start_error(const ChildSpec& spec, int number) {
    if (!spec.cwd.empty() && ::access(spec.cwd.c_str(), X_OK) != 0)
        throw Error(ErrorKind::Io, fmt::format("cannot start {} in folder {}: {}", spec.argv[0],
                                               spec.cwd, std::strerror(errno)));
    Error error(ErrorKind::Io,
                fmt::format("cannot start {}: {}", spec.argv[0], std::strerror(number)));
    if (number == ENOENT && spec.argv[0].find('/') == std::string::npos)
        throw std::move(error).hint("install it, or put its folder on PATH");
    throw error;
}

struct Started {
    int pid;
    UniqueFd pidfd;
};

// Between posix_spawn and pidfd_open the pid cannot be reused: nobody but ChildProcess reaps.
Started start(const ChildSpec& spec) {
    std::vector<Mapping> mappings = map_descriptors(spec);
    Actions actions;
    Attributes attributes;
    add_descriptors(actions, mappings);
    if (!spec.cwd.empty())
        require(::posix_spawn_file_actions_addchdir_np(actions.get(), spec.cwd.c_str()), "spawn");
    auto argv = pointers(spec.argv);
    auto environment = pointers(spec.environment);
    pid_t pid = -1;
    int number = ::posix_spawnp(&pid, argv[0], actions.get(), attributes.get(), argv.data(),
                                environment.data());
    if (number != 0) throw_start_error(spec, number);
    UniqueFd pidfd(::pidfd_open(pid, 0));
    if (!pidfd) {
        number = errno;
        ::kill(-pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        throw io_error("pidfd_open", number);
    }
    return {pid, std::move(pidfd)};
}

} // namespace

struct Spawner::State {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<std::packaged_task<Started()>> queue;
    bool stopping = false;
    std::thread thread; // last: starts when the rest is there

    void loop() {
        std::unique_lock lock(mutex);
        for (;;) {
            wake.wait(lock, [&] { return stopping || !queue.empty(); });
            if (queue.empty()) return;
            auto task = std::move(queue.front());
            queue.pop_front();
            lock.unlock();
            task();
            lock.lock();
        }
    }
};

Spawner::Spawner()
    : state_(std::make_unique<State>()) {
    state_->thread = std::thread([state = state_.get()] { state->loop(); });
}

Spawner::~Spawner() {
    {
        std::lock_guard lock(state_->mutex);
        state_->stopping = true;
    }
    state_->wake.notify_all();
    state_->thread.join();
}

ChildProcess Spawner::spawn(ChildSpec spec) {
    if (spec.argv.empty() || spec.argv[0].empty())
        throw Error(ErrorKind::Internal, "spawn: no program was named");
    std::packaged_task<Started()> task([&spec] { return start(spec); });
    auto result = task.get_future();
    {
        std::lock_guard lock(state_->mutex);
        state_->queue.push_back(std::move(task));
    }
    state_->wake.notify_one();
    Started started = result.get();
    auto child = std::make_unique<ChildProcess::State>();
    child->pid = started.pid;
    child->pidfd = std::move(started.pidfd);
    return ChildProcess(std::move(child));
}

std::vector<std::string> current_environment() {
    std::vector<std::string> made;
    for (char** at = environ; at != nullptr && *at != nullptr; ++at) made.emplace_back(*at);
    return made;
}

} // namespace assay
