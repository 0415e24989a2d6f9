// SHA-256 for identity, and the 16-byte ids that make shards mergeable.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace assay {

class Random;

struct Digest { // SHA-256
    std::array<std::uint8_t, 32> bytes{};
    auto operator<=>(const Digest&) const = default;
    std::string hex() const;
};

Digest sha256(std::string_view data);
Digest sha256(std::span<const std::byte> data);

class Sha256 { // incremental
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    void update(std::string_view data);
    void update(std::span<const std::byte> data);
    Digest finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

struct Id { // 16 bytes: random for runs, derived for what a plan fixes
    std::array<std::uint8_t, 16> bytes{};
    auto operator<=>(const Id&) const = default;
    std::string hex() const;
    static Id random(Random& random);
    static Id derive(std::string_view text); // first half of its SHA-256
    static Id from_hex(std::string_view text);
};

std::string to_hex(std::span<const std::uint8_t> bytes);
std::string from_hex(std::string_view text); // throws Error(Input)
std::string base64_encode(std::string_view bytes);
std::string base64_decode(std::string_view text); // throws Error(Input) on anything malformed

} // namespace assay
