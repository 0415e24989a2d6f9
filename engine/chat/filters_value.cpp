// Filters that neither read text nor lists: numbers, JSON, default values.
#include "chat/interpreter.h"
#include "chat/json_text.h"
#include "chat/unicode.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace assay::engine::jinja {

namespace {

Value to_json(Interpreter& in, const Value& input, const Arguments& given) {
    Bound bound("tojson", given, {"ensure_ascii", "indent", "separators", "sort_keys"});
    JsonStyle style;
    style.ascii = bound.flag(0, false);
    if (bound.flag(3, false)) style.steps = &in.steps;
    if (bound.has(1) && !bound.need(1).is_none()) {
        style.broken_lines = true;
        style.item_separator = ",";
        if (bound.need(1).is_string()) {
            style.indent = *bound.need(1).text;
        } else {
            std::int64_t width = bound.integer(1, 0);
            if (width > 1000) throw Failure("tojson(): an indent above 1000");
            style.indent.assign(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
        }
    }
    if (bound.has(2) && !bound.need(2).is_none()) {
        std::vector<Value> pair = in.iterate(bound.need(2));
        if (pair.size() != 2) throw Failure("tojson(): 'separators' must be a pair");
        style.item_separator = in.text(pair[0]);
        style.key_separator = in.text(pair[1]);
    }
    Text out = in.make_text();
    add_json(out, input, style);
    in.steps.spend_bytes(out.view().size());
    return in.heap.text(out.take());
}

Value default_value(Interpreter& in, const Value& input, const Arguments& given) {
    Bound bound("default", given, {"default_value", "boolean"});
    bool absent = input.is_undefined() || (bound.flag(1, false) && !truth(input));
    if (!absent) return input;
    return bound.has(0) ? bound.need(0) : in.heap.text("");
}

// Python's int() and float() of a text, which ignore white space around it and _ between digits.
std::optional<std::int64_t> parse_integer(std::string_view text, int base) {
    std::string digits(strip_left(strip_right(text)));
    std::erase(digits, '_');
    bool minus = digits.starts_with('-');
    std::string_view body = digits;
    if (minus || digits.starts_with('+')) body.remove_prefix(1);
    if (base == 16 && (body.starts_with("0x") || body.starts_with("0X"))) body.remove_prefix(2);
    if (body.empty() || body[0] == '-' || body[0] == '+') return std::nullopt;
    std::string signed_digits = (minus ? "-" : "") + std::string(body);
    std::int64_t value = 0;
    const char* end = signed_digits.data() + signed_digits.size();
    auto result = std::from_chars(signed_digits.data(), end, value, base);
    if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
    return value;
}

std::optional<double> parse_real(std::string_view text) {
    std::string digits(strip_left(strip_right(text)));
    std::erase(digits, '_');
    std::string_view body = digits;
    if (body.starts_with('+')) body.remove_prefix(1);
    double value = 0;
    auto result = std::from_chars(body.data(), body.data() + body.size(), value);
    if (result.ec != std::errc() || result.ptr != body.data() + body.size()) return std::nullopt;
    return value;
}

std::optional<std::int64_t> truncated(double value) {
    if (!(std::abs(value) < 9.2e18)) return std::nullopt;
    return static_cast<std::int64_t>(value);
}

Value to_integer(Interpreter&, const Value& input, const Arguments& given) {
    Bound bound("int", given, {"default", "base"});
    std::int64_t base = bound.integer(1, 10);
    if (base < 2 || base > 36) throw Failure("int(): a base below 2 or above 36");
    std::optional<std::int64_t> value;
    if (input.is_integral()) value = input.as_integer();
    if (input.is(Kind::BigInt)) return input;
    if (input.is(Kind::Float)) value = truncated(input.number);
    if (input.is_string()) {
        value = parse_integer(*input.text, static_cast<int>(base));
        if (auto real = value ? std::nullopt : parse_real(*input.text)) value = truncated(*real);
    }
    return value ? Value(*value) : bound.or_else(0, Value(std::int64_t{0}));
}

Value to_real(Interpreter&, const Value& input, const Arguments& given) {
    Bound bound("float", given, {"default"});
    if (input.is(Kind::Float)) return input;
    if (input.is_integral()) return Value(static_cast<double>(input.as_integer()));
    if (input.is(Kind::BigInt) || input.is_string())
        if (auto value = parse_real(*input.text)) return Value(*value);
    return bound.or_else(0, Value(0.0));
}

Value absolute(Interpreter& in, const Value& input, const Arguments&) {
    if (input.is(Kind::Float)) return Value(std::abs(input.number));
    if (input.is_integral() && input.as_integer() >= 0) return Value(input.as_integer());
    return negative(in, input);
}

// To nearest, ties to even, at a decimal place: by way of the decimal digits, as Python rounds.
double round_decimal(double value, std::int64_t places) {
    if (!std::isfinite(value) || places > 300) return value;
    if (places < 0) {
        double unit = std::pow(10.0, static_cast<double>(-std::max<std::int64_t>(places, -300)));
        return std::nearbyint(value / unit) * unit;
    }
    std::string digits = fmt::format("{:.{}f}", value, places);
    double rounded = value;
    std::from_chars(digits.data(), digits.data() + digits.size(), rounded);
    return rounded;
}

Value round_number(Interpreter&, const Value& input, const Arguments& given) {
    Bound bound("round", given, {"precision", "method"});
    std::int64_t places = bound.integer(0, 0);
    std::string method = bound.text(1, "common");
    if (!input.is_integral() && !input.is(Kind::Float)) {
        if (input.is_undefined()) fail_undefined(input);
        throw Failure("type " + type_name(input) + " cannot be rounded");
    }
    double value = input.is(Kind::Float) ? input.number : static_cast<double>(input.as_integer());
    if (method == "common") {
        if (input.is_integral() && places >= 0) return Value(input.as_integer());
        if (input.is_integral())
            return Value(truncated(round_decimal(value, places)).value_or(input.as_integer()));
        return Value(round_decimal(value, places));
    }
    if (method != "ceil" && method != "floor")
        throw Failure("method must be common, ceil or floor");
    double unit = std::pow(10.0, static_cast<double>(places));
    return Value((method == "ceil" ? std::ceil(value * unit) : std::floor(value * unit)) / unit);
}

} // namespace

FilterBody find_value_filter(std::string_view name) {
    static const std::unordered_map<std::string_view, FilterBody> kFilters = {
        {"tojson", to_json},     {"default", default_value}, {"d", default_value},
        {"int", to_integer},     {"float", to_real},         {"abs", absolute},
        {"round", round_number},
    };
    auto found = kFilters.find(name);
    return found == kFilters.end() ? nullptr : found->second;
}

} // namespace assay::engine::jinja
