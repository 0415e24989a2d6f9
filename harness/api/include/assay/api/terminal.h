// A terminal inside a sandbox: a pty with a screen model and a recording (asciicast v2).
#pragma once

#include "assay/base/cancel.h"

#include <map>
#include <string>
#include <string_view>

namespace assay {

struct TerminalSize {
    int columns = 160;
    int rows = 40;
};

struct TerminalOptions {
    TerminalSize size;
    std::string user, cwd;
    std::map<std::string, std::string> environment;
    std::size_t history_lines = 100'000; // lines kept above the screen
    bool record = true;
};

// Output is read all the time by the implementation; calls see what has arrived. Thread-safe.
class Terminal {
  public:
    virtual ~Terminal() = default; // hangs up
    virtual void send(std::string_view bytes, const Cancel& cancel) = 0;
    virtual std::string screen() = 0;  // visible rows, trailing blanks cut, '\n' between rows
    virtual std::string history() = 0; // everything above the screen, then the screen
    virtual bool alive() const = 0;    // the program on it still runs
    virtual void resize(TerminalSize size) = 0;
    virtual TerminalSize size() const = 0;
    // True once nothing arrived for `quiet`; false if `limit` or the cancel came first.
    virtual bool wait_quiet(Nanoseconds quiet, Nanoseconds limit, const Cancel& cancel) = 0;
    virtual std::string recording() = 0; // the asciicast so far
};

} // namespace assay
