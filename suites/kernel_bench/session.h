// The judge's end of the runner's protocol (runner/wire.h).
#pragma once

#include "runner/wire.h"
#include "task.h"
#include "workshop.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::kernel_bench {

struct RunOutcome {
    std::vector<kt_wire::CallReport> reports; // of the calls that returned
    std::vector<std::string> outputs;         // their output slots
    kt_wire::Ending ending = kt_wire::Ending::Alive;
    int code = 0;
    double total_seconds = 0, layout_seconds = 0; // by the runner's clock
    double wall_seconds = 0;                      // by ours, from Run to Ran
    std::string ending_text() const;              // "ended its process with exit code 0"
};

struct SessionOptions {
    std::uint32_t unguarded = 0; // tests only
    std::uint32_t slots = 3;
    std::uint64_t memory_bytes = 1ull << 30;
};

// Thrown by open(): the library could not be loaded. The answer's fault.
class LoadRefused : public Error {
  public:
    explicit LoadRefused(std::string text)
        : Error(ErrorKind::Verifier, std::move(text)) {}
};

// Not thread-safe. Throws Error(Verifier) if the runner itself misbehaves or goes away, SandboxLost
// if its sandbox does.
class Session {
  public:
    // `input_bytes`, `output_bytes`: of the largest slot.
    Session(std::unique_ptr<RunnerLink> link, const KernelTask& task, const std::string& entry,
            std::uint64_t input_bytes, std::uint64_t output_bytes, const SessionOptions& options,
            const Cancel& cancel);

    void begin_case(const kt_wire::CaseBody& body);
    void load(std::uint32_t slot, std::string_view inputs);
    RunOutcome run(unsigned settle_milliseconds, bool cold);
    // The processors that calls are bound to ("2,3"); empty: not bound.
    const std::string& cpus() const { return cpus_; }

  private:
    void send(kt_wire::Type type, std::string_view body, std::string_view more = {});
    std::string receive(kt_wire::Type& type, std::uint64_t most);
    void read(char* into, std::size_t bytes);
    [[noreturn]] void runner_ended();

    std::unique_ptr<RunnerLink> link_;
    const Cancel& cancel_;
    double call_seconds_;
    std::string cpus_;
    std::uint64_t out_bytes_ = 0;
    std::size_t loaded_ = 0;
    std::optional<Cancel> patience_; // for the answer that we wait for now
};

} // namespace assay::kernel_bench
