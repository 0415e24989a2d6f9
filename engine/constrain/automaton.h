// What stands at the places of a grammar, deterministically: a state is the set of all stacks that
// the bytes so far leave possible. Stacks that differ only further down are one frame whose parent
// is a set again, so that an ambiguous schema costs as many frames as it has places, not as many as
// it has readings. States are found once and keep where each byte leads, and their masks.
#pragma once

#include "constrain/grammar.h"
#include "constrain/token_trie.h"

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace assay::engine {

class State;

struct Frame {
    PlaceId place; // in a parent: the Call that it waits for
    std::uint32_t counter;
    const State* parent; // where to go on behind the rule; null for the last one

    bool operator==(const Frame&) const = default;
};

class State {
  public:
    std::vector<Frame> frames; // by place and counter, each of them once
    bool complete = false;     // the text may end here
    Region region = Region::None;
    std::uint32_t depth = 0;    // of the values that it is inside of
    std::uint64_t distance = 0; // bytes to the end by the shortest way

  private:
    friend class StatePool;
    mutable std::unique_ptr<std::array<const State*, 256>> next_;
    mutable std::shared_ptr<const std::vector<bool>> mask_, closing_mask_;
};

// Not for several threads at once.
class StatePool {
  public:
    StatePool(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie);

    const State* start();                                    // null if no text is valid
    const State* step(const State* from, std::uint8_t byte); // null: not allowed
    // The same state of another pool of this grammar.
    const State* adopt(const State* other);
    enum class Mode { Open, Closing }; // Closing: only what comes nearer to the end
    std::shared_ptr<const std::vector<bool>> mask(const State* state, Mode mode);
    // So much was kept that it should be replaced by a new one.
    bool full() const;

  private:
    struct Hash {
        std::size_t operator()(const std::unique_ptr<State>& state) const;
    };
    struct Equal {
        bool operator()(const std::unique_ptr<State>& a, const std::unique_ptr<State>& b) const;
    };

    const State* dead() const { return &dead_; }
    const State* intern(std::vector<Frame> frames, bool complete);
    const State* close(std::vector<Frame> open);
    void expand(const Frame& frame, std::vector<Frame>& open);
    std::vector<Frame> merged(std::vector<Frame> frames);
    const State* either(const State* a, const State* b);
    bool possible(const Frame& frame) const;
    std::array<const State*, 256>& row(const State* from);
    const State* adopt(const State* other, std::unordered_map<const State*, const State*>& known);
    const State* next(const State* from, std::uint8_t byte);
    std::vector<bool> find_mask(const State* state, Mode mode);

    std::shared_ptr<const Grammar> grammar_;
    std::shared_ptr<const TokenTrie> trie_;
    std::unordered_set<std::unique_ptr<State>, Hash, Equal> states_;
    State dead_;
    std::size_t rows_ = 0, masks_ = 0;
};

} // namespace assay::engine
