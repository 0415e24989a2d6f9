// Bounded capture of output: the head and the tail are kept, the middle is counted and marked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace assay {

class Capture {
  public:
    explicit Capture(std::size_t limit = 256 * 1024); // bytes kept in all
    void append(std::string_view data);
    std::uint64_t total() const { return total_; }
    bool truncated() const { return total_ > limit_; }
    // Head, a line "[... 12345 bytes left out ...]" if truncated, tail. Cut on UTF-8 boundaries.
    std::string text() const;

  private:
    std::size_t limit_;
    std::uint64_t total_ = 0;
    std::string head_;
    std::string tail_; // ring
    std::size_t tail_at_ = 0;
};

// The same rule for a text that is already whole.
std::string cut_middle(std::string_view text, std::size_t limit);

} // namespace assay
