// What the model is shown of the terminal after each batch of keystrokes.
#pragma once

#include "assay/api/terminal.h"

#include <string>
#include <string_view>

namespace assay {

class TerminusScreen {
  public:
    static constexpr std::size_t kLimit = 10'000; // bytes; head and tail of what is longer

    // Heading and text: what is new since the last look if that can be told, else the screen.
    std::string look(Terminal& terminal);
    static std::string visible(Terminal& terminal);

  private:
    std::string previous_;
};

// The part of `now` from the last line of `before` on; empty if `now` does not begin with `before`.
std::string_view new_output(std::string_view before, std::string_view now);

} // namespace assay
