// Chunks of a chat-completions stream, one a line; a whole answer; an error; a Retry-After field.
// Whatever comes, nothing but ModelError is thrown.
#include "assay/base/text.h"
#include "openai_response.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        assay::OpenAiStream stream;
        for (std::string_view line : assay::split_lines(text)) stream.feed(line, {});
        stream.finish();
    } catch (const assay::ModelError&) {
    }
    try {
        assay::parse_openai_response(text);
    } catch (const assay::ModelError&) {
    }
    assay::openai_error(400, text, text, text);
    return 0;
}
