// Keystrokes as the terminal protocol writes them.
#pragma once

#include <string>
#include <string_view>

namespace assay {

// The bytes to send. A string that is the name of one key and nothing else is that key, as with
// tmux send-keys: Enter, Escape, Tab, Space, BSpace, Up, PageDown, F5, C-c, M-x, C-Left, ^C.
// Everything else is sent as it is.
std::string terminal_bytes(std::string_view keystrokes);

} // namespace assay
