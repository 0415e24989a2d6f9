// A body of /v1/chat/completions and of /v1/completions. Nothing but ApiError is thrown, what is
// taken can be recognised again, and an answer to it can be written.
#include "openai_request.h"

#include "api_error.h"
#include "assay/serve/recent_blobs.h"
#include "conversation_memory.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace assay::serve;
    std::string_view body(reinterpret_cast<const char*>(data), size);
    RequestLimits limits;
    limits.images = true;
    assay::RecentBlobs blobs(1 << 20);
    try {
        ApiRequest request = parse_chat_request(body, limits, blobs);
        ConversationMemory memory(1 << 20);
        auto once = memory.recognise(request.messages);
        if (memory.recognise(request.messages).size() != once.size()) __builtin_trap();
    } catch (const ApiError& e) {
        error_response(e, Protocol::OpenAi);
    }
    try {
        parse_completions_request(body, limits);
    } catch (const ApiError& e) {
        error_response(e, Protocol::OpenAi);
    }
    return 0;
}
