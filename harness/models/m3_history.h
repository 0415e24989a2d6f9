// Completions that later requests may continue: so that the model's own ids are appended to, and
// never tokenised again. Each trial has its own: what others were told, or how much, must not
// decide about anybody's ids. Thread-safe. Of a trial the latest turns are kept; when all take more
// than a gigabyte, the trial that was silent for longest is forgotten.
#pragma once

#include "assay/api/model.h"
#include "assay/engine/batcher.h"

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace assay {

struct M3Turn {
    std::string trial;                    // who asked: task, attempt and role, see trial_of()
    std::optional<Id> id;                 // of the completion, if the caller will know it by one
    std::size_t messages = 0;             // of its prompt
    std::string prompt, raw;              // text of the prompt, and what the model wrote
    std::string message;                  // what was made of it, as to_json()
    std::vector<std::int32_t> ids;        // prompt and completion
    std::vector<engine::MediaRows> media; // of the prompt
    std::vector<Digest> images;           // of the prompt's messages
    bool ended = false;                   // the last id is one that ends completions
};

std::string trial_of(const SeedKey& key);

class M3History {
  public:
    void add(M3Turn turn);
    // A turn of the same trial that a request with this prompt continues: that of its parent, else
    // one whose text the prompt begins with or whose answer is among its messages.
    std::shared_ptr<const M3Turn> find(const CompletionRequest& request, const std::string& prompt);

  private:
    struct Trial {
        std::list<std::shared_ptr<const M3Turn>> turns{}; // the latest first
        std::uint64_t used = 0;
    };
    void forget(Trial& trial);

    std::mutex mutex_;
    std::map<std::string, Trial> trials_;
    std::uint64_t uses_ = 0;
    std::size_t bytes_ = 0;
};

} // namespace assay
