#include "m3_history.h"

#include <algorithm>

namespace assay {

namespace {

constexpr std::size_t kTurns = 512;

bool continues(const M3Turn& turn, const std::string& prompt,
               const std::vector<MessageRef>& messages) {
    if (!prompt.starts_with(turn.prompt)) return false;
    if (prompt.compare(turn.prompt.size(), turn.raw.size(), turn.raw) == 0 && !turn.raw.empty())
        return true;
    return turn.messages < messages.size() && to_json(*messages[turn.messages]) == turn.message;
}

} // namespace

void M3History::add(M3Turn turn) {
    std::lock_guard lock(mutex_);
    turns_.push_front(std::make_shared<const M3Turn>(std::move(turn)));
    if (turns_.size() > kTurns) turns_.pop_back();
}

std::string trial_of(const SeedKey& key) {
    return key.task + "/" + std::to_string(key.attempt) + "/" + key.role;
}

std::shared_ptr<const M3Turn> M3History::find(const CompletionRequest& request,
                                              const std::string& prompt) {
    const std::string trial = trial_of(request.seed);
    std::lock_guard lock(mutex_);
    auto found = turns_.end();
    for (auto at = turns_.begin(); at != turns_.end(); ++at) {
        const M3Turn& turn = **at;
        if (request.parent) {
            if (turn.id == request.parent) {
                found = at;
                break;
            }
        } else if (turn.trial == trial && continues(turn, prompt, request.messages) &&
                   (found == turns_.end() || turn.ids.size() > (*found)->ids.size())) {
            found = at;
        }
    }
    if (found == turns_.end()) return nullptr;
    turns_.splice(turns_.begin(), turns_, found);
    return turns_.front();
}

} // namespace assay
