#include "constrain/grammar.h"

#include "assay/base/error.h"

#include <algorithm>
#include <utility>

namespace assay::engine {

namespace {

constexpr std::size_t kMostPlaces = 400'000;

std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
    return std::min(a + b, Grammar::kNever);
}

} // namespace

Grammar::Grammar() {
    places_.push_back({Place::Kind::Accept});
}

PlaceId Grammar::add(Place place) {
    if (places_.size() >= kMostPlaces)
        throw Error(ErrorKind::Input, "the schema is too large for constrained decoding")
            .hint("shorten its lists of values and patterns");
    place.loop = loop_;
    place.region = region_;
    places_.push_back(std::move(place));
    return static_cast<PlaceId>(places_.size() - 1);
}

PlaceId Grammar::end() {
    return add({Place::Kind::End});
}

PlaceId Grammar::bytes(std::vector<Edge> edges) {
    std::sort(edges.begin(), edges.end(),
              [](const Edge& a, const Edge& b) { return a.low < b.low; });
    Place place{Place::Kind::Bytes};
    place.edges = std::move(edges);
    return add(std::move(place));
}

PlaceId Grammar::literal(std::string_view text, PlaceId next) {
    for (std::size_t i = text.size(); i-- > 0;) {
        auto byte = static_cast<std::uint8_t>(text[i]);
        next = range(byte, byte, next);
    }
    return next;
}

PlaceId Grammar::split(std::vector<PlaceId> targets) {
    if (targets.size() == 1) return targets.front();
    Place place{Place::Kind::Split};
    place.targets = std::move(targets);
    return add(std::move(place));
}

PlaceId Grammar::call(RuleId rule, PlaceId next, bool nest) {
    Place place{nest ? Place::Kind::Nest : Place::Kind::Call};
    place.rule = rule;
    place.next = next;
    return add(std::move(place));
}

LoopId Grammar::loop(std::uint32_t min, std::uint32_t max, PlaceId next) {
    if (loop_ >= 0) throw Error(ErrorKind::Internal, "a loop of a grammar inside another");
    loops_.push_back({min, max, next});
    counts_.emplace_back();
    return static_cast<LoopId>(loops_.size() - 1);
}

PlaceId Grammar::count(LoopId loop) {
    LoopId before = std::exchange(loop_, loop);
    PlaceId made = add({Place::Kind::Count});
    loop_ = before;
    counts_[static_cast<std::size_t>(loop)].push_back(made);
    return made;
}

RuleId Grammar::rule() {
    starts_.push_back(0);
    return static_cast<RuleId>(starts_.size() - 1);
}

std::uint32_t Grammar::raised(LoopId loop, std::uint32_t counter) const {
    const Loop& of = loops_[loop];
    return of.max == kUnbounded ? std::min(counter + 1, of.min) : counter + 1;
}

std::uint64_t Grammar::distance(PlaceId place, std::uint32_t counter) const {
    const Place& at = places_[place];
    if (at.loop < 0) return at.distance;
    const Loop& loop = loops_[at.loop];
    std::uint64_t missing = counter < loop.min ? loop.min - counter : 0;
    std::uint64_t turns = missing == 0                    ? 0
                          : loop.cycle > kNever / missing ? kNever
                                                          : missing * loop.cycle;
    return sum(sum(at.distance, turns), distance(loop.next, 0));
}

// From a place of loop `from` to the place behind it, and on to the end.
Grammar::Way Grammar::way_to(LoopId from, PlaceId to) const {
    const Place& place = places_[to];
    std::uint64_t distance_to = place.loop == from ? place.distance : distance(to, 0);
    return {distance_to, place.height};
}

Grammar::Way Grammar::way(const Place& place) const {
    Way best{kNever, 0};
    auto offer = [&](std::uint64_t distance, std::uint32_t height) {
        if (distance < best.distance || (distance == best.distance && height < best.height))
            best = {distance, height};
    };
    switch (place.kind) {
    case Place::Kind::Accept:
    case Place::Kind::End:
        return {0, 0};
    case Place::Kind::Bytes:
        for (const Edge& edge : place.edges) {
            Way on = way_to(place.loop, edge.next);
            offer(sum(on.distance, 1), on.height);
        }
        break;
    case Place::Kind::Split:
        for (PlaceId target : place.targets) {
            Way on = way_to(place.loop, target);
            offer(on.distance, on.height);
        }
        break;
    case Place::Kind::Call:
    case Place::Kind::Nest: {
        Way on = way_to(place.loop, place.next), in = way_to(-1, starts_[place.rule]);
        std::uint32_t nested = place.kind == Place::Kind::Nest ? 1 : 0;
        offer(sum(on.distance, in.distance), std::max(on.height, in.height + nested));
        break;
    }
    case Place::Kind::Count: {
        const Loop& loop = loops_[place.loop];
        std::uint32_t behind = places_[loop.next].height;
        return {0, loop.min > 0 ? std::max(loop.height, behind) : behind};
    }
    }
    return best;
}

bool Grammar::measure(PlaceId id) {
    Place& place = places_[id];
    Way now = way(place);
    if (now.distance >= kNever) now = {kNever, 0};
    bool changed = now.distance != place.distance || now.height != place.height;
    place.distance = now.distance;
    place.height = now.height;
    return changed;
}

// By its slowest body: a distance that is too long still shrinks with each byte.
bool Grammar::measure_loop(LoopId id) {
    Way slowest{0, 0};
    for (PlaceId count : counts_[static_cast<std::size_t>(id)]) {
        const Place& body = places_[places_[count].targets.at(0)];
        slowest.distance = std::max(slowest.distance, body.distance);
        slowest.height = std::max(slowest.height, body.height);
    }
    Loop& loop = loops_[id];
    bool changed = slowest.distance != loop.cycle || slowest.height != loop.height;
    loop.cycle = slowest.distance;
    loop.height = slowest.height;
    return changed;
}

void Grammar::finish(RuleId start) {
    first_ = start;
    for (Place& place : places_) place.distance = kNever;
    for (Loop& loop : loops_) loop.cycle = kNever;
    settle();
    // Heights along ways that were later replaced must not stay in a loop.
    for (Place& place : places_) place.height = 0;
    for (Loop& loop : loops_) loop.height = 0;
    settle();
}

// Ways only get shorter, and those within a rule settle in one pass, for places are made back to
// front; the rest is as many passes as rules that need one another.
void Grammar::settle() {
    for (bool changed = true; changed;) {
        changed = false;
        for (PlaceId id = 0; id < places_.size(); ++id) changed |= measure(id);
        for (LoopId id = 0; id < static_cast<LoopId>(loops_.size()); ++id)
            changed |= measure_loop(id);
    }
}

} // namespace assay::engine
