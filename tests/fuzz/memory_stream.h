// A stream that gives the fuzzer's bytes in pieces and swallows what is written.
#pragma once

#include "assay/base/stream.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace assay::test {

class MemoryStream final : public Stream {
  public:
    MemoryStream(std::string_view bytes, std::size_t step)
        : bytes_(bytes)
        , step_(step) {}
    std::size_t read(std::span<char> into, const Cancel&) override {
        std::size_t n = std::min({into.size(), bytes_.size(), step_});
        std::copy_n(bytes_.begin(), n, into.begin());
        bytes_.remove_prefix(n);
        return n;
    }
    void write(std::string_view, const Cancel&) override {}
    void shutdown_write() override {}
    void close() override {}

  private:
    std::string_view bytes_;
    std::size_t step_;
};

} // namespace assay::test
