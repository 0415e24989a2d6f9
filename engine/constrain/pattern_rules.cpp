#include "constrain/pattern_rules.h"

#include "assay/base/text.h"
#include "constrain/schema_merge.h"
#include "constrain/text_rules.h"
#include "tokenizer/utf8.h"

#include <algorithm>
#include <memory>

namespace assay::engine {

namespace {

using Set = std::vector<CodePoints>;

constexpr char32_t kLast = 0x10FFFF;
constexpr std::uint32_t kMostRepeats = 1000;
constexpr std::size_t kLongest = 2000;
constexpr int kDeepest = 50;

Set sorted(Set set) {
    std::sort(set.begin(), set.end(), [](CodePoints a, CodePoints b) { return a.low < b.low; });
    Set out;
    for (CodePoints range : set) {
        if (!out.empty() && range.low <= out.back().high + 1)
            out.back().high = std::max(out.back().high, range.high);
        else
            out.push_back(range);
    }
    return out;
}

Set inverse(const Set& set) {
    Set out;
    char32_t from = 0;
    for (CodePoints range : sorted(set)) {
        if (range.low > from) out.push_back({from, range.low - 1});
        from = range.high + 1;
    }
    if (from <= kLast) out.push_back({from, kLast});
    return out;
}

Set both(const Set& a, const Set& b) {
    Set out = inverse(a), other = inverse(b);
    out.insert(out.end(), other.begin(), other.end());
    return inverse(out);
}

struct Node {
    enum class Kind { One, Sequence, Either, Repeat };
    Kind kind = Kind::Sequence;
    Set set{};
    std::vector<Node> parts{};
    std::uint32_t min = 0, max = 0;
};

class Reader {
  public:
    Reader(const std::string& text, const std::string& where)
        : text_(text)
        , where_(where) {
        if (!utf8_valid(text) || text.size() > kLongest) fail("longer than 2,000 bytes");
    }

    Node read() {
        Node all = either(0);
        if (at_ != text_.size()) fail("a ) without its (");
        return all;
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        refuse(where_, "pattern", "cannot be enforced while decoding: " + what);
    }
    bool more() const { return at_ < text_.size(); }
    bool take(char c) {
        if (!more() || text_[at_] != c) return false;
        ++at_;
        return true;
    }

    Node either(int depth) {
        if (depth > kDeepest) fail("nested too deep");
        Node out{Node::Kind::Either};
        do {
            out.parts.push_back(sequence(depth));
        } while (take('|'));
        return out;
    }

    // Of the whole expression, without ^ or $ anything may stand before or behind it.
    Node sequence(int depth) {
        Node out;
        bool top = depth == 0, begins = take('^');
        if (begins && !top) fail("^ inside of a group");
        if (top && !begins) out.parts.push_back(anything());
        bool ends = false;
        while (more() && text_[at_] != '|' && text_[at_] != ')' && !ends) {
            if (text_[at_] == '$') {
                ++at_;
                ends = true;
            } else {
                out.parts.push_back(quantified(depth));
            }
        }
        bool last = !more() || text_[at_] == '|';
        if (ends && (!top || !last)) fail("$ before the end");
        if (top && !ends) out.parts.push_back(anything());
        return out;
    }

    static Node anything() {
        return {Node::Kind::Repeat, {}, {{Node::Kind::One, {{0, kLast}}}}, 0, Grammar::kUnbounded};
    }

    Node quantified(int depth) {
        Node one = atom(depth);
        std::uint32_t min = 1, max = 1;
        if (take('*')) {
            min = 0;
            max = Grammar::kUnbounded;
        } else if (take('+')) {
            max = Grammar::kUnbounded;
        } else if (take('?')) {
            min = 0;
        } else if (take('{')) {
            min = max = whole();
            if (take(',')) max = more() && text_[at_] == '}' ? Grammar::kUnbounded : whole();
            if (!take('}') || min > max) fail("a quantifier");
        } else {
            return one;
        }
        take('?'); // takes as little as it can: the same texts
        if (more() && std::string_view("*+?{").find(text_[at_]) != std::string_view::npos)
            fail("a quantifier behind another");
        return {Node::Kind::Repeat, {}, {std::move(one)}, min, max};
    }

    std::uint32_t whole() {
        std::uint32_t value = 0;
        std::size_t start = at_;
        for (; more() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
            value = value * 10 + static_cast<std::uint32_t>(text_[at_] - '0');
            if (value > kMostRepeats) fail("more than 1,000 repeats");
        }
        if (at_ == start) fail("a quantifier");
        return value;
    }

