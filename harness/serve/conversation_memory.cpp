#include "conversation_memory.h"

#include "answer.h"
#include "assay/base/json.h"
#include "fields.h"

namespace assay::serve {

namespace {

// Arguments without their spacing, if they are JSON.
std::string compact(const std::string& arguments) {
    Json json = parse_json<Json>(arguments.empty() ? "{}" : arguments);
    return json.is_discarded() ? arguments : dump(json);
}

// What of an answer survives the way through a client: not how it was cut into parts.
Digest answer_key(const Message& message) {
    Json calls = Json::array();
    for (const ToolCall* call : message.tool_calls())
        calls.push_back({call->id, call->name, compact(call->arguments)});
    return sha256("answer" + dump({reasoning_of(message), message.text(), std::move(calls)}));
}

std::string key_of_call(const ToolCall& call) {
    return "call" + dump(Json::array({call.id, call.name, compact(call.arguments)}));
}

} // namespace

MessageRef ConversationMemory::recall(const Digest& key) {
    auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    entries_.splice(entries_.end(), entries_, found->second);
    return found->second->message;
}

void ConversationMemory::keep(const Digest& key, MessageRef message, std::size_t bytes) {
    constexpr std::size_t kOverhead = 256;
    if (recall(key)) return;
    entries_.push_back({key, std::move(message), bytes + kOverhead});
    by_key_[key] = std::prev(entries_.end());
    bytes_ += bytes + kOverhead;
    while (bytes_ > most_bytes_ && entries_.size() > 1) {
        bytes_ -= entries_.front().bytes;
        by_key_.erase(entries_.front().key);
        entries_.pop_front();
    }
}

std::vector<MessageRef> ConversationMemory::recognise(std::vector<Message> messages) {
    std::vector<MessageRef> out;
    std::lock_guard lock(mutex_);
    for (Message& message : messages) {
        if (message.role == Role::Assistant) {
            if (MessageRef own = recall(answer_key(message))) {
                out.push_back(std::move(own));
                continue;
            }
            // Without its reasoning it is another message, but its calls are the model's own.
            for (ContentPart& part : message.parts)
                if (auto* call = std::get_if<ToolCall>(&part))
                    if (MessageRef own = recall(sha256(key_of_call(*call))))
                        part = own->parts.at(0);
        }
        std::string json = to_json(message);
        Digest key = sha256(json);
        MessageRef known = recall(key);
        if (!known) {
            known = std::make_shared<const Message>(std::move(message));
            keep(key, known, json.size());
        }
        out.push_back(std::move(known));
    }
    return out;
}

void ConversationMemory::answered(const Message& message) {
    std::string json = to_json(message);
    std::lock_guard lock(mutex_);
    keep(answer_key(message), std::make_shared<const Message>(message), json.size());
    for (const ToolCall* call : message.tool_calls())
        keep(sha256(key_of_call(*call)),
             std::make_shared<const Message>(Message{Role::Assistant, {*call}}),
             call->arguments.size());
}

} // namespace assay::serve
