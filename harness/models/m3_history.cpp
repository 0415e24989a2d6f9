#include "m3_history.h"

#include <algorithm>

namespace assay {

namespace {

constexpr std::size_t kTurns = 16; // of a trial: more than one, for agents that ask again
constexpr std::size_t kBytes = std::size_t{1} << 30;

std::size_t bytes_of(const M3Turn& turn) {
    return turn.prompt.size() + turn.raw.size() + turn.message.size() +
           turn.ids.size() * sizeof(std::int32_t);
}

bool continues(const M3Turn& turn, const std::string& prompt,
               const std::vector<MessageRef>& messages) {
    if (!prompt.starts_with(turn.prompt)) return false;
    if (prompt.compare(turn.prompt.size(), turn.raw.size(), turn.raw) == 0 && !turn.raw.empty())
        return true;
    return turn.messages < messages.size() && to_json(*messages[turn.messages]) == turn.message;
}

} // namespace

std::string trial_of(const SeedKey& key) {
    return key.task + "/" + std::to_string(key.attempt) + "/" + key.role;
}

void M3History::forget(Trial& trial) {
    bytes_ -= bytes_of(*trial.turns.back());
    trial.turns.pop_back();
}

void M3History::add(M3Turn turn) {
    std::lock_guard lock(mutex_);
    Trial& mine = trials_[turn.trial];
    mine.used = ++uses_;
    bytes_ += bytes_of(turn);
    mine.turns.push_front(std::make_shared<const M3Turn>(std::move(turn)));
    if (mine.turns.size() > kTurns) forget(mine);
    while (bytes_ > kBytes && trials_.size() > 1) {
        auto oldest =
            std::min_element(trials_.begin(), trials_.end(), [](const auto& a, const auto& b) {
                return a.second.used < b.second.used;
            });
        while (!oldest->second.turns.empty()) forget(oldest->second);
        trials_.erase(oldest);
    }
}

std::shared_ptr<const M3Turn> M3History::find(const CompletionRequest& request,
                                              const std::string& prompt) {
    std::lock_guard lock(mutex_);
    auto trial = trials_.find(trial_of(request.seed));
    if (trial == trials_.end()) return nullptr;
    trial->second.used = ++uses_;
    std::shared_ptr<const M3Turn> best;
    for (const auto& turn : trial->second.turns) {
        if (request.parent) {
            if (turn->id == request.parent) return turn;
        } else if (continues(*turn, prompt, request.messages) &&
                   (!best || turn->ids.size() > best->ids.size())) {
            best = turn;
        }
    }
    return best;
}

} // namespace assay
