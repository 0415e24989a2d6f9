// Randomness is injected. CounterRandom is a pure function of (key, counter): the same seed key
// gives the same numbers whatever runs beside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace assay {

class Random {
  public:
    virtual ~Random() = default;
    virtual void fill(std::span<std::byte> out) = 0;
    std::uint64_t next();                     // 64 uniform bits
    std::uint64_t below(std::uint64_t bound); // uniform in [0, bound), unbiased; bound > 0
    double uniform();                         // [0, 1) with 53 bits
};

class SystemRandom final : public Random { // getrandom(2); secrets and run ids. Thread-safe.
  public:
    void fill(std::span<std::byte> out) override;
};

// Philox 4x32-10 (Salmon et al., SC 2011), keyed by text. Not thread-safe; make one per use.
class CounterRandom final : public Random {
  public:
    explicit CounterRandom(std::uint64_t key, std::uint64_t stream = 0);
    explicit CounterRandom(std::string_view seed_key); // e.g. "run/task/attempt/turn"
    void fill(std::span<std::byte> out) override;

  private:
    void refill();
    std::uint32_t key_[2];
    std::uint32_t counter_[4];
    std::uint32_t block_[4]{};
    std::size_t used_ = 16;
};

} // namespace assay
