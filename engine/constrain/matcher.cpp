#include "constrain/matcher.h"

#include "assay/base/error.h"

#include <algorithm>

namespace assay::engine {

namespace {

constexpr std::size_t kMostGrammars = 16;

class Matcher final : public Constraint {
  public:
    Matcher(std::shared_ptr<SharedGrammar> grammar, const TurnOptions& options)
        : grammar_(std::move(grammar))
        , options_(options) {
        auto lock = grammar_->lock();
        pool_ = grammar_->pool();
        state_ = pool_->start();
    }

    const std::vector<bool>& allowed() override {
        if (!mask_) {
            auto lock = grammar_->lock();
            follow_pool();
            mask_ =
                pool_->mask(state_, closing() ? StatePool::Mode::Closing : StatePool::Mode::Open);
        }
        return *mask_;
    }

    void accept(TokenId id) override {
        if (id < 0 || static_cast<std::size_t>(id) >= allowed().size() ||
            !allowed()[static_cast<std::size_t>(id)])
            throw Error(ErrorKind::Internal, "a token that the constraint does not allow");
        auto lock = grammar_->lock();
        ++total_;
        ++in_region_;
        for (char c : grammar_->trie().text(id)) {
            Region before = state_->region;
            state_ = pool_->step(state_, static_cast<std::uint8_t>(c));
            if (state_->region != before) in_region_ = 0;
        }
        mask_.reset();
    }

    bool complete() const override { return state_->complete; }

  private:
    void follow_pool() {
        if (pool_ == grammar_->pool()) return;
        state_ = grammar_->pool()->adopt(state_);
        pool_ = grammar_->pool();
    }

    bool closing() const {
        if (total_ >= options_.total_tokens) return true;
        switch (state_->region) {
        case Region::None:
            return false;
        case Region::Reasoning:
            return in_region_ >= options_.reasoning_tokens;
        case Region::Content:
            return in_region_ >= options_.content_tokens;
        case Region::String:
            return in_region_ >= options_.string_tokens;
        }
        return false;
    }

    std::shared_ptr<SharedGrammar> grammar_;
    TurnOptions options_;
    std::shared_ptr<StatePool> pool_; // that state_ is of
    const State* state_;
    std::shared_ptr<const std::vector<bool>> mask_;
    std::size_t total_ = 0, in_region_ = 0; // tokens; in_region_: since it was entered
};

} // namespace

SharedGrammar::SharedGrammar(std::shared_ptr<const Grammar> grammar,
                             std::shared_ptr<const TokenTrie> trie)
    : grammar_(std::move(grammar))
    , trie_(std::move(trie))
    , pool_(std::make_shared<StatePool>(grammar_, trie_)) {}

// Completions that stand in the old pool keep it until they come here again.
const std::shared_ptr<StatePool>& SharedGrammar::pool() {
    if (pool_->full()) pool_ = std::make_shared<StatePool>(grammar_, trie_);
    return pool_;
}

std::unique_ptr<Constraint> make_matcher(std::shared_ptr<SharedGrammar> grammar,
                                         const TurnOptions& options) {
    return std::make_unique<Matcher>(std::move(grammar), options);
}

std::shared_ptr<SharedGrammar> GrammarCache::get(const std::string& key,
                                                 const std::function<Grammar()>& make,
                                                 const std::shared_ptr<const TokenTrie>& trie) {
    std::lock_guard lock(mutex_);
    auto found = std::find_if(kept_.begin(), kept_.end(),
                              [&](const auto& entry) { return entry.first == key; });
    if (found != kept_.end()) {
        std::rotate(found, found + 1, kept_.end());
        return kept_.back().second;
    }
    auto made = std::make_shared<SharedGrammar>(std::make_shared<const Grammar>(make()), trie);
    if (kept_.size() >= kMostGrammars) kept_.erase(kept_.begin());
    kept_.emplace_back(key, made);
    return made;
}

std::shared_ptr<const Vocabulary> Vocabulary::create(const Tokenizer& tokenizer) {
    return std::make_shared<TrieVocabulary>(tokenizer);
}

} // namespace assay::engine
