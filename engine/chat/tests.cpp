// What may stand behind `is`.
#include "chat/interpreter.h"
#include "chat/unicode.h"

#include <fmt/format.h>

namespace assay::engine::jinja {

namespace {

using In = Interpreter;

const Value& operand(std::string_view name, const Arguments& given) {
    if (given.positional.empty())
        throw Failure(fmt::format("the test '{}' needs an argument", name));
    return given.positional[0];
}

bool is_defined(In&, const Value& v, const Arguments&) {
    return !v.is_undefined();
}
bool is_undefined(In&, const Value& v, const Arguments&) {
    return v.is_undefined();
}
bool is_none(In&, const Value& v, const Arguments&) {
    return v.is_none();
}
bool is_boolean(In&, const Value& v, const Arguments&) {
    return v.is(Kind::Bool);
}
bool is_true(In&, const Value& v, const Arguments&) {
    return v.is(Kind::Bool) && v.boolean;
}
bool is_false(In&, const Value& v, const Arguments&) {
    return v.is(Kind::Bool) && !v.boolean;
}
bool is_float(In&, const Value& v, const Arguments&) {
    return v.is(Kind::Float);
}
bool is_number(In&, const Value& v, const Arguments&) {
    return v.is_number();
}
bool is_string(In&, const Value& v, const Arguments&) {
    return v.is_string();
}
bool is_mapping(In&, const Value& v, const Arguments&) {
    return v.is(Kind::Dict);
}

bool is_integer(In&, const Value& v, const Arguments&) {
    return v.is(Kind::Int) || v.is(Kind::BigInt);
}

bool is_iterable(In&, const Value& v, const Arguments&) {
    return v.is_undefined() || v.is_string() || v.is(Kind::List) || v.is(Kind::Dict);
}

bool is_sequence(In&, const Value& v, const Arguments&) {
    return v.is_undefined() || v.is_string() || v.is(Kind::Dict) ||
           (v.is(Kind::List) && v.list->indexable());
}

bool is_callable(In&, const Value& v, const Arguments&) {
    return v.is(Kind::Object) && v.object->callable();
}

bool is_lower(In& in, const Value& v, const Arguments&) {
    std::string text = in.text(v);
    return text == to_lower(text) && text != to_upper(text);
}

bool is_upper(In& in, const Value& v, const Arguments&) {
    std::string text = in.text(v);
    return text == to_upper(text) && text != to_lower(text);
}

bool remainder_is(In& in, const Value& v, const Value& divisor, std::int64_t rest) {
    return equal(arithmetic(in, "%", v, divisor), Value(rest), in.steps);
}

bool is_even(In& in, const Value& v, const Arguments&) {
    return remainder_is(in, v, Value(std::int64_t{2}), 0);
}
bool is_odd(In& in, const Value& v, const Arguments&) {
    return remainder_is(in, v, Value(std::int64_t{2}), 1);
}
bool is_divisible(In& in, const Value& v, const Arguments& given) {
    return remainder_is(in, v, operand("divisibleby", given), 0);
}

bool is_equal(In& in, const Value& v, const Arguments& given) {
    return equal(v, operand("==", given), in.steps);
}
bool is_unequal(In& in, const Value& v, const Arguments& given) {
    return !is_equal(in, v, given);
}
bool is_less(In& in, const Value& v, const Arguments& given) {
    return compare(v, operand("<", given), "<", in.steps) == -1;
}
bool is_greater(In& in, const Value& v, const Arguments& given) {
    return compare(v, operand(">", given), ">", in.steps) == 1;
}
bool is_at_most(In& in, const Value& v, const Arguments& given) {
    int order = compare(v, operand("<=", given), "<=", in.steps);
    return order == -1 || order == 0;
}
bool is_at_least(In& in, const Value& v, const Arguments& given) {
    int order = compare(v, operand(">=", given), ">=", in.steps);
    return order == 1 || order == 0;
}
bool is_in(In& in, const Value& v, const Arguments& given) {
    return in.contains(operand("in", given), v);
}

bool is_same(In& in, const Value& v, const Arguments& given) {
    const Value& other = operand("sameas", given);
    if (v.kind != other.kind) return false;
    switch (v.kind) {
    case Kind::String:
        return v.text == other.text;
    case Kind::List:
        return v.list == other.list;
    case Kind::Dict:
        return v.dict == other.dict;
    default:
        return equal(v, other, in.steps);
    }
}

bool is_filter(In&, const Value& v, const Arguments&) {
    return v.is_string() &&
           (find_text_filter(*v.text) || find_list_filter(*v.text) || find_value_filter(*v.text));
}
bool is_test(In&, const Value& v, const Arguments&) {
    return v.is_string() && find_test(*v.text);
}
bool is_escaped(In&, const Value&, const Arguments&) {
    return false;
}

} // namespace

TestBody find_test(std::string_view name) {
    static const std::unordered_map<std::string_view, TestBody> kTests = {
        {"defined", is_defined},
        {"undefined", is_undefined},
        {"none", is_none},
        {"boolean", is_boolean},
        {"true", is_true},
        {"false", is_false},
        {"float", is_float},
        {"number", is_number},
        {"string", is_string},
        {"mapping", is_mapping},
        {"integer", is_integer},
        {"iterable", is_iterable},
        {"sequence", is_sequence},
        {"callable", is_callable},
        {"lower", is_lower},
        {"upper", is_upper},
        {"even", is_even},
        {"odd", is_odd},
        {"divisibleby", is_divisible},
        {"==", is_equal},
        {"eq", is_equal},
        {"equalto", is_equal},
        {"!=", is_unequal},
        {"ne", is_unequal},
        {"<", is_less},
        {"lt", is_less},
        {"lessthan", is_less},
        {">", is_greater},
        {"gt", is_greater},
        {"greaterthan", is_greater},
        {"<=", is_at_most},
        {"le", is_at_most},
        {">=", is_at_least},
        {"ge", is_at_least},
        {"in", is_in},
        {"sameas", is_same},
        {"filter", is_filter},
        {"test", is_test},
        {"escaped", is_escaped},
    };
    auto found = kTests.find(name);
    return found == kTests.end() ? nullptr : found->second;
}

} // namespace assay::engine::jinja
