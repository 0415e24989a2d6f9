// One JSON-RPC 2.0 message as a server sent it, taken apart. The input is untrusted: bounded depth,
// no recursion on it, no exception on garbage.
//
// A message with a `method` is a request or a notification whatever its id is: servers count their
// ids from 0 as we may do, so looking at the id first takes a request for an answer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace assay::mcp {

struct IncomingMessage {
    enum class Kind { Request, Notification, Result, Error, Malformed } kind = Kind::Malformed;
    std::string id;      // as JSON text: 7 or "a"; empty: none, or null
    std::string method;  // Request, Notification
    std::string body;    // params, result or error as JSON text
    std::string problem; // Malformed: what is wrong
};

// One message, or the messages of a batch (revision 2025-03-26). Never empty, never throws but for
// lack of memory.
std::vector<IncomingMessage> read_messages(std::string_view text);

} // namespace assay::mcp
