// Python's arithmetic.
#include "chat/interpreter.h"

#include <fmt/format.h>

#include <cmath>

namespace assay::engine::jinja {

namespace {

[[noreturn]] void unsupported(std::string_view sign, const Value& a, const Value& b) {
    if (a.is_undefined()) fail_undefined(a);
    if (b.is_undefined()) fail_undefined(b);
    throw Failure(fmt::format("unsupported operand type(s) for {}: '{}' and '{}'", sign,
                              type_name(a), type_name(b)));
}

[[noreturn]] void too_large() {
    throw Failure("a whole number beyond 64 bits");
}

double real(const Value& value) {
    if (value.is(Kind::BigInt)) too_large();
    return value.is(Kind::Float) ? value.number : static_cast<double>(value.as_integer());
}

double floor_remainder(double a, double b) {
    double rest = std::fmod(a, b);
    if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
    return rest == 0 ? std::copysign(0.0, b) : rest;
}

Value power(std::int64_t base, std::int64_t exponent) {
    std::int64_t result = 1;
    while (exponent > 0) {
        if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) too_large();
        exponent >>= 1;
        if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) too_large();
    }
    return Value(result);
}

Value whole(std::string_view sign, std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    if (sign == "+"   ? __builtin_add_overflow(a, b, &result)
        : sign == "-" ? __builtin_sub_overflow(a, b, &result)
                      : sign == "*" && __builtin_mul_overflow(a, b, &result))
        too_large();
    if (sign == "+" || sign == "-" || sign == "*") return Value(result);
    if (b == 0) throw Failure("integer division or modulo by zero");
    if (b == -1) { // the quotient of the smallest number does not fit
        if (sign == "%") return Value(std::int64_t{0});
        return whole("-", 0, a);
    }
    std::int64_t quotient = a / b, rest = a % b;
    if (rest != 0 && (rest < 0) != (b < 0)) {
        --quotient;
        rest += b;
    }
    return Value(sign == "%" ? rest : quotient);
}

Value numbers(std::string_view sign, const Value& a, const Value& b) {
    bool integral = a.is_integral() && b.is_integral();
    if (sign == "**") {
        if (integral && b.as_integer() >= 0) return power(a.as_integer(), b.as_integer());
        if (real(a) == 0 && real(b) < 0) throw Failure("0.0 cannot be raised to a negative power");
        double result = std::pow(real(a), real(b));
        if (std::isnan(result) && !std::isnan(real(a)) && !std::isnan(real(b)))
            throw Failure("a power that is a complex number");
        if (std::isinf(result) && !std::isinf(real(a)) && !std::isinf(real(b)))
            throw Failure("a power that is out of range");
        return Value(result);
    }
    if (integral && sign != "/") return whole(sign, a.as_integer(), b.as_integer());
    double x = real(a), y = real(b);
    if (sign == "+") return Value(x + y);
    if (sign == "-") return Value(x - y);
    if (sign == "*") return Value(x * y);
    if (y == 0) throw Failure("division by zero");
    if (sign == "/") return Value(x / y);
    if (sign == "%") return Value(floor_remainder(x, y));
    return Value(std::floor((x - floor_remainder(x, y)) / y + 0.5));
}

Value repeated(Interpreter& in, const Value& what, std::int64_t times) {
    auto count = static_cast<std::size_t>(std::max<std::int64_t>(times, 0));
    if (what.is_string()) {
        Text out = in.make_text();
        out.repeat(*what.text, count);
        in.steps.spend_bytes(out.view().size());
        return in.heap.text(out.take());
    }
    const auto& items = what.list->items;
    if (items.empty()) return in.heap.list({}, what.list->flavor);
    if (count > in.heap.left() / sizeof(Value) / items.size())
        throw Failure("a list that is too long");
    std::vector<Value> all;
    in.steps.spend(count * items.size() / 8);
    for (; count > 0; --count) all.insert(all.end(), items.begin(), items.end());
    return in.heap.list(std::move(all), what.list->flavor);
}

bool sequence(const Value& value) {
    return value.is_string() || (value.is(Kind::List) && value.list->indexable());
}

} // namespace

Value arithmetic(Interpreter& in, std::string_view sign, const Value& a, const Value& b) {
    if (a.is_number() && b.is_number()) return numbers(sign, a, b);
    if (sign == "%" && a.is_string()) return format_percent(in, *a.text, b);
    if (sign == "*" && sequence(a) && b.is_integral()) return repeated(in, a, b.as_integer());
    if (sign == "*" && sequence(b) && a.is_integral()) return repeated(in, b, a.as_integer());
    if (sign != "+") unsupported(sign, a, b);
    if (a.is_string() && b.is_string()) {
        Text out = in.make_text();
        out.add(b.markup && !a.markup ? escaped(*a.text) : *a.text);
        out.add(a.markup && !b.markup ? escaped(*b.text) : *b.text);
        in.steps.spend_bytes(out.view().size());
        Value sum = in.heap.text(out.take());
        sum.markup = a.markup || b.markup;
        return sum;
    }
    if (a.is_string() && !b.is_undefined())
        throw Failure(fmt::format("can only concatenate str (not \"{}\") to str", type_name(b)));
    if (!sequence(a) || !sequence(b) || a.kind != b.kind || a.list->flavor != b.list->flavor)
        unsupported(sign, a, b);
    std::vector<Value> items = a.list->items;
    items.insert(items.end(), b.list->items.begin(), b.list->items.end());
    in.steps.spend(items.size() / 8);
    return in.heap.list(std::move(items), a.list->flavor);
}

Value negative(Interpreter&, const Value& value) {
    if (value.is_undefined()) fail_undefined(value);
    if (value.is(Kind::Float)) return Value(-value.number);
    if (value.is_integral()) return whole("-", 0, value.as_integer());
    if (value.is(Kind::BigInt)) too_large();
    throw Failure(fmt::format("bad operand type for unary -: '{}'", type_name(value)));
}

} // namespace assay::engine::jinja
