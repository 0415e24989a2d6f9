// A context-free grammar over bytes, as a graph of places. Something that reads it stands at places
// with a stack of places to come back to (automaton.h).
//
// Places are made back to front: each is told the place behind it. A frame of the stack has one
// counter, for the loop that its place is in: so a rule that loops inside a loop calls another
// rule.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace assay::engine {

using PlaceId = std::uint32_t;
using RuleId = std::uint32_t;
using LoopId = std::int32_t;

enum class Region : std::uint8_t { None, Reasoning, Content, String }; // text that has a limit

struct Edge {
    std::uint8_t low, high; // bytes
    PlaceId next;
};

struct Place {
    // Count: as long as the loop may go on, `targets[0]` with the counter raised; as soon as it may
    // end, the loop's `next`. Nest: a Call of a value inside of an array or object.
    enum class Kind : std::uint8_t { Accept, Bytes, Split, Call, Nest, Count, End };
    Kind kind;
    Region region = Region::None;
    LoopId loop = -1; // that it is in
    std::vector<Edge> edges{};
    std::vector<PlaceId> targets{};
    RuleId rule = 0;  // of Call and Nest
    PlaceId next = 0; // of Call and Nest

    // Of the shortest way to the end of the rule, in a loop to its Count: bytes, and nested values
    // inside one another.
    std::uint64_t distance = 0;
    std::uint32_t height = 0;
};

class Grammar {
  public:
    static constexpr std::uint64_t kNever = std::uint64_t{1} << 60;
    static constexpr std::uint32_t kUnbounded = std::numeric_limits<std::uint32_t>::max();
    static constexpr PlaceId kAccept = 0;

    Grammar();

    PlaceId end(); // of a rule
    PlaceId bytes(std::vector<Edge> edges);
    PlaceId literal(std::string_view text, PlaceId next);
    PlaceId range(std::uint8_t low, std::uint8_t high, PlaceId next) {
        return bytes({{low, high, next}});
    }
    PlaceId split(std::vector<PlaceId> targets);
    PlaceId call(RuleId rule, PlaceId next, bool nest);
    LoopId loop(std::uint32_t min, std::uint32_t max, PlaceId next);
    PlaceId count(LoopId loop); // its body is set later, with in_loop() for all places of it
    void set_targets(PlaceId split, std::vector<PlaceId> targets) {
        places_[split].targets = std::move(targets);
    }
    void set_body(PlaceId count, PlaceId body) { places_[count].targets = {body}; }
    void in_loop(LoopId loop) { loop_ = loop; } // for the places made from now on; -1: none
    void in_region(Region region) { region_ = region; }
    Region region() const { return region_; }

    RuleId rule(); // its start is set later
    void set_start(RuleId rule, PlaceId start) { starts_[rule] = start; }

    // Once, when all is made. Throws Error(Input) if the grammar is too large.
    void finish(RuleId start);

    const Place& place(PlaceId id) const { return places_[id]; }
    PlaceId start(RuleId rule) const { return starts_[rule]; }
    RuleId first_rule() const { return first_; }
    std::uint32_t raised(LoopId loop, std::uint32_t counter) const;
    bool may_go_on(LoopId loop, std::uint32_t counter) const { return counter < loops_[loop].max; }
    bool may_end(LoopId loop, std::uint32_t counter) const { return counter >= loops_[loop].min; }
    PlaceId behind(LoopId loop) const { return loops_[loop].next; }
    // Bytes to the end of the rule by the shortest way; kNever if there is none.
    std::uint64_t distance(PlaceId place, std::uint32_t counter) const;

  private:
    struct Loop {
        std::uint32_t min, max;
        PlaceId next;
        std::uint64_t cycle = 0; // bytes of one time through
        std::uint32_t height = 0;
    };
    template<class T>
    struct Indexed : std::vector<T> {
        T& operator[](LoopId id) { return this->at(static_cast<std::size_t>(id)); }
        const T& operator[](LoopId id) const { return this->at(static_cast<std::size_t>(id)); }
    };
    struct Way {
        std::uint64_t distance;
        std::uint32_t height;
    };

    PlaceId add(Place place);
    Way way(const Place& place) const;
    Way way_to(LoopId from, PlaceId to) const;
    void settle();
    bool measure(PlaceId id);
    bool measure_loop(LoopId id);

    std::vector<Place> places_;
    std::vector<PlaceId> starts_;
    Indexed<Loop> loops_;
    std::vector<std::vector<PlaceId>> counts_; // of each loop
    LoopId loop_ = -1;
    Region region_ = Region::None;
    RuleId first_ = 0;
};

} // namespace assay::engine
