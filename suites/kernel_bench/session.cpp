#include "session.h"

#include "assay/api/sandbox.h"
#include "assay/base/text.h"

#include <fmt/format.h>

#include <cstring>

namespace assay::kernel_bench {

using kt_wire::Ending;

namespace {

template<class Body>
std::string_view bytes_of(const Body& body) {
    return {reinterpret_cast<const char*>(&body), sizeof body};
}

constexpr double kLoadSeconds = 30, kEndSeconds = 5;

} // namespace

std::string RunOutcome::ending_text() const {
    switch (ending) {
    case Ending::Alive:
        return "is alive";
    case Ending::Exited:
        return fmt::format("ended its process with exit code {} during a call", code);
    case Ending::Signalled:
        return fmt::format("was killed by signal {} ({}) during a call", code, strsignal(code));
    case Ending::TimedOut:
        return "did not return within the time limit of a call";
    }
    return "ended";
}

Session::Session(std::unique_ptr<RunnerLink> link, const KernelTask& task, const std::string& entry,
                 std::uint64_t input_bytes, std::uint64_t output_bytes,
                 const SessionOptions& options, const Cancel& cancel)
    : link_(std::move(link))
    , cancel_(cancel)
    , call_seconds_(task.call_seconds) {
    kt_wire::HelloBody hello{};
    hello.unguarded = options.unguarded;
    hello.threads = static_cast<std::uint32_t>(task.threads);
    hello.slots = options.slots;
    hello.call_milliseconds = static_cast<std::uint32_t>(task.call_seconds * 1000);
    auto pages = [](std::uint64_t n) { return (n + 4095) / 4096 * 4096 + 4096; };
    hello.input_bytes = pages(input_bytes);
    hello.output_bytes = pages(output_bytes);
    hello.memory_bytes = options.memory_bytes;
    link_->library_path().copy(hello.library, sizeof hello.library - 1);
    entry.copy(hello.entry, sizeof hello.entry - 1);
    send(kt_wire::Hello, bytes_of(hello));
    patience_ = cancel_.child(Cause::Deadline, from_seconds(kLoadSeconds), "loading the library");
    kt_wire::Type type;
    std::string text = receive(type, 4096);
    if (type == kt_wire::Failed) throw LoadRefused(utf8_clean(text));
    if (type != kt_wire::Ready) throw Error(ErrorKind::Verifier, "the runner answered oddly");
    cpus_ = utf8_clean(text);
}

void Session::begin_case(const kt_wire::CaseBody& body) {
    out_bytes_ = body.out_bytes;
    loaded_ = 0;
    send(kt_wire::Case, bytes_of(body));
}

void Session::load(std::uint32_t slot, std::string_view inputs) {
    kt_wire::LoadBody body{slot, 0};
    send(kt_wire::Load, bytes_of(body), inputs);
    ++loaded_;
}

RunOutcome Session::run(unsigned settle_milliseconds, bool cold) {
    kt_wire::RunBody body{settle_milliseconds, cold ? 1u : 0u};
    auto began = std::chrono::steady_clock::now();
    send(kt_wire::Run, bytes_of(body));
    double patience = 30 + static_cast<double>(loaded_) * (call_seconds_ + 1);
    patience_ = cancel_.child(Cause::Deadline, from_seconds(patience), "the runner's answer");
    kt_wire::Type type;
    std::string bytes =
        receive(type, sizeof(kt_wire::RanBody) + loaded_ * sizeof(kt_wire::CallReport));
    RunOutcome outcome;
    outcome.wall_seconds = seconds(std::chrono::steady_clock::now() - began);
    kt_wire::RanBody ran;
    if (type != kt_wire::Ran || bytes.size() < sizeof ran)
        throw Error(ErrorKind::Verifier, "the runner answered oddly: " + utf8_clean(bytes));
    std::memcpy(&ran, bytes.data(), sizeof ran);
    if (ran.calls > loaded_ || bytes.size() != sizeof ran + ran.calls * sizeof(kt_wire::CallReport))
        throw Error(ErrorKind::Verifier, "the runner's report has a wrong size");
    outcome.reports.resize(ran.calls);
    if (ran.calls > 0)
        std::memcpy(outcome.reports.data(), bytes.data() + sizeof ran,
                    ran.calls * sizeof(kt_wire::CallReport));
    outcome.ending = ran.ending;
    outcome.code = ran.code;
    outcome.total_seconds = static_cast<double>(ran.total_nanoseconds) * 1e-9;
    outcome.layout_seconds = static_cast<double>(ran.layout_nanoseconds) * 1e-9;
    for (std::uint32_t i = 0; i < ran.calls; ++i) {
        outcome.outputs.push_back(receive(type, out_bytes_));
        if (type != kt_wire::Output || outcome.outputs.back().size() != out_bytes_)
            throw Error(ErrorKind::Verifier, "the runner sent an output of a wrong size");
    }
    loaded_ = 0;
    return outcome;
}

void Session::send(kt_wire::Type type, std::string_view body, std::string_view more) {
    kt_wire::Header header{kt_wire::kMagic, type, body.size() + more.size()};
    std::string head(bytes_of(header));
    head += body;
    try {
        link_->to_runner().write(head, cancel_);
        if (!more.empty()) link_->to_runner().write(more, cancel_);
    } catch (const SandboxLost&) {
        throw;
    } catch (const Error&) { // a broken pipe
        runner_ended();
    }
}

std::string Session::receive(kt_wire::Type& type, std::uint64_t most) {
    kt_wire::Header header;
    read(reinterpret_cast<char*>(&header), sizeof header);
    bool failed = header.magic == kt_wire::kMagic && header.type == kt_wire::Failed;
    if (header.magic != kt_wire::kMagic || header.bytes > (failed ? 4096 : most))
        throw Error(ErrorKind::Verifier, "the runner sent a bad frame");
    type = static_cast<kt_wire::Type>(header.type);
    std::string body(header.bytes, '\0');
    read(body.data(), body.size());
    return body;
}

void Session::read(char* into, std::size_t bytes) {
    while (bytes > 0) {
        std::size_t n = 0;
        try {
            n = link_->from_runner().read({into, bytes}, *patience_);
        } catch (const Interrupted&) {
            cancel_.check(); // the trial's own end goes on up
            throw Error(ErrorKind::Verifier, "the runner did not answer in time");
        }
        if (n == 0) runner_ended();
        into += n;
        bytes -= n;
    }
}

// Its pipe is closed: it has ended, or is about to.
void Session::runner_ended() {
    Cancel soon =
        cancel_.child(Cause::Deadline, from_seconds(kEndSeconds), "the runner's exit status");
    std::string how;
    try {
        how = link_->ending(soon);
    } catch (const Interrupted&) {
        cancel_.check();
        how = "its output is closed, but it goes on";
    }
    throw Error(ErrorKind::Verifier, "the runner ended unexpectedly: " + how);
}

} // namespace assay::kernel_bench
