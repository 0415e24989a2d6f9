// A recording in the format asciicast v2: a JSON header line, then one JSON array per event
// [seconds, "o" | "i" | "r", data]. https://docs.asciinema.org/manual/asciicast/v2/
// Not thread-safe.
#pragma once

#include "assay/api/terminal.h"
#include "assay/base/clock.h"

#include <string>
#include <string_view>

namespace assay {

class Recorder {
  public:
    explicit Recorder(TerminalSize size, MonoTime start = std::chrono::steady_clock::now());
    void output(std::string_view bytes); // may end within a character
    void input(std::string_view bytes);
    void resize(TerminalSize size);
    // Output events after the limit are left out, and one event says so.
    std::string text() const { return text_; }

  private:
    void event(char kind, std::string_view data);
    std::string text_, pending_;
    MonoTime start_;
    bool full_ = false;
};

} // namespace assay
