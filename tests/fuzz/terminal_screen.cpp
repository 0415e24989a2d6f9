// What programs write to a terminal: escapes into the screen model, and the recording of it. The
// first byte chooses sizes and where the bytes are cut; a resize comes in the middle.
#include "assay/base/text.h"
#include "terminal/recorder.h"
#include "terminal/screen.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    assay::TerminalSize first{4 + data[0] % 100, 2 + data[0] % 30};
    std::size_t step = 1 + data[1] % 64;
    std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
    assay::Screen screen(first, 100);
    assay::Recorder recorder(first);
    for (std::size_t at = 0; at < text.size(); at += step) {
        screen.feed(text.substr(at, step));
        recorder.output(text.substr(at, step));
        if (at / step == 3) screen.resize({4 + data[1] % 50, 2 + data[1] % 20});
    }
    std::string shown = screen.text();
    auto rows = std::count(shown.begin(), shown.end(), '\n') + 1;
    if (rows != screen.size().rows || !assay::utf8_valid(shown)) std::abort();
    if (!assay::utf8_valid(screen.history()) || !assay::utf8_valid(recorder.text())) std::abort();
    if (screen.take_answers().size() > 4096) std::abort();
    return 0;
}
