// The runner: a small program of ours that calls an answer and measures it, from outside of the
// answer's process.
//
// It forks one child, which loads the answer. Tensors are in shared memory; the child sees inputs
// read-only (sealed memfds). Around each call: the child is stopped while the inputs are laid out,
// so that it cannot begin before the clock does; the clock starts, the child is continued; the
// moment the child says "done" the clock stops, the child is stopped, and the outputs are copied.
// So a child that says "done" too early has its outputs taken too early. The child never has the
// judge's pipe, the seed, a reference, or the data of a later call.
#include "child.h"
#include "wire.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace {

using namespace kt_wire;

constexpr std::uint32_t kPoison = 0x7fa5a5a5; // a signalling NaN as f32
constexpr std::uint64_t kMaxPayload = 1ull << 31;

[[noreturn]] void fail(const char* text) {
    Header header = {kMagic, Failed, std::strlen(text)};
    [[maybe_unused]] ssize_t a = write(1, &header, sizeof header);
    [[maybe_unused]] ssize_t b = write(1, text, std::strlen(text));
    _exit(2);
}

void read_all(void* into, std::size_t bytes) {
    auto* at = static_cast<char*>(into);
    while (bytes > 0) {
        ssize_t n = read(0, at, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) _exit(0); // the judge has gone
        at += n;
        bytes -= static_cast<std::size_t>(n);
    }
}

void write_all(const void* from, std::size_t bytes) {
    const auto* at = static_cast<const char*>(from);
    while (bytes > 0) {
        ssize_t n = write(1, at, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) _exit(0);
        at += n;
        bytes -= static_cast<std::size_t>(n);
    }
}

void send(Type type, const void* body, std::size_t bytes) {
    Header header = {kMagic, type, bytes};
    write_all(&header, sizeof header);
    write_all(body, bytes);
}

std::uint64_t now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(t.tv_nsec);
}

void sleep_milliseconds(std::uint32_t n) {
    timespec t = {n / 1000, static_cast<long>(n % 1000) * 1'000'000L};
    nanosleep(&t, nullptr);
}

char* make_memory(const char* name, std::uint64_t bytes, int& fd) {
    fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, static_cast<off_t>(bytes)) != 0) fail("memfd_create");
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (at == MAP_FAILED) fail("mmap of the tensors");
    madvise(at, bytes, MADV_DONTFORK); // the child must not inherit a writable view
    return static_cast<char*>(at);
}

// Writes the slot back and drops it from all caches, so that each call starts cold.
void flush([[maybe_unused]] const char* at, [[maybe_unused]] std::uint64_t bytes) {
#if defined(__x86_64__)
    for (std::uint64_t i = 0; i < bytes; i += 64) _mm_clflush(at + i);
    _mm_mfence();
#endif
}

// Binds this process, and so the child that it forks next, to the last `threads` processors that it
// may use (interrupts prefer the first). Returns them ("2,3"), or "" if there are not so many.
std::string pin(std::uint32_t threads, cpu_set_t& before) {
    if (sched_getaffinity(0, sizeof before, &before) != 0) return {};
    cpu_set_t chosen;
    CPU_ZERO(&chosen);
    std::string list;
    for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && threads > 0; --cpu) {
        if (!CPU_ISSET(cpu, &before)) continue;
        CPU_SET(cpu, &chosen);
        list = std::to_string(cpu) + (list.empty() ? "" : ",") + list;
        --threads;
    }
    bool pinned = threads == 0 && sched_setaffinity(0, sizeof chosen, &chosen) == 0;
    return pinned ? list : std::string();
}

struct Call {
    std::uint32_t slot;
    std::vector<char> input, output;
    CallReport report{};
};

class Runner {
  public:
    [[noreturn]] void serve() {
        for (;;) {
            Header header;
            read_all(&header, sizeof header);
            if (header.magic != kMagic || header.bytes > kMaxPayload) fail("bad frame");
            switch (header.type) {
            case Hello:
                take(header, hello_);
                start();
                break;
            case Case:
                take(header, case_);
                check_case();
                calls_.clear();
                break;
            case Load:
                load(header);
                break;
            case Run:
                run(header);
                break;
            default:
                fail("unknown frame");
            }
        }
    }

  private:
    template<class Body>
    void take(const Header& header, Body& body) {
        if (header.bytes != sizeof body) fail("bad frame size");
        read_all(&body, sizeof body);
    }

    bool unguarded(Unguarded guard) const { return (hello_.unguarded & guard) != 0; }

