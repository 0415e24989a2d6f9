// The screen of a terminal, fed with what programs write: libvterm with a scrollback. Its input is
// hostile. Not thread-safe.
#pragma once

#include "assay/api/terminal.h"

#include <deque>
#include <memory>
#include <string>
#include <string_view>

namespace assay {

class Screen {
  public:
    Screen(TerminalSize size, std::size_t history_lines);
    ~Screen();
    void feed(std::string_view bytes);
    void resize(TerminalSize size);
    TerminalSize size() const;
    std::string text() const;    // rows, trailing blanks cut, '\n' between rows
    std::string history() const; // the lines above, then text()
    // What the terminal answers to queries (cursor position, device attributes); cleared by it.
    std::string take_answers();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace assay
