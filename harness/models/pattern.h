// A regular expression over text of any length. Boost.Regex does not recurse with the length of
// the text as std::regex does: trial threads have small stacks.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

class Pattern {
  public:
    // Perl syntax; '.' matches newlines too. Throws Error(Input) naming the fault.
    explicit Pattern(const std::string& expression);
    // Group 0 is the whole match. False also if the search grows too complex.
    bool search(std::string_view text, std::vector<std::string>* groups) const;

  private:
    struct Compiled;
    std::shared_ptr<const Compiled> compiled_;
};

} // namespace assay
