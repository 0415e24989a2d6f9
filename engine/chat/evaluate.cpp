// Expressions.
#include "chat/interpreter.h"
#include "chat/unicode.h"

#include <fmt/format.h>

namespace assay::engine::jinja {

namespace {

constexpr int kDeepestRun = 1200; // expressions inside expressions, through macros too

} // namespace

class Interpreter::Deeper {
  public:
    explicit Deeper(Interpreter& in)
        : in_(in) {
        if (++in_.depth_ > kDeepestRun)
            throw Failure(fmt::format("macros and expressions nested deeper than {}", kDeepestRun));
    }
    ~Deeper() { --in_.depth_; }

  private:
    Interpreter& in_;
};

Value Interpreter::evaluate(const Expression& node) {
    Deeper deeper(*this);
    steps.spend();
    int line = std::exchange(line_, node.line);
    Value value = evaluate_node(node);
    line_ = line;
    return value;
}

Value Interpreter::evaluate_node(const Expression& node) {
    using Type = Expression::Type;
    const auto& parts = node.parts;
    switch (node.type) {
    case Type::Constant:
        return node.constant;
    case Type::Variable:
        return variable(node);
    case Type::ListOf:
    case Type::TupleOf:
    case Type::DictOf:
        return container(node);
    case Type::Attribute:
        return attribute(evaluate(*parts[0]), *node.name);
    case Type::Item: {
        Value of = evaluate(*parts[0]);
        return item(of, evaluate(*parts[1]));
    }
    case Type::Slice:
        return slice(node);
    case Type::Call:
        return call_node(node);
    case Type::Filter:
        return filter_node(node);
    case Type::Test:
        return test_node(node);
    case Type::Not:
        return Value(!truth(evaluate(*parts[0])));
    case Type::Negative:
        return negative(*this, evaluate(*parts[0]));
    case Type::Positive:
        return arithmetic(*this, "+", Value(std::int64_t{0}), evaluate(*parts[0]));
    case Type::And: {
        Value left = evaluate(*parts[0]);
        return truth(left) ? evaluate(*parts[1]) : left;
    }
    case Type::Or: {
        Value left = evaluate(*parts[0]);
        return truth(left) ? left : evaluate(*parts[1]);
    }
    case Type::Conditional:
        return conditional(node);
    case Type::Concat:
        return concat(node);
    case Type::Arithmetic: {
        Value left = evaluate(*parts[0]);
        return arithmetic(*this, node.operators[0], left, evaluate(*parts[1]));
    }
    case Type::Compare:
        return compare_chain(node);
    case Type::NamespaceRef:
        break; // only a target
    }
    throw Failure("an expression that has no value");
}

Value Interpreter::variable(const Expression& node) {
    if (const Value* found = scope_->find(node.name)) return *found;
    if (const Value* found = variables_->find(Value(node.name))) return *found;
    if (Function::Body body = find_global(*node.name))
        return Value(heap.make<Function>(body, Value()));
    return heap.undefined(fmt::format("'{}' is undefined", *node.name));
}

Value Interpreter::container(const Expression& node) {
    if (node.type == Expression::Type::DictOf) {
        Dict* dict = heap.dict();
        for (std::size_t i = 0; i < node.parts.size(); i += 2) {
            Value key = evaluate(*node.parts[i]);
            heap.set(*dict, key, evaluate(*node.parts[i + 1]));
        }
        return Value(dict);
    }
    std::vector<Value> items;
    for (const Expression* part : node.parts) items.push_back(evaluate(*part));
    return node.type == Expression::Type::ListOf ? heap.list(std::move(items))
                                                 : heap.tuple(std::move(items));
}

Value Interpreter::concat(const Expression& node) {
    Text out = make_text();
    for (const Expression* part : node.parts) add_text(out, evaluate(*part));
    steps.spend_bytes(out.view().size());
    return heap.text(out.take());
}

Value Interpreter::compare_chain(const Expression& node) {
    Value left = evaluate(*node.parts[0]);
    for (std::size_t i = 0; i < node.operators.size(); ++i) {
        Value right = evaluate(*node.parts[i + 1]);
        std::string_view sign = node.operators[i];
        bool holds = false;
        if (sign == "==" || sign == "!=") {
            holds = equal(left, right, steps) == (sign == "==");
        } else if (sign == "in" || sign == "not in") {
            holds = contains(right, left) == (sign == "in");
        } else {
            int order = compare(left, right, sign, steps);
            holds = order != 2 && (sign[0] == '<' ? order < 0 : order > 0);
            if (sign.size() == 2 && order == 0) holds = true;
        }
        if (!holds) return Value(false);
        left = right;
    }
    return Value(true);
}

Value Interpreter::conditional(const Expression& node) {
    if (truth(evaluate(*node.parts[0]))) return evaluate(*node.parts[1]);
    if (node.parts[2]) return evaluate(*node.parts[2]);
    return heap.undefined(fmt::format("the inline if-expression on line {} evaluated to false and "
                                      "no else section was defined.",
                                      node.line));
}

Value Interpreter::call_node(const Expression& node) {
    Value callee = evaluate(*node.parts[0]);
    return call(callee, arguments(node));
}

Value Interpreter::filter_node(const Expression& node) {
    Value input = node.parts[0] ? evaluate(*node.parts[0]) : piped_;
    return filter(*node.name, input, arguments(node));
}

Value Interpreter::test_node(const Expression& node) {
    Value input = evaluate(*node.parts[0]);
    return Value(test(*node.name, input, arguments(node)));
}

Arguments Interpreter::arguments(const Expression& node) {
    Arguments made;
    for (const Argument& argument : node.arguments) {
        Value value = evaluate(*argument.value);
        switch (argument.form) {
        case Argument::Form::Positional:
            made.positional.push_back(value);
            break;
        case Argument::Form::Named:
            made.named.emplace_back(*argument.name, value);
            break;
        case Argument::Form::UnpackList:
            for (const Value& item : iterate(value)) made.positional.push_back(item);
            break;
        case Argument::Form::UnpackDict:
            if (!value.is(Kind::Dict)) throw Failure("argument after ** must be a mapping");
            for (const auto& [key, held] : value.dict->entries) {
                if (!key.is_string()) throw Failure("keywords must be strings");
                made.named.emplace_back(*key.text, held);
            }
            break;
        }
    }
    return made;
}

Value Interpreter::call(const Value& callee, const Arguments& given) {
    if (callee.is_undefined()) fail_undefined(callee);
    if (!callee.is(Kind::Object))
        throw Failure(fmt::format("'{}' object is not callable", type_name(callee)));
    Deeper deeper(*this);
    return callee.object->call(*this, given);
}

Value Interpreter::filter(std::string_view name, const Value& input, const Arguments& given) {
    for (auto find : {find_text_filter, find_list_filter, find_value_filter})
        if (FilterBody body = find(name)) return body(*this, input, given);
    throw Failure(fmt::format("No filter named '{}'.", name));
}

bool Interpreter::test(std::string_view name, const Value& input, const Arguments& given) {
    if (TestBody body = find_test(name)) return body(*this, input, given);
    throw Failure(fmt::format("No test named '{}'.", name));
}

} // namespace assay::engine::jinja