    Node atom(int depth) {
        if (take('(')) {
            if (take('?') && !take(':')) fail("(? other than (?:");
            Node group = either(depth + 1);
            if (!take(')')) fail("a ( without its )");
            return group;
        }
        if (take('[')) return {Node::Kind::One, char_class()};
        if (take('.')) return {Node::Kind::One, inverse({{'\n', '\n'}, {'\r', '\r'}})};
        if (take('\\')) return {Node::Kind::One, escape()};
        if (std::string_view("*+?{}^").find(text_[at_]) != std::string_view::npos)
            fail(std::string("a bare ") + text_[at_]);
        char32_t c = utf8_next(text_, at_);
        return {Node::Kind::One, {{c, c}}};
    }

    Set escape() {
        if (!more()) fail("it ends in a backslash");
        char c = text_[at_++];
        Set digit{{'0', '9'}}, word{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}},
            space{{'\t', '\r'}, {' ', ' '}};
        switch (c) {
        case 'd':
            return digit;
        case 'D':
            return inverse(digit);
        case 'w':
            return word;
        case 'W':
            return inverse(word);
        case 's':
            return space;
        case 'S':
            return inverse(space);
        case 'n':
            return {{'\n', '\n'}};
        case 't':
            return {{'\t', '\t'}};
        case 'r':
            return {{'\r', '\r'}};
        default:
            break;
        }
        auto byte = static_cast<unsigned char>(c);
        bool sign = byte > 0x20 && byte < 0x7F && !(c >= '0' && c <= '9') &&
                    !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z');
        if (!sign) fail(std::string("\\") + c);
        return {{byte, byte}};
    }

    Set char_class() {
        bool inverted = take('^');
        Set out;
        while (more() && text_[at_] != ']') {
            Set one = class_member();
            bool range = at_ + 1 < text_.size() && text_[at_] == '-' && text_[at_ + 1] != ']';
            if (range) {
                ++at_;
                Set last = class_member();
                bool single = one.size() == 1 && one[0].low == one[0].high && last.size() == 1 &&
                              last[0].low == last[0].high && one[0].low <= last[0].low;
                if (!single) fail("a range of a class");
                one[0].high = last[0].high;
            }
            out.insert(out.end(), one.begin(), one.end());
        }
        if (!take(']')) fail("a [ without its ]");
        return inverted ? inverse(out) : sorted(out);
    }

    Set class_member() {
        if (take('\\')) return escape();
        char32_t c = utf8_next(text_, at_);
        return {{c, c}};
    }

    const std::string& text_;
    const std::string& where_;
    std::size_t at_ = 0;
};

class Maker {
  public:
    Maker(Grammar& grammar, bool json)
        : grammar_(grammar)
        , json_(json) {}

    PlaceId make(const Node& node, PlaceId next) {
        switch (node.kind) {
        case Node::Kind::One:
            return one_of(node.set, next);
        case Node::Kind::Sequence:
            for (std::size_t i = node.parts.size(); i-- > 0;) next = make(node.parts[i], next);
            return next;
        case Node::Kind::Either: {
            std::vector<PlaceId> targets;
            for (const Node& part : node.parts) targets.push_back(make(part, next));
            return grammar_.split(std::move(targets));
        }
        case Node::Kind::Repeat:
            break;
        }
        const Node& body = node.parts.at(0);
        PlaceId at = next;
        if (node.max == Grammar::kUnbounded) {
            PlaceId again = grammar_.split({next, next});
            grammar_.set_targets(again, {make(body, again), next});
            at = again;
        } else {
            for (std::uint32_t i = node.min; i < node.max; ++i)
                at = grammar_.split({make(body, at), next});
        }
        for (std::uint32_t i = 0; i < node.min; ++i) at = make(body, at);
        return at;
    }

  private:
    PlaceId one_of(const Set& set, PlaceId next) {
        Set raw =
            both(set, json_ ? inverse({{0, 0x1F}, {'"', '"'}, {'<', '<'}, {'\\', ']'}})
                            : inverse({{0, 8}, {11, 12}, {14, 0x1F}, {'<', '<'}, {']', ']'}}));
        std::vector<PlaceId> targets{character(grammar_, raw, next)};
        if (json_) {
            std::vector<Edge> edges;
            auto offer = [&](char32_t c, char written) {
                if (!both(set, {{c, c}}).empty())
                    edges.push_back({static_cast<std::uint8_t>(written),
                                     static_cast<std::uint8_t>(written), next});
            };
            offer('"', '"');
            offer('\\', '\\');
            offer('\n', 'n');
            offer('\r', 'r');
            offer('\t', 't');
            if (!edges.empty())
                targets.push_back(grammar_.range('\\', '\\', grammar_.bytes(std::move(edges))));
        }
        return grammar_.split(std::move(targets));
    }

    Grammar& grammar_;
    bool json_;
};

} // namespace

PlaceId pattern(Grammar& grammar, const std::string& expression, const std::string& where,
                bool json, PlaceId next) {
    Node whole = Reader(expression, where).read();
    Region before = grammar.region();
    grammar.in_region(Region::String);
    PlaceId made = Maker(grammar, json).make(whole, next);
    grammar.in_region(before);
    return made;
}

} // namespace assay::engine
