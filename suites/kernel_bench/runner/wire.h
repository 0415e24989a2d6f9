// The frames between the judge (in the harness) and the runner (in a sandbox), over the runner's
// stdin and stdout. Same machine on both ends: native byte order, structs as they are.
//
//   judge                              runner
//   Hello                     ->
//                             <-       Ready (the processors it is bound to) | Failed
//   Case                      ->       the tensors of the calls that follow
//   Load (slot, input bytes)  ->       n times
//   Run                       ->
//                             <-       Ran (one report a call), then the outputs of the good calls
#pragma once

#include <cstdint>

namespace kt_wire {

inline constexpr std::uint32_t kMagic = 0x3142544b;
inline constexpr std::uint32_t kControlMagic = 0x4c54434b;
inline constexpr int kMaxTensors = 16, kMaxAxes = 16, kMaxRank = 8, kMaxSlots = 8;
inline constexpr std::uint32_t kMaxCalls = 4096;

enum Type : std::uint32_t {
    Hello = 1,
    Case = 2,
    Load = 3,
    Run = 4,
    Ready = 101,
    Failed = 102,
    Ran = 103,
    Output = 104,
};

struct Header {
    std::uint32_t magic, type;
    std::uint64_t bytes; // of the payload
};

// Guards that a test may switch off, to show that the attack then succeeds. The product sends 0.
enum Unguarded : std::uint32_t {
    WritableInputs = 1, // inputs are mapped for writing
    LateSnapshot = 2,   // outputs are read 60 ms after the call has returned
    NoFreeze = 4,       // inputs are laid out 60 ms ahead, and the answer runs meanwhile
    NoFilter = 8,       // no system call filter, capabilities and user are kept
    NoPoison = 16,      // outputs keep what the last call left there
};

struct HelloBody {
    std::uint32_t unguarded, threads, slots, call_milliseconds;
    std::uint64_t input_bytes, output_bytes; // of one slot
    std::uint64_t memory_bytes;              // that the answer may have beside the slots
    char library[256], entry[64];
};

struct TensorBody {
    std::uint64_t offset, bytes; // in the slot
    std::int32_t dtype, rank;
    std::int64_t shape[kMaxRank], strides[kMaxRank];
};

struct AxisBody {
    char name[32];
    std::int64_t value;
};

struct CaseBody {
    std::uint32_t n_in, n_out, n_axes, unused;
    std::uint64_t in_bytes, out_bytes; // used of a slot
    TensorBody in[kMaxTensors], out[kMaxTensors];
    AxisBody axes[kMaxAxes];
};

struct LoadBody { // CaseBody::in_bytes bytes follow
    std::uint32_t slot, unused;
};

struct RunBody {
    std::uint32_t settle_milliseconds; // > 0: look at the outputs again after so long
    std::uint32_t cold;                // 1: throw the slot out of the caches before each call
};

enum CallFlag : std::uint32_t {
    AsyncWrite = 1,   // outputs changed after the call had returned
    InputMutated = 2, // inputs changed
    WroteOutside = 4, // bytes between or around the outputs changed
    BusyAfter = 8,    // the process used the CPU after the call had returned
};

enum class Ending : std::uint32_t { Alive, Exited, Signalled, TimedOut };

struct CallReport {
    std::uint64_t nanoseconds, cpu_nanoseconds;
    std::int32_t result; // what solve returned
    std::uint32_t flags;
};

struct RanBody { // CallReports of the calls that returned follow
    std::uint32_t calls;
    Ending ending;
    std::int32_t code; // exit code or signal
    std::uint32_t unused;
    std::uint64_t total_nanoseconds;  // of the whole Run, by the runner's clock
    std::uint64_t layout_nanoseconds; // of it, outside the calls
};

// Shared between the runner and the answer's process. The answer can write to it: the runner
// believes nothing in it but that a call may have returned, and then takes the outputs at once.
struct Control {
    std::uint32_t magic;
    std::uint32_t ready;   // 1: loaded, 2: could not be loaded, see text
    std::uint32_t command; // number of the call to make
    std::uint32_t done;    // number of the call that has returned
    std::uint32_t slot;
    std::int32_t result;
    char text[512];
    CaseBody current;
};

} // namespace kt_wire