    void start() {
        if (child_ > 0 || hello_.slots == 0 || hello_.slots > kMaxSlots) fail("bad hello");
        hello_.library[sizeof hello_.library - 1] = hello_.entry[sizeof hello_.entry - 1] = 0;
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); // /proc/PID/mem and ptrace are closed to the child
        kt_runner::Arena arena;
        arena.input_bytes = hello_.input_bytes * hello_.slots;
        arena.output_bytes = hello_.output_bytes * hello_.slots;
        control_ =
            reinterpret_cast<Control*>(make_memory("control", sizeof(Control), arena.control_fd));
        control_->magic = kControlMagic;
        inputs_ = make_memory("inputs", arena.input_bytes, arena.input_fd);
        outputs_ = make_memory("outputs", arena.output_bytes, arena.output_fd);
        if (!unguarded(WritableInputs) &&
            fcntl(arena.input_fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) !=
                0)
            fail("the kernel cannot seal shared memory (Linux 5.1 can)");
        cpu_set_t before;
        std::string cpus = pin(hello_.threads, before);
        child_ = fork();
        if (child_ < 0) fail("fork");
        if (child_ == 0) kt_runner::child_main(hello_, arena);
        if (!cpus.empty()) sched_setaffinity(0, sizeof before, &before); // itself it goes anywhere
        close(arena.control_fd);
        close(arena.input_fd);
        close(arena.output_fd);
        while (__atomic_load_n(&control_->ready, __ATOMIC_SEQ_CST) == 0) {
            kt_runner::futex_wait(&control_->ready, 0, 50);
            if (reap(WNOHANG)) break;
        }
        std::uint32_t ready = __atomic_load_n(&control_->ready, __ATOMIC_SEQ_CST);
        if (ready != 1) {
            char text[512];
            std::memcpy(text, control_->text, sizeof text);
            text[sizeof text - 1] = 0;
            fail(ready == 2 ? text : "the answer ended its process while it was loaded");
        }
        send(Ready, cpus.data(), cpus.size());
    }

    void check_case() {
        if (case_.n_in > kMaxTensors || case_.n_out > kMaxTensors || case_.n_axes > kMaxAxes ||
            case_.in_bytes > hello_.input_bytes || case_.out_bytes > hello_.output_bytes)
            fail("bad case");
        for (std::uint32_t i = 0; i < case_.n_in; ++i) check_tensor(case_.in[i], case_.in_bytes);
        for (std::uint32_t i = 0; i < case_.n_out; ++i) check_tensor(case_.out[i], case_.out_bytes);
    }

    static void check_tensor(const TensorBody& tensor, std::uint64_t slot) {
        if (tensor.offset > slot || tensor.bytes > slot - tensor.offset || tensor.offset % 64 != 0)
            fail("bad tensor");
    }

    void load(const Header& header) {
        LoadBody body;
        if (header.bytes != sizeof body + case_.in_bytes || calls_.size() >= kMaxCalls)
            fail("bad load");
        read_all(&body, sizeof body);
        if (body.slot >= hello_.slots) fail("bad slot");
        Call call;
        call.slot = body.slot;
        call.input.resize(case_.in_bytes);
        read_all(call.input.data(), call.input.size());
        calls_.push_back(std::move(call));
    }

    void run(const Header& header) {
        RunBody body;
        take(header, body);
        RanBody ran{};
        std::uint64_t began = now();
        for (Call& call : calls_) {
            if (ending_ != Ending::Alive || !one_call(call, body)) break;
            ran.layout_nanoseconds -= call.report.nanoseconds;
            ++ran.calls;
        }
        ran.total_nanoseconds = now() - began;
        ran.layout_nanoseconds += ran.total_nanoseconds;
        ran.ending = ending_;
        ran.code = code_;
        reply(ran);
        calls_.clear();
    }

    void reply(const RanBody& ran) {
        Header header = {kMagic, Ran, sizeof ran + ran.calls * sizeof(CallReport)};
        write_all(&header, sizeof header);
        write_all(&ran, sizeof ran);
        for (std::uint32_t i = 0; i < ran.calls; ++i)
            write_all(&calls_[i].report, sizeof(CallReport));
        for (std::uint32_t i = 0; i < ran.calls; ++i)
            send(Output, calls_[i].output.data(), calls_[i].output.size());
    }

    // True if the child has ended; notes how.
    bool reap(int options) {
        int status = 0;
        if (waitpid(child_, &status, options | WUNTRACED) != child_) return false;
        if (WIFSTOPPED(status)) return false;
        if (ending_ == Ending::Alive)
            ending_ = WIFEXITED(status) ? Ending::Exited : Ending::Signalled;
        code_ = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
        return true;
    }

    bool freeze() { // false: it has ended
        kill(child_, SIGSTOP);
        return !reap(0);
    }

    std::uint64_t cpu_time() const {
        clockid_t clock;
        timespec t{};
        if (clock_getcpuclockid(child_, &clock) != 0 || clock_gettime(clock, &t) != 0) return 0;
        return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u +
               static_cast<std::uint64_t>(t.tv_nsec);
    }

    char* input_slot(const Call& call) const { return inputs_ + call.slot * hello_.input_bytes; }
    char* output_slot(const Call& call) const { return outputs_ + call.slot * hello_.output_bytes; }

    void lay_out(const Call& call, bool cold) {
        std::memcpy(input_slot(call), call.input.data(), call.input.size());
        if (!unguarded(NoPoison)) {
            auto* word = reinterpret_cast<std::uint32_t*>(output_slot(call));
            for (std::uint64_t i = 0; i < case_.out_bytes / sizeof *word; ++i) word[i] = kPoison;
        }
        if (cold) {
            flush(input_slot(call), case_.in_bytes);
            flush(output_slot(call), case_.out_bytes);
        }
        control_->current = case_;
        control_->slot = call.slot;
    }

    bool one_call(Call& call, const RunBody& options) {
        bool freezing = !unguarded(NoFreeze);
        if (freezing && !freeze()) return false;
        lay_out(call, options.cold != 0);
        if (!freezing) sleep_milliseconds(60);
        std::uint64_t cpu_before = cpu_time();
        std::uint64_t began = now();
        __atomic_store_n(&control_->command, ++number_, __ATOMIC_SEQ_CST);
        if (freezing) kill(child_, SIGCONT);
        kt_runner::futex_wake(&control_->command);
        bool returned = wait_done(began);
        std::uint64_t ended = now();
        if (!returned) return false;
        if (unguarded(LateSnapshot)) sleep_milliseconds(60);
        if (!freeze()) return false;
        call.report.nanoseconds = ended - began;
        call.report.cpu_nanoseconds = cpu_time() - cpu_before;
        call.report.result = control_->result;
        call.output.assign(output_slot(call), output_slot(call) + case_.out_bytes);
        if (options.settle_milliseconds > 0) settle(call, options.settle_milliseconds);
        look_for_damage(call);
        kill(child_, SIGCONT);
        return true;
    }

    bool wait_done(std::uint64_t began) {
        for (;;) {
            std::uint32_t done = __atomic_load_n(&control_->done, __ATOMIC_SEQ_CST);
            if (done == number_) return true;
            kt_runner::futex_wait(&control_->done, done, 20);
            if (reap(WNOHANG)) return false;
            if (now() - began > hello_.call_milliseconds * 1'000'000ull) {
                ending_ = Ending::TimedOut;
                kill(child_, SIGKILL);
                reap(0);
                return false;
            }
        }
    }

    // Lets the child go on for a while in which it should do nothing, and looks again.
    void settle(Call& call, std::uint32_t milliseconds) {
        std::uint64_t cpu = cpu_time();
        kill(child_, SIGCONT);
        sleep_milliseconds(milliseconds);
        if (!freeze()) return;
        if (cpu_time() - cpu > milliseconds * 1'000'000ull / 2) call.report.flags |= BusyAfter;
        if (std::memcmp(call.output.data(), output_slot(call), call.output.size()) != 0)
            call.report.flags |= AsyncWrite;
    }

    void look_for_damage(Call& call) {
        if (std::memcmp(call.input.data(), input_slot(call), call.input.size()) != 0)
            call.report.flags |= InputMutated;
        if (unguarded(NoPoison)) return;
        std::uint64_t at = 0;
        for (std::uint32_t i = 0; i <= case_.n_out; ++i) { // tensors are in ascending order
            std::uint64_t end = i < case_.n_out ? case_.out[i].offset : case_.out_bytes;
            for (; at < end; ++at) {
                auto want = static_cast<char>(kPoison >> (at % 4 * 8));
                if (call.output[at] != want) call.report.flags |= WroteOutside;
            }
            if (i < case_.n_out) at = case_.out[i].offset + case_.out[i].bytes;
        }
    }

    HelloBody hello_{};
    CaseBody case_{};
    std::vector<Call> calls_;
    Control* control_ = nullptr;
    char *inputs_ = nullptr, *outputs_ = nullptr;
    pid_t child_ = -1;
    std::uint32_t number_ = 0;
    Ending ending_ = Ending::Alive;
    std::int32_t code_ = 0;
};

} // namespace

int main() {
    signal(SIGPIPE, SIG_IGN);
    Runner().serve();
}
