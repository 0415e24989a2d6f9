#include "constrain/automaton.h"

#include "assay/base/error.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

namespace assay::engine {

namespace {

constexpr std::uint32_t kDeepest = 64; // values inside one another
constexpr std::size_t kMostFrames = 20'000;
constexpr std::size_t kMostStates = 100'000;
constexpr std::size_t kMostRows = 32'000;          // of 2 KiB
constexpr std::size_t kMostMaskBits = 64ull << 23; // 64 MiB

void mix(std::size_t& hash, std::size_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15ull;
    hash ^= hash >> 29;
}

struct FrameHash {
    std::size_t operator()(const Frame& frame) const {
        std::size_t hash = frame.place;
        mix(hash, frame.counter);
        mix(hash, reinterpret_cast<std::size_t>(frame.parent));
        return hash;
    }
};

} // namespace

std::size_t StatePool::Hash::operator()(const std::unique_ptr<State>& state) const {
    std::size_t hash = state->complete ? 1 : 0;
    for (const Frame& frame : state->frames) mix(hash, FrameHash{}(frame));
    return hash;
}

bool StatePool::Equal::operator()(const std::unique_ptr<State>& a,
                                  const std::unique_ptr<State>& b) const {
    return a->complete == b->complete && a->frames == b->frames;
}

StatePool::StatePool(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie)
    : grammar_(std::move(grammar))
    , trie_(std::move(trie)) {}

bool StatePool::full() const {
    return states_.size() > kMostStates || rows_ > kMostRows ||
           masks_ * trie_->size() > kMostMaskBits;
}

const State* StatePool::intern(std::vector<Frame> frames, bool complete) {
    auto state = std::make_unique<State>();
    state->frames = std::move(frames);
    state->complete = complete;
    if (auto found = states_.find(state); found != states_.end()) return found->get();
    state->distance = complete ? 0 : Grammar::kNever;
    for (const Frame& frame : state->frames) {
        const Place& place = grammar_->place(frame.place);
        bool waits = place.kind == Place::Kind::Call || place.kind == Place::Kind::Nest;
        std::uint64_t distance =
            grammar_->distance(waits ? place.next : frame.place, frame.counter);
        std::uint32_t depth = place.kind == Place::Kind::Nest ? 1 : 0;
        if (frame.parent) {
            distance += frame.parent->distance;
            depth += frame.parent->depth;
        }
        state->distance = std::min(state->distance, distance);
        state->depth = std::max(state->depth, depth);
        state->region = std::max(state->region, place.region);
    }
    return states_.insert(std::move(state)).first->get();
}

const State* StatePool::start() {
    const State* bottom = intern({{Grammar::kAccept, 0, nullptr}}, false);
    return close({{grammar_->start(grammar_->first_rule()), 0, bottom}});
}

// A frame is only made if its shortest way to the end is within the bounds: then no state is a dead
// end.
bool StatePool::possible(const Frame& frame) const {
    std::uint32_t depth = frame.parent ? frame.parent->depth : 0;
    return grammar_->distance(frame.place, frame.counter) < Grammar::kNever &&
           depth + grammar_->place(frame.place).height <= kDeepest;
}

// The stacks that contain either: frames of the same place are joined further down.
const State* StatePool::either(const State* a, const State* b) {
    if (a == b || b == nullptr) return a;
    std::vector<Frame> frames = a->frames;
    frames.insert(frames.end(), b->frames.begin(), b->frames.end());
    return intern(merged(std::move(frames)), false);
}

std::vector<Frame> StatePool::merged(std::vector<Frame> frames) {
    std::stable_sort(frames.begin(), frames.end(), [](const Frame& a, const Frame& b) {
        return std::tie(a.place, a.counter) < std::tie(b.place, b.counter);
    });
    std::vector<Frame> out;
    for (const Frame& frame : frames) {
        if (!out.empty() && out.back().place == frame.place && out.back().counter == frame.counter)
            out.back().parent = either(out.back().parent, frame.parent);
        else
            out.push_back(frame);
    }
    return out;
}

void StatePool::expand(const Frame& frame, std::vector<Frame>& open) {
    const Place& place = grammar_->place(frame.place);
    switch (place.kind) {
    case Place::Kind::Accept:
    case Place::Kind::Bytes:
        break;
    case Place::Kind::Split:
        for (PlaceId target : place.targets) open.push_back({target, frame.counter, frame.parent});
        break;
    case Place::Kind::Call:
    case Place::Kind::Nest:
        if (possible({place.next, frame.counter, frame.parent}))
            open.push_back({grammar_->start(place.rule), 0, intern({frame}, false)});
        break;
    case Place::Kind::Count:
        if (grammar_->may_go_on(place.loop, frame.counter))
            open.push_back(
                {place.targets.at(0), grammar_->raised(place.loop, frame.counter), frame.parent});
        if (grammar_->may_end(place.loop, frame.counter))
            open.push_back({grammar_->behind(place.loop), 0, frame.parent});
        break;
    case Place::Kind::End:
        for (const Frame& back : frame.parent->frames)
            if (grammar_->place(back.place).kind == Place::Kind::Accept)
                open.push_back(back);
            else
                open.push_back({grammar_->place(back.place).next, back.counter, back.parent});
        break;
    }
}

const State* StatePool::close(std::vector<Frame> open) {
    std::unordered_set<Frame, FrameHash> seen;
    std::vector<Frame> frames;
    bool complete = false;
    while (!open.empty()) {
        Frame frame = open.back();
        open.pop_back();
        if (!possible(frame) || !seen.insert(frame).second) continue;
        if (seen.size() > kMostFrames)
            throw Error(ErrorKind::Input, "the schema leaves too many readings open at once")
                .hint("make the parts of its unions differ sooner");
        Place::Kind kind = grammar_->place(frame.place).kind;
        if (kind == Place::Kind::Bytes)
            frames.push_back(frame);
        else if (kind == Place::Kind::Accept)
            complete = true;
        else
            expand(frame, open);
    }
    if (frames.empty() && !complete) return dead();
    return intern(merged(std::move(frames)), complete);
}

const State* StatePool::next(const State* from, std::uint8_t byte) {
    std::vector<Frame> open;
    for (const Frame& frame : from->frames)
        for (const Edge& edge : grammar_->place(frame.place).edges)
            if (edge.low <= byte && byte <= edge.high)
                open.push_back({edge.next, frame.counter, frame.parent});
    return open.empty() ? dead() : close(std::move(open));
}

std::array<const State*, 256>& StatePool::row(const State* from) {
    if (!from->next_) {
        from->next_ = std::make_unique<std::array<const State*, 256>>();
        from->next_->fill(nullptr);
        ++rows_;
    }
    return *from->next_;
}

const State* StatePool::step(const State* from, std::uint8_t byte) {
    const State*& to = row(from)[byte];
    if (to == nullptr) to = next(from, byte);
    return to == dead() ? nullptr : to;
}

const State* StatePool::adopt(const State* other) {
    std::unordered_map<const State*, const State*> known;
    return adopt(other, known);
}

const State* StatePool::adopt(const State* other,
                              std::unordered_map<const State*, const State*>& known) {
    if (auto found = known.find(other); found != known.end()) return found->second;
    std::vector<Frame> frames = other->frames;
    for (Frame& frame : frames)
        if (frame.parent) frame.parent = adopt(frame.parent, known);
    return known[other] = intern(std::move(frames), other->complete);
}

std::shared_ptr<const std::vector<bool>> StatePool::mask(const State* state, Mode mode) {
    auto& kept = mode == Mode::Open ? state->mask_ : state->closing_mask_;
    if (!kept) {
        kept = std::make_shared<const std::vector<bool>>(find_mask(state, mode));
        ++masks_;
    }
    return kept;
}

// A walk through the trie that leaves out what is below a byte that is not allowed.
std::vector<bool> StatePool::find_mask(const State* state, Mode mode) {
    std::vector<bool> mask(trie_->size());
    struct Step {
        const State* state;
        std::array<const State*, 256>* row;
    };
    std::vector<Step> path(trie_->deepest() + 1);
    path[0] = {state, &row(state)};
    const std::uint64_t bound = mode == Mode::Open ? Grammar::kNever + 1 : state->distance;
    const std::vector<TokenTrie::Node>& nodes = trie_->nodes();
    for (std::size_t i = 0; i < nodes.size();) {
        const TokenTrie::Node& node = nodes[i];
        const Step from = path[node.depth - 1u];
        const State*& to = (*from.row)[node.byte];
        if (to == nullptr) to = next(from.state, node.byte);
        if (to == dead()) {
            i = node.end;
            continue;
        }
        path[node.depth] = to == from.state ? from : Step{to, &row(to)};
        if (node.token >= 0 && to->distance < bound)
            for (TokenId id = node.token; id >= 0; id = trie_->same(id))
                mask[static_cast<std::size_t>(id)] = true;
        ++i;
    }
    return mask;
}

} // namespace assay::engine
