#include "constrain/number_rules.h"

#include <algorithm>
#include <string>
#include <vector>

namespace assay::engine {

namespace {

constexpr std::uint32_t kMostDigits = 18;

PlaceId digits(Grammar& grammar, std::uint32_t min, std::uint32_t max, PlaceId next) {
    LoopId loop = grammar.loop(min, max, next);
    PlaceId count = grammar.count(loop);
    grammar.in_loop(loop);
    grammar.set_body(count, grammar.range('0', '9', count));
    grammar.in_loop(-1);
    return count;
}

// All texts of as many digits as `low` and `high` have, from one to the other.
PlaceId between(Grammar& grammar, std::string_view low, std::string_view high, PlaceId next) {
    if (low.empty()) return next;
    if (low.find_first_not_of('0') == low.npos && high.find_first_not_of('9') == high.npos)
        return grammar.range('0', '9', between(grammar, low.substr(1), high.substr(1), next));
    auto first = static_cast<std::uint8_t>(low[0]), last = static_cast<std::uint8_t>(high[0]);
    std::string_view low_rest = low.substr(1), high_rest = high.substr(1);
    if (first == last)
        return grammar.range(first, first, between(grammar, low_rest, high_rest, next));
    std::string nines(low_rest.size(), '9'), zeros(low_rest.size(), '0');
    std::vector<Edge> edges{{first, first, between(grammar, low_rest, nines, next)},
                            {last, last, between(grammar, zeros, high_rest, next)}};
    if (last - first > 1)
        edges.push_back({static_cast<std::uint8_t>(first + 1), static_cast<std::uint8_t>(last - 1),
                         between(grammar, zeros, nines, next)});
    return grammar.bytes(std::move(edges));
}

// From `low` to `high`, both at least 0.
void whole(Grammar& grammar, std::int64_t low, std::int64_t high, PlaceId next,
           std::vector<PlaceId>& out) {
    while (low <= high) {
        std::string from = std::to_string(low);
        std::int64_t last = std::min<std::int64_t>(high, std::stoll(std::string(from.size(), '9')));
        out.push_back(between(grammar, from, std::to_string(last), next));
        low = last + 1;
    }
}

PlaceId optional(Grammar& grammar, PlaceId some, PlaceId none) {
    return grammar.split({some, none});
}

struct Fractions {
    PlaceId any;      // or none
    PlaceId positive; // one that is not zero
    PlaceId zero;     // none
};

Fractions fractions(Grammar& grammar, PlaceId next) {
    Fractions made{};
    made.zero = next;
    PlaceId point = digits(grammar, 1, kMostDigits, next);
    made.any = optional(grammar, grammar.range('.', '.', point), next);
    PlaceId tail = digits(grammar, 0, kMostDigits - 6, next);
    PlaceId zeros = grammar.range('1', '9', tail);
    for (int i = 0; i < 5; ++i) zeros = grammar.bytes({{'0', '0', zeros}, {'1', '9', tail}});
    made.positive = grammar.range('.', '.', zeros);
    return made;
}

// x between two bounds, neither negative; `open` as in NumberBounds.
void decimal(Grammar& grammar, std::int64_t low, bool low_open, std::int64_t high, bool high_open,
             const Fractions& fraction, std::vector<PlaceId>& out) {
    if (low > high || (low == high && (low_open || high_open))) return;
    if (low == high) return whole(grammar, low, high, fraction.zero, out);
    whole(grammar, low, low, low_open ? fraction.positive : fraction.any, out);
    whole(grammar, low + 1, high - 1, fraction.any, out);
    if (!high_open) whole(grammar, high, high, fraction.zero, out);
}

PlaceId free_number(Grammar& grammar, PlaceId next) {
    PlaceId exponent_digits = digits(grammar, 1, 2, next);
    PlaceId sign =
        optional(grammar, grammar.bytes({{'+', '+', exponent_digits}, {'-', '-', exponent_digits}}),
                 exponent_digits);
    PlaceId exponent = optional(grammar, grammar.bytes({{'E', 'E', sign}, {'e', 'e', sign}}), next);
    PlaceId fraction = optional(
        grammar, grammar.range('.', '.', digits(grammar, 1, kMostDigits, exponent)), exponent);
    PlaceId more = digits(grammar, 0, kMostDigits - 1, fraction);
    PlaceId unsigned_number = grammar.bytes({{'0', '0', fraction}, {'1', '9', more}});
    return optional(grammar, grammar.range('-', '-', unsigned_number), unsigned_number);
}

} // namespace

PlaceId integer(Grammar& grammar, std::int64_t low, std::int64_t high, PlaceId next) {
    low = std::max(low, -kLargestInteger);
    high = std::min(high, kLargestInteger);
    std::vector<PlaceId> positive, negative;
    whole(grammar, std::max<std::int64_t>(low, 0), high, next, positive);
    if (low < 0) whole(grammar, std::max<std::int64_t>(-high, 1), -low, next, negative);
    if (!negative.empty())
        positive.push_back(grammar.range('-', '-', grammar.split(std::move(negative))));
    return grammar.split(std::move(positive));
}

PlaceId number(Grammar& grammar, const NumberBounds& bounds, PlaceId next) {
    if (!bounds.low && !bounds.high) return free_number(grammar, next);
    std::int64_t low = std::max(bounds.low.value_or(-kLargestInteger), -kLargestInteger);
    std::int64_t high = std::min(bounds.high.value_or(kLargestInteger), kLargestInteger);
    Fractions fraction = fractions(grammar, next);
    std::vector<PlaceId> positive, negative;
    if (high >= 0)
        decimal(grammar, std::max<std::int64_t>(low, 0), low >= 0 && bounds.low_open, high,
                bounds.high_open, fraction, positive);
    if (low < 0)
        decimal(grammar, std::max<std::int64_t>(-high, 0), high < 0 ? bounds.high_open : true, -low,
                bounds.low_open, fraction, negative);
    if (!negative.empty())
        positive.push_back(grammar.range('-', '-', grammar.split(std::move(negative))));
    return grammar.split(std::move(positive));
}

} // namespace assay::engine
