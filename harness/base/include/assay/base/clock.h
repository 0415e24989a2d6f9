// Time is injected: code that waits or stamps takes a Clock&.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace assay {

using Nanoseconds = std::chrono::nanoseconds;
using MonoTime = std::chrono::steady_clock::time_point;

class Clock {
  public:
    virtual ~Clock() = default;
    virtual MonoTime now() const = 0;                   // for durations and deadlines
    virtual std::int64_t wall_microseconds() const = 0; // since the Unix epoch, UTC
};

class SystemClock final : public Clock {
  public:
    MonoTime now() const override { return std::chrono::steady_clock::now(); }
    std::int64_t wall_microseconds() const override;
};

// For tests: moves only when told to. Thread-safe.
class ManualClock final : public Clock {
  public:
    MonoTime now() const override;
    std::int64_t wall_microseconds() const override;
    void advance(Nanoseconds by);

  private:
    std::int64_t nanoseconds_ = 1'000'000'000;
};

// "2026-11-24T08:00:00.123456Z"
std::string iso8601(std::int64_t wall_microseconds);

inline double seconds(Nanoseconds d) {
    return std::chrono::duration<double>(d).count();
}
inline Nanoseconds from_seconds(double s) {
    return std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(s));
}

} // namespace assay
