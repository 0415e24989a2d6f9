// The SSE parser: whole and split input must give the same events, which survive being formatted.
#include "assay/net/sse.h"

#include "assay/base/error.h"

#include <cstdint>
#include <cstdlib>

using namespace assay;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
    std::size_t step = 1 + data[0] % 16;
    std::vector<SseEvent> whole = SseParser().feed(text), parts;
    SseParser parser;
    for (std::size_t at = 0; at < text.size(); at += step)
        for (SseEvent& event : parser.feed(text.substr(at, step)))
            parts.push_back(std::move(event));
    if (whole != parts) std::abort();
    for (SseEvent& event : whole) {
        auto again = SseParser().feed(format_sse(event));
        if (again.size() != 1 || again[0].event != event.event) std::abort();
    }
    try {
        SseParser(64).feed(text);
    } catch (const Error&) {
    }
    return 0;
}
