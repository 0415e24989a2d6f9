// Recognises messages that a client sends again with each request, so that a conversation over HTTP
// is as good as one in memory: equal messages are the same MessageRef (who records or renders them
// sees a continuation), and an answer that comes back is the model's own message, with arguments of
// calls exactly as the model wrote them, although a client's JSON library may have spaced them
// anew.
//
// Bounded: what was not used for long is forgotten, and then costs space and time, nothing else.
// Thread-safe.
#pragma once

#include "assay/api/content.h"
#include "assay/base/hash.h"

#include <cstddef>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace assay::serve {

class ConversationMemory {
  public:
    explicit ConversationMemory(std::size_t most_bytes = 64u << 20)
        : most_bytes_(most_bytes) {}
    std::vector<MessageRef> recognise(std::vector<Message> messages);
    void answered(const Message& message);

  private:
    struct Entry {
        Digest key;
        MessageRef message;
        std::size_t bytes = 0;
    };
    MessageRef recall(const Digest& key); // the mutex is held, in these two
    void keep(const Digest& key, MessageRef message, std::size_t bytes);

    const std::size_t most_bytes_;
    std::mutex mutex_;
    std::list<Entry> entries_; // least recently used first
    std::map<Digest, std::list<Entry>::iterator> by_key_;
    std::size_t bytes_ = 0;
};

} // namespace assay::serve
