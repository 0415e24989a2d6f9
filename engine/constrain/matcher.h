// A grammar with its states, shared by all completions that follow it, and one of them.
#pragma once

#include "assay/engine/constrain.h"
#include "constrain/automaton.h"

#include <functional>
#include <mutex>

namespace assay::engine {

class SharedGrammar {
  public:
    SharedGrammar(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie);

    // The pool to work with, for as long as the lock is held. It is replaced when it is full.
    std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }
    const std::shared_ptr<StatePool>& pool();
    const TokenTrie& trie() const { return *trie_; }

  private:
    std::shared_ptr<const Grammar> grammar_;
    std::shared_ptr<const TokenTrie> trie_;
    std::shared_ptr<StatePool> pool_;
    std::mutex mutex_;
};

std::unique_ptr<Constraint> make_matcher(std::shared_ptr<SharedGrammar> grammar,
                                         const TurnOptions& options);

// The grammars made last, by what they were made from.
class GrammarCache {
  public:
    std::shared_ptr<SharedGrammar> get(const std::string& key, const std::function<Grammar()>& make,
                                       const std::shared_ptr<const TokenTrie>& trie);

  private:
    std::mutex mutex_;
    std::vector<std::pair<std::string, std::shared_ptr<SharedGrammar>>> kept_; // the last used last
};

// What Vocabulary is.
class TrieVocabulary final : public Vocabulary {
  public:
    explicit TrieVocabulary(const Tokenizer& tokenizer)
        : trie_(std::make_shared<TokenTrie>(tokenizer)) {}
    std::unique_ptr<Constraint> constraint(const std::string& key,
                                           const std::function<Grammar()>& make,
                                           const TurnOptions& options) const {
        return make_matcher(cache_.get(key, make, trie_), options);
    }

  private:
    std::shared_ptr<const TokenTrie> trie_;
    mutable GrammarCache cache_;
};

} // namespace assay::engine
