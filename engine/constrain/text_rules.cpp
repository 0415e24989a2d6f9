#include "constrain/text_rules.h"

#include "chat/markers.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <span>

namespace assay::engine {

namespace {

constexpr std::string_view kMarkers[] = {markers::kNamespace, markers::kThink, markers::kThinkEnd};

// The bytes of characters that all have the same length and differ independently in each byte.
using Sequence = std::vector<Edge>; // next is not used

unsigned utf8_bytes(char32_t c) {
    return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

std::array<std::uint8_t, 4> utf8(char32_t c) {
    auto tail = [&](int shift) { return static_cast<std::uint8_t>(0x80 | (c >> shift & 0x3F)); };
    auto lead = [&](char32_t mark, int shift) {
        return static_cast<std::uint8_t>(mark | c >> shift);
    };
    switch (utf8_bytes(c)) {
    case 1:
        return {lead(0, 0)};
    case 2:
        return {lead(0xC0, 6), tail(0)};
    case 3:
        return {lead(0xE0, 12), tail(6), tail(0)};
    default:
        return {lead(0xF0, 18), tail(12), tail(6), tail(0)};
    }
}

// Cuts a range where the number of bytes changes, around the surrogates, and until each of the last
// i bytes goes through all of its values or is the same.
void cut(char32_t low, char32_t high, std::vector<Sequence>& out) {
    if (low > high) return;
    for (char32_t last : {0x7Fu, 0x7FFu, 0xD7FFu, 0xFFFFu})
        if (low <= last && last < high) {
            cut(low, last, out);
            return cut(last + 1, high, out);
        }
    if (low >= 0xD800 && low <= 0xDFFF) return cut(0xE000, high, out);
    unsigned length = utf8_bytes(low);
    for (unsigned i = 1; i < length; ++i) {
        char32_t mask = (1u << (6 * i)) - 1;
        if ((low & ~mask) == (high & ~mask)) continue;
        if ((low & mask) != 0) {
            cut(low, low | mask, out);
            return cut((low | mask) + 1, high, out);
        }
        if ((high & mask) != mask) {
            cut(low, (high & ~mask) - 1, out);
            return cut(high & ~mask, high, out);
        }
    }
    auto from = utf8(low), to = utf8(high);
    Sequence sequence;
    for (unsigned i = 0; i < length; ++i) sequence.push_back({from[i], to[i], 0});
    out.push_back(std::move(sequence));
}

// The markers, searched for all at once (Aho and Corasick, 1975).
struct Search {
    struct Node {
        std::map<char, std::size_t> next;
        std::size_t fallback = 0;
        bool found = false;
    };
    std::vector<Node> nodes{1};

    Search() {
        for (std::string_view marker : kMarkers) {
            std::size_t at = 0;
            for (char c : marker) {
                auto [place, added] = nodes[at].next.try_emplace(c, nodes.size());
                at = place->second;
                if (added) nodes.emplace_back();
            }
            nodes[at].found = true;
        }
        std::vector<std::size_t> order{0};
        for (std::size_t i = 0; i < order.size(); ++i)
            for (auto [c, to] : nodes[order[i]].next) {
                if (order[i] != 0) nodes[to].fallback = go(nodes[order[i]].fallback, c);
                nodes[to].found |= nodes[nodes[to].fallback].found;
                order.push_back(to);
            }
    }

    std::size_t go(std::size_t at, char c) const {
        for (;; at = nodes[at].fallback) {
            if (auto found = nodes[at].next.find(c); found != nodes[at].next.end())
                return found->second;
            if (at == 0) return 0;
        }
    }
};

const Search& search() {
    static const Search made;
    return made;
}

class TextMaker {
  public:
    TextMaker(Grammar& grammar, const TextRule& rule, PlaceId next)
        : grammar_(grammar)
        , rule_(rule)
        , next_(next)
        , loop_(grammar.loop(rule.min, rule.max, next)) {}

    PlaceId make() {
        Region before = grammar_.region();
        grammar_.in_region(rule_.region);
        for (std::size_t i = 0; i < search().nodes.size(); ++i)
            counts_.push_back(grammar_.count(loop_));
        grammar_.in_loop(loop_);
        if (rule_.json && rule_.escapes) escape_ = escape(counts_[0]);
        tail_ = grammar_.range(0x80, 0xBF, counts_[0]);
        tail2_ = grammar_.range(0x80, 0xBF, tail_);
        for (std::size_t i = 0; i < counts_.size(); ++i)
            grammar_.set_body(counts_[i], grammar_.bytes(body(i)));
        PlaceId start = counts_[0];
        if (!rule_.not_first.empty()) start = guarded_start();
        grammar_.in_loop(-1);
        if (!rule_.not_whole.empty()) {
            std::vector<std::string_view> names(rule_.not_whole.begin(), rule_.not_whole.end());
            std::sort(names.begin(), names.end());
            start = other_than(names, 0, counts_[0]);
        }
        grammar_.in_region(before);
        return start;
    }

  private:
    std::vector<Edge> body(std::size_t node) {
        std::vector<Edge> edges;
        for (int byte = 0; byte < 0x80; ++byte) {
            auto c = static_cast<std::uint8_t>(byte);
            bool line_space = byte == '\n' || byte == '\t' || byte == '\r';
            if (byte < 0x20 && (rule_.json || !line_space)) continue;
            if (rule_.json && (byte == '"' || byte == '\\')) continue;
            std::size_t to = search().go(node, static_cast<char>(byte));
            if (search().nodes[to].found) continue;
            if (!edges.empty() && edges.back().next == counts_[to] && edges.back().high + 1 == byte)
                edges.back().high = c;
            else
                edges.push_back({c, c, counts_[to]});
        }
        if (rule_.json && rule_.escapes) edges.push_back({'\\', '\\', escape_});
        edges.push_back({0xC2, 0xDF, tail_});
        edges.push_back({0xE0, 0xE0, grammar_.range(0xA0, 0xBF, tail_)});
        edges.push_back({0xE1, 0xE1, tail2_});
        edges.push_back({0xE2, 0xE2, node == 0 ? tail2_ : zero_width(0x80, 0x8B, 0x8D, node)});
        edges.push_back({0xE3, 0xEC, tail2_});
        edges.push_back({0xED, 0xED, grammar_.range(0x80, 0x9F, tail_)});
        edges.push_back({0xEE, 0xEE, tail2_});
        edges.push_back({0xEF, 0xEF, node == 0 ? tail2_ : zero_width(0xBB, 0xBF, 0xBF, node)});
        edges.push_back({0xF0, 0xF0, grammar_.range(0x90, 0xBF, tail2_)});
        edges.push_back({0xF1, 0xF3, grammar_.range(0x80, 0xBF, tail2_)});
        edges.push_back({0xF4, 0xF4, grammar_.range(0x80, 0x8F, tail2_)});
        return edges;
    }

    // The last two bytes of a character of which those from `low` to `high` behind `second` have no
    // width: inside of a marker they change nothing.
    PlaceId zero_width(std::uint8_t second, std::uint8_t low, std::uint8_t high, std::size_t node) {
        std::vector<Edge> last{{low, high, counts_[node]}};
        if (low > 0x80) last.push_back({0x80, static_cast<std::uint8_t>(low - 1), counts_[0]});
        if (high < 0xBF) last.push_back({static_cast<std::uint8_t>(high + 1), 0xBF, counts_[0]});
        std::vector<Edge> middle{{second, second, grammar_.bytes(std::move(last))}};
        if (second > 0x80) middle.push_back({0x80, static_cast<std::uint8_t>(second - 1), tail_});
        if (second < 0xBF) middle.push_back({static_cast<std::uint8_t>(second + 1), 0xBF, tail_});
        return grammar_.bytes(std::move(middle));
    }

    // Behind a backslash. Surrogates only in pairs.
    PlaceId escape(PlaceId next) {
        auto hex = [&](PlaceId to) {
            return grammar_.bytes({{'0', '9', to}, {'A', 'F', to}, {'a', 'f', to}});
        };
        PlaceId one = hex(next), two = hex(one), three = hex(two);
        PlaceId low = grammar_.literal(
            "\\u", grammar_.bytes({{'D', 'D', low_half(two)}, {'d', 'd', low_half(two)}}));
        PlaceId high = hex(hex(low));
        PlaceId behind_d =
            grammar_.bytes({{'0', '7', two}, {'8', '9', high}, {'A', 'B', high}, {'a', 'b', high}});
        PlaceId unicode = grammar_.bytes({{'0', '9', three},
                                          {'A', 'C', three},
                                          {'D', 'D', behind_d},
                                          {'E', 'F', three},
                                          {'a', 'c', three},
                                          {'d', 'd', behind_d},
                                          {'e', 'f', three}});
        std::vector<Edge> edges{{'u', 'u', unicode}};
        for (char c : std::string_view("\"\\/bfnrt"))
            edges.push_back({static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c), next});
        return grammar_.bytes(std::move(edges));
    }

    PlaceId low_half(PlaceId two) { return grammar_.bytes({{'C', 'F', two}, {'c', 'f', two}}); }

    PlaceId guarded_start() {
        std::vector<Edge> edges = body(0);
        for (char c : rule_.not_first) remove(edges, static_cast<std::uint8_t>(c));
        PlaceId start = grammar_.count(loop_);
        grammar_.set_body(start, grammar_.bytes(std::move(edges)));
        return start;
    }

    // The edge that had the byte, if any.
    static std::optional<Edge> remove(std::vector<Edge>& edges, std::uint8_t byte) {
        for (std::size_t i = 0; i < edges.size(); ++i) {
            Edge edge = edges[i];
            if (byte < edge.low || edge.high < byte) continue;
            edges.erase(edges.begin() + static_cast<std::ptrdiff_t>(i));
            if (edge.low < byte)
                edges.push_back({edge.low, static_cast<std::uint8_t>(byte - 1), edge.next});
            if (byte < edge.high)
                edges.push_back({static_cast<std::uint8_t>(byte + 1), edge.high, edge.next});
            return edge;
        }
        return std::nullopt;
    }

    // Text that is none of `names`, behind their common first `depth` bytes, where text alone would
    // stand at `shadow`.
    PlaceId other_than(std::span<const std::string_view> names, std::size_t depth, PlaceId shadow) {
        bool boundary = grammar_.place(shadow).kind == Place::Kind::Count;
        if (boundary) shadow = grammar_.place(shadow).targets.at(0);
        std::vector<Edge> edges = grammar_.place(shadow).edges;
        bool whole = names.front().size() == depth;
        while (!names.empty() && names.front().size() == depth) names = names.subspan(1);
        while (!names.empty()) {
            char c = names.front()[depth];
            std::size_t same = 1;
            while (same < names.size() && names[same][depth] == c) ++same;
            auto byte = static_cast<std::uint8_t>(c);
            // Without an edge no text has this byte here, and so none is such a name.
            if (auto edge = remove(edges, byte))
                edges.push_back({byte, byte, other_than(names.first(same), depth + 1, edge->next)});
            names = names.subspan(same);
        }
        PlaceId made = grammar_.bytes(std::move(edges));
        return boundary && !whole ? grammar_.split({made, next_}) : made;
    }

    Grammar& grammar_;
    const TextRule& rule_;
    PlaceId next_;
    LoopId loop_;
    std::vector<PlaceId> counts_; // of each node of the search
    PlaceId escape_ = 0, tail_ = 0, tail2_ = 0;
};

} // namespace

PlaceId character(Grammar& grammar, const std::vector<CodePoints>& ranges, PlaceId next) {
    std::vector<Sequence> sequences;
    for (CodePoints range : ranges) cut(range.low, range.high, sequences);
    std::vector<PlaceId> targets;
    std::vector<Edge> single; // bytes
    for (const Sequence& sequence : sequences) {
        if (sequence.size() == 1) {
            single.push_back({sequence[0].low, sequence[0].high, next});
            continue;
        }
        PlaceId at = next;
        for (std::size_t i = sequence.size(); i-- > 0;)
            at = grammar.range(sequence[i].low, sequence[i].high, at);
        targets.push_back(at);
    }
    if (!single.empty() || targets.empty()) targets.push_back(grammar.bytes(std::move(single)));
    return grammar.split(std::move(targets));
}

PlaceId text(Grammar& grammar, const TextRule& rule, PlaceId next) {
    return TextMaker(grammar, rule, next).make();
}

bool has_marker(std::string_view text) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string_view here = text.substr(i);
        bool wide = here.starts_with("\u200b") || here.starts_with("\u200c") ||
                    here.starts_with("\u200d") || here.starts_with("\ufeff");
        if (wide && at != 0) {
            i += 2;
            continue;
        }
        at = search().go(at, text[i]);
        if (search().nodes[at].found) return true;
    }
    return false;
}

} // namespace assay::engine
