// What goes into and comes out of a model: messages made of parts. Plain data.
//
// Media are BlobRefs, never bytes. JSON values (tool arguments, schemas) are carried as text: a
// model may write malformed JSON, and then exactly what it wrote must be kept. Headers so stay
// light.
#pragma once

#include "assay/base/hash.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace assay {

struct BlobRef {
    Digest hash; // SHA-256 of the raw bytes
    std::uint64_t size = 0;
    std::string media_type; // "image/png", "text/plain", "application/json"
};

// Content-addressed bytes of a run. Thread-safe.
class BlobStore {
  public:
    virtual ~BlobStore() = default;
    virtual BlobRef put(std::string_view bytes, std::string_view media_type) = 0;
    virtual std::string get(const BlobRef& ref) = 0; // throws Error(Input) if unknown
};

struct TextPart {
    std::string text;
};
struct ImagePart {
    BlobRef blob;
};
struct VideoPart {
    BlobRef blob;
};
struct ReasoningPart {
    std::string text;
    std::string signature; // opaque, some providers want it back
};
struct ToolCall {
    std::string id;
    std::string name;
    std::string arguments; // JSON text as the model wrote it, perhaps malformed
};

using MediaPart = std::variant<TextPart, ImagePart>; // what a tool may answer with

struct ToolResult {
    std::string call_id;
    std::string name;
    std::vector<MediaPart> parts;
    bool is_error = false;
};

using ContentPart =
    std::variant<TextPart, ImagePart, VideoPart, ReasoningPart, ToolCall, ToolResult>;

enum class Role { System, User, Assistant, Tool };
std::string_view to_string(Role role);

struct Message {
    Role role = Role::User;
    std::vector<ContentPart> parts;

    std::string text() const; // the text parts, joined by nothing
    std::vector<const ToolCall*> tool_calls() const;
};

// Messages are immutable once they are in a conversation, and shared between its requests, so that
// a trial of T turns holds T messages and not T*T/2.
using MessageRef = std::shared_ptr<const Message>;

MessageRef system_message(std::string text);
MessageRef user_message(std::string text);
MessageRef assistant_message(std::string text);
MessageRef tool_message(ToolResult result);

// Text of media parts, an image as "[image/png, 1234 bytes]".
std::string plain_text(const std::vector<MediaPart>& parts);

// One canonical JSON form, used by the store, the exporters and replay:
// {"role":"assistant","parts":[{"text":"..."},{"tool_call":{"id","name","arguments"}},...]}
std::string to_json(const Message& message);
Message message_from_json(std::string_view json); // throws Error(Input)

} // namespace assay
