#include "assay/base/random.h"

#include "assay/base/error.h"
#include "assay/base/hash.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>

namespace assay {

std::uint64_t Random::next() {
    std::uint64_t value = 0;
    fill(std::as_writable_bytes(std::span(&value, 1)));
    return value;
}

std::uint64_t Random::below(std::uint64_t bound) {
    const std::uint64_t limit = ~std::uint64_t{0} - (~std::uint64_t{0} % bound + 1) % bound;
    for (;;) {
        std::uint64_t value = next();
        if (value <= limit) return value % bound;
    }
}

double Random::uniform() {
    return static_cast<double>(next() >> 11) * 0x1.0p-53;
}

void SystemRandom::fill(std::span<std::byte> out) {
    while (!out.empty()) {
        ssize_t got = getrandom(out.data(), out.size(), 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            throw io_error("getrandom", errno);
        }
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

CounterRandom::CounterRandom(std::uint64_t key, std::uint64_t stream)
    : key_{static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)}
    , counter_{0, 0, static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)} {
}

CounterRandom::CounterRandom(std::string_view seed_key)
    : CounterRandom(0, 0) {
    Digest digest = sha256(seed_key);
    std::memcpy(key_, digest.bytes.data(), 8);
    std::memcpy(counter_ + 2, digest.bytes.data() + 8, 8);
}

void CounterRandom::refill() {
    std::uint32_t x[4] = {counter_[0], counter_[1], counter_[2], counter_[3]};
    std::uint32_t k0 = key_[0], k1 = key_[1];
    for (int round = 0; round < 10; ++round) {
        std::uint64_t p0 = std::uint64_t{0xD2511F53} * x[0];
        std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * x[2];
        std::uint32_t y[4] = {
            static_cast<std::uint32_t>(p1 >> 32) ^ x[1] ^ k0, static_cast<std::uint32_t>(p1),
            static_cast<std::uint32_t>(p0 >> 32) ^ x[3] ^ k1, static_cast<std::uint32_t>(p0)};
        std::memcpy(x, y, sizeof x);
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    std::memcpy(block_, x, sizeof x);
    if (++counter_[0] == 0) ++counter_[1];
    used_ = 0;
}

void CounterRandom::fill(std::span<std::byte> out) {
    for (std::byte& b : out) {
        if (used_ == sizeof block_) refill();
        b = reinterpret_cast<const std::byte*>(block_)[used_++];
    }
}

} // namespace assay
