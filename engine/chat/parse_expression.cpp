#include "chat/parser.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

namespace assay::engine::jinja {

using T = Expression::Type;

Expression& Parser::make(T type, std::vector<const Expression*> parts) {
    Expression made{type, now().line};
    made.parts = std::move(parts);
    return program_.expressions.emplace_back(std::move(made));
}

bool Parser::at_tuple_end(std::string_view end_word) const {
    return at(Type::VariableEnd) || at(Type::BlockEnd) || at_operator(")") ||
           (!end_word.empty() && at_word(end_word));
}

const Expression* Parser::tuple(bool conditional, std::string_view end_word) {
    std::vector<const Expression*> parts;
    bool several = false;
    while (!at_tuple_end(end_word)) {
        parts.push_back(expression(conditional));
        if (!take_operator(",")) break;
        several = true;
    }
    if (several) return &make(T::TupleOf, std::move(parts));
    if (parts.empty()) unexpected("an expression");
    return parts[0];
}

const Expression* Parser::expression(bool conditional) {
    Deeper deeper(*this);
    const Expression* value = disjunction();
    while (conditional && take_word("if")) {
        const Expression* condition = disjunction();
        const Expression* otherwise = take_word("else") ? expression() : nullptr;
        value = &make(T::Conditional, {condition, value, otherwise});
    }
    return value;
}

const Expression* Parser::disjunction() {
    const Expression* left = conjunction();
    while (take_word("or")) left = &make(T::Or, {left, conjunction()});
    return left;
}

const Expression* Parser::conjunction() {
    const Expression* left = negation();
    while (take_word("and")) left = &make(T::And, {left, negation()});
    return left;
}

const Expression* Parser::negation() {
    if (!take_word("not")) return comparison();
    Deeper deeper(*this);
    return &make(T::Not, {negation()});
}

const Expression* Parser::comparison() {
    static constexpr std::string_view kSigns[] = {"==", "!=", "<=", ">=", "<", ">"};
    std::vector<const Expression*> parts{sum()};
    std::vector<std::string_view> operators;
    while (true) {
        std::string_view found;
        for (std::string_view sign : kSigns)
            if (at_operator(sign)) found = sign;
        if (at_word("in")) found = "in";
        if (at_word("not") && ahead().type == Type::Name && ahead().text == "in") {
            next();
            found = "not in";
        }
        if (found.empty()) break;
        next();
        operators.push_back(found);
        parts.push_back(sum());
    }
    if (operators.empty()) return parts[0];
    Expression& made = make(T::Compare, std::move(parts));
    made.operators = std::move(operators);
    return &made;
}

const Expression* Parser::sum() {
    const Expression* left = concat();
    while (at_operator("+") || at_operator("-")) {
        std::string_view sign = at_operator("+") ? "+" : "-";
        next();
        Expression& made = make(T::Arithmetic, {left, concat()});
        made.operators = {sign};
        left = &made;
    }
    return left;
}

const Expression* Parser::concat() {
    std::vector<const Expression*> parts{product()};
    while (take_operator("~")) parts.push_back(product());
    return parts.size() == 1 ? parts[0] : &make(T::Concat, std::move(parts));
}

const Expression* Parser::product() {
    static constexpr std::string_view kSigns[] = {"*", "/", "//", "%"};
    const Expression* left = power();
    while (true) {
        std::string_view found;
        for (std::string_view sign : kSigns)
            if (at_operator(sign)) found = sign;
        if (found.empty()) return left;
        next();
        Expression& made = make(T::Arithmetic, {left, power()});
        made.operators = {found};
        left = &made;
    }
}

const Expression* Parser::power() {
    const Expression* left = unary();
    while (take_operator("**")) {
        Expression& made = make(T::Arithmetic, {left, unary()});
        made.operators = {"**"};
        left = &made;
    }
    return left;
}

const Expression* Parser::unary(bool filters) {
    Deeper deeper(*this);
    const Expression* node;
    if (take_operator("-"))
        node = &make(T::Negative, {unary(false)});
    else if (take_operator("+"))
        node = &make(T::Positive, {unary(false)});
    else
        node = primary();
    node = postfix(node);
    return filters ? filters_and_tests(node) : node;
}

const Expression* Parser::variable() {
    std::string_view word = now().text;
    Expression& made = make(T::Constant);
    if (word == "true" || word == "True" || word == "false" || word == "False") {
        made.constant = Value(word[0] == 't' || word[0] == 'T');
    } else if (word != "none" && word != "None") {
        made.type = T::Variable;
        made.name = program_.intern(word);
        for (Signature* function : functions_) {
            function->uses_caller |= word == "caller";
            function->uses_varargs |= word == "varargs";
            function->uses_kwargs |= word == "kwargs";
        }
    }
    next();
    return &made;
}

const Expression* Parser::primary() {
    if (at(Type::Name)) return variable();
    if (at(Type::String)) {
        Expression& made = make(T::Constant);
        std::string& text = program_.strings.emplace_back();
        for (; at(Type::String); next()) text += now().text;
        made.constant = Value(&text);
        return &made;
    }
    if (at(Type::Integer) || at(Type::Float)) {
        Expression& made = make(T::Constant);
        const std::string& digits = now().text;
        const char* end = digits.data() + digits.size();
        std::int64_t whole = 0;
        if (at(Type::Float)) {
            made.constant = Value(std::strtod(digits.c_str(), nullptr)); // 1e400 is inf
        } else if (std::from_chars(digits.data(), end, whole).ec == std::errc()) {
            made.constant = Value(whole);
        } else {
            made.constant = Value(&program_.strings.emplace_back(digits), Value::Kind::BigInt);
        }
        next();
        return &made;
    }
    if (take_operator("(")) {
        const Expression* inner = at_operator(")") ? &make(T::TupleOf) : tuple();
        expect_operator(")");
        return inner;
    }
    if (at_operator("[") || at_operator("{")) {
        bool pairs = at_operator("{");
        next();
        Expression& made = make(pairs ? T::DictOf : T::ListOf);
        items(made, pairs ? "}" : "]", pairs);
        return &made;
    }
    unexpected("an expression");
}

void Parser::items(Expression& into, std::string_view close, bool pairs) {
    while (!at_operator(close)) {
        into.parts.push_back(expression());
        if (pairs) {
            expect_operator(":");
            into.parts.push_back(expression());
        }
        if (!at_operator(close)) expect_operator(",");
    }
    next();
}

const Expression* Parser::postfix(const Expression* node) {
    while (true) {
        if (at_operator(".") || at_operator("["))
            node = subscript(node);
        else if (at_operator("("))
            node = call(node);
        else
            return node;
    }
}

const Expression* Parser::filters_and_tests(const Expression* node) {
    while (true) {
        if (take_operator("|"))
            node = filter(node);
        else if (take_word("is"))
            node = test(node);
        else if (at_operator("("))
            node = call(node);
        else
            return node;
    }
}

const Expression* Parser::filter(const Expression* node) {
    Expression& made = make(T::Filter, {node});
    made.name = expect_name();
    if (at_operator("(")) made.arguments = arguments();
    return &made;
}

const Expression* Parser::test(const Expression* node) {
    bool negated = take_word("not");
    Expression& made = make(T::Test, {node});
    made.name = expect_name();
    bool operand = at(Type::Name) || at(Type::String) || at(Type::Integer) || at(Type::Float) ||
                   at_operator("[") || at_operator("{");
    if (at_operator("(")) {
        made.arguments = arguments();
    } else if (operand && !at_word("else") && !at_word("or") && !at_word("and")) {
        if (at_word("is")) fail("You cannot chain multiple tests with is");
        made.arguments.push_back({.value = postfix(primary())});
    }
    return negated ? &make(T::Not, {&made}) : &made;
}

const Expression* Parser::subscript(const Expression* node) {
    if (take_operator(".")) {
        if (at(Type::Integer)) return &make(T::Item, {node, primary()});
        Expression& made = make(T::Attribute, {node});
        made.name = expect_name();
        return &made;
    }
    next();
    Deeper deeper(*this);
    auto at_limit_end = [&] { return at_operator(":") || at_operator("]"); };
    auto limit = [&] { return at_limit_end() ? nullptr : expression(); };
    const Expression* first = at_operator(":") ? nullptr : expression();
    const Expression* made;
    if (take_operator(":")) {
        const Expression* last = limit();
        const Expression* step = take_operator(":") ? limit() : nullptr;
        made = &make(T::Slice, {node, first, last, step});
    } else {
        made = &make(T::Item, {node, first});
    }
    expect_operator("]");
    return made;
}

const Expression* Parser::call(const Expression* node) {
    Expression& made = make(T::Call, {node});
    made.arguments = arguments();
    return &made;
}

std::vector<Argument> Parser::arguments() {
    using Form = Argument::Form;
    expect_operator("(");
    std::vector<Argument> made;
    Form last = Form::Positional;
    while (!at_operator(")")) {
        Argument argument;
        if (take_operator("*")) {
            argument.form = Form::UnpackList;
        } else if (take_operator("**")) {
            argument.form = Form::UnpackDict;
        } else if (at(Type::Name) && ahead().type == Type::Operator && ahead().text == "=") {
            argument.form = Form::Named;
            argument.name = expect_name();
            next();
        }
        if (last > argument.form && argument.form != Form::Named)
            fail("invalid syntax for function call expression");
        last = argument.form;
        argument.value = expression();
        made.push_back(argument);
        if (!at_operator(")")) expect_operator(",");
    }
    next();
    return made;
}

} // namespace assay::engine::jinja
