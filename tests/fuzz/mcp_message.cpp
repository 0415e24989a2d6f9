// What an MCP server writes: any bytes must end in messages or in "malformed", never in a crash.
#include "assay/base/json.h"
#include "assay/mcp/message.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using Kind = assay::mcp::IncomingMessage::Kind;
    std::string_view text(reinterpret_cast<const char*>(data), size);
    auto messages = assay::mcp::read_messages(text);
    if (messages.empty()) std::abort();
    for (const auto& message : messages) {
        bool has_method = message.kind == Kind::Request || message.kind == Kind::Notification;
        if (message.kind == Kind::Request && message.id.empty()) std::abort();
        if (message.kind == Kind::Malformed && message.problem.empty()) std::abort();
        if (!has_method && !message.method.empty() && message.kind != Kind::Malformed) std::abort();
        // What is handed on can be parsed again: it is read as a single message's part.
        if (message.kind == Kind::Result && assay::nested_too_deep(message.body)) std::abort();
    }
    return 0;
}
