#include "chat/parser.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay::engine::jinja {

namespace {

constexpr int kDeepestSource = 200;

} // namespace

Parser::Deeper::Deeper(Parser& parser)
    : parser_(parser) {
    if (++parser_.depth_ > kDeepestSource)
        parser_.fail(fmt::format("nested deeper than {}", kDeepestSource));
}

void Parser::run() {
    program_.body = body_until({});
}

void Parser::fail(std::string message, int line) const {
    throw SyntaxFailure{line ? line : now().line, std::move(message)};
}

void Parser::unexpected(std::string_view wanted) const {
    switch (now().type) {
    case Type::End:
        fail(fmt::format("the template ends where {} is expected", wanted));
    case Type::BlockEnd:
    case Type::VariableEnd:
        fail(fmt::format("the tag ends where {} is expected", wanted));
    default:
        fail(fmt::format("expected {}, got '{}'", wanted, now().text));
    }
}

bool Parser::take_operator(std::string_view text) {
    if (!at_operator(text)) return false;
    next();
    return true;
}

bool Parser::take_word(std::string_view word) {
    if (!at_word(word)) return false;
    next();
    return true;
}

void Parser::expect_operator(std::string_view text) {
    if (!take_operator(text)) unexpected(fmt::format("'{}'", text));
}

void Parser::expect(Type type, std::string_view what) {
    if (!at(type)) unexpected(what);
    next();
}

Symbol Parser::expect_name() {
    if (!at(Type::Name)) unexpected("a name");
    Symbol name = program_.intern(now().text);
    next();
    return name;
}

Body Parser::body_until(Words ends) {
    Deeper deeper(*this);
    Body body;
    while (true) {
        int line = now().line;
        if (at(Type::End)) {
            if (ends.size() == 0) return body;
            fail(fmt::format("Unexpected end of template. Looking for '{}'",
                             fmt::join(ends, "' or '")));
        }
        if (at(Type::Data)) {
            Statement& made =
                program_.statements.emplace_back(Statement{Statement::Type::Data, line});
            made.text = now().text;
            body.push_back(&made);
            next();
        } else if (at(Type::VariableBegin)) {
            next();
            Statement& made =
                program_.statements.emplace_back(Statement{Statement::Type::Print, line});
            made.value = tuple();
            body.push_back(&made);
            expect(Type::VariableEnd, "'}}'");
        } else {
            next(); // the beginning of a block
            auto is_end = [&](std::string_view word) { return at_word(word); };
            if (std::any_of(ends.begin(), ends.end(), is_end)) return body;
            tag(body);
            expect(Type::BlockEnd, "'%}'");
        }
    }
}

Body Parser::block(Words ends) {
    take_operator(":");
    expect(Type::BlockEnd, "'%}'");
    return body_until(ends);
}

Body Parser::closed_block(std::string_view end) {
    Body body = block({end});
    next();
    return body;
}

void Parser::tag(Body& into) {
    if (take_word("print")) {
        while (!at(Type::BlockEnd)) {
            Statement& made =
                program_.statements.emplace_back(Statement{Statement::Type::Print, now().line});
            made.value = expression();
            into.push_back(&made);
            if (!at(Type::BlockEnd)) expect_operator(",");
        }
        return;
    }
    into.push_back(statement());
}

const Statement* Parser::statement() {
    if (!at(Type::Name)) unexpected("the name of a tag");
    std::string word = now().text;
    int line = now().line;
    next();
    Statement& made = program_.statements.emplace_back(Statement{Statement::Type::If, line});
    if (word == "if") {
        parse_if(made);
    } else if (word == "for") {
        parse_for(made);
    } else if (word == "set") {
        parse_set(made);
    } else if (word == "macro") {
        parse_macro(made);
    } else if (word == "call") {
        parse_call(made);
    } else if (word == "with") {
        parse_with(made);
    } else if (word == "filter") {
        made.type = Statement::Type::Filter;
        made.value = filter(nullptr);
        while (take_operator("|")) made.value = filter(made.value);
        made.body = closed_block("endfilter");
    } else if (word == "generation") {
        made.type = Statement::Type::Scope;
        int loops = std::exchange(loops_, 0);
        made.body = closed_block("endgeneration");
        loops_ = loops;
    } else if (word == "break" || word == "continue") {
        made.type = word == "break" ? Statement::Type::Break : Statement::Type::Continue;
        if (loops_ == 0) fail(fmt::format("'{}' outside of a loop", word), line);
    } else if (word == "block" || word == "extends" || word == "include" || word == "import" ||
               word == "from" || word == "autoescape") {
        fail(fmt::format("the tag '{}' is not supported in chat templates", word), line);
    } else {
        fail(fmt::format("Encountered unknown tag '{}'.", word), line);
    }
    return &made;
}

void Parser::parse_if(Statement& made) {
    while (true) {
        Branch branch{tuple(false), {}};
        branch.body = block({"elif", "else", "endif"});
        made.branches.push_back(std::move(branch));
        if (take_word("elif")) continue;
        if (take_word("else")) made.branches.push_back({nullptr, block({"endif"})});
        next();
        return;
    }
}

void Parser::parse_for(Statement& made) {
    made.type = Statement::Type::For;
    made.target = target();
    if (!take_word("in")) unexpected("'in'");
    made.value = tuple(false, "recursive");
    if (take_word("if")) made.condition = expression();
    if (at_word("recursive")) fail("recursive loops are not supported");
    ++loops_;
    made.body = block({"endfor", "else"});
    --loops_;
    if (take_word("else")) made.otherwise = block({"endfor"});
    next();
}

void Parser::parse_set(Statement& made) {
    made.target = target(true);
    if (take_operator("=")) {
        made.type = Statement::Type::Set;
        made.value = tuple();
        return;
    }
    made.type = Statement::Type::SetBlock;
    while (take_operator("|")) made.value = filter(made.value);
    made.body = closed_block("endset");
}

void Parser::parse_macro(Statement& made) {
    made.type = Statement::Type::Macro;
    made.name = expect_name();
    signature(made.signature);
    made.body = function_body(made.signature, "endmacro");
}

void Parser::parse_call(Statement& made) {
    made.type = Statement::Type::Call;
    if (at_operator("(")) signature(made.signature);
    made.value = expression();
    if (made.value->type != Expression::Type::Call) fail("expected a call", made.line);
    made.body = function_body(made.signature, "endcall");
}

void Parser::parse_with(Statement& made) {
    made.type = Statement::Type::With;
    while (!at(Type::BlockEnd)) {
        if (!made.targets.empty()) expect_operator(",");
        made.targets.push_back(target());
        expect_operator("=");
        made.values.push_back(expression());
    }
    made.body = closed_block("endwith");
}

void Parser::signature(Signature& made) {
    expect_operator("(");
    while (!at_operator(")")) {
        if (!made.parameters.empty()) expect_operator(",");
        made.parameters.push_back(expect_name());
        if (take_operator("="))
            made.defaults.push_back(expression());
        else if (!made.defaults.empty())
            fail("non-default argument follows default argument");
    }
    next();
}

Body Parser::function_body(Signature& made, std::string_view end) {
    int loops = std::exchange(loops_, 0);
    functions_.push_back(&made);
    Body body = closed_block(end);
    functions_.pop_back();
    loops_ = loops;
    return body;
}

// A name, a tuple of targets, and where `namespaces` also NAME.ATTRIBUTE.
const Expression* Parser::target(bool namespaces) {
    Deeper deeper(*this);
    std::vector<const Expression*> targets;
    bool several = false;
    int line = now().line;
    while (!at_word("in") && !at_operator("=") && !at_operator(")") && !at(Type::BlockEnd)) {
        if (take_operator("(")) {
            targets.push_back(target(namespaces));
            expect_operator(")");
        } else {
            static constexpr std::string_view kReserved[] = {"true", "false", "none",
                                                             "True", "False", "None"};
            if (std::count(std::begin(kReserved), std::end(kReserved), now().text))
                fail(fmt::format("can't assign to '{}'", now().text));
            Expression& made = make(Expression::Type::Variable);
            made.name = expect_name();
            if (namespaces && take_operator(".")) {
                made.type = Expression::Type::NamespaceRef;
                made.attribute = expect_name();
            }
            targets.push_back(&made);
        }
        if (!take_operator(",")) break;
        several = true;
    }
    if (targets.empty()) unexpected("a name to assign to");
    if (!several) return targets[0];
    Expression& made = make(Expression::Type::TupleOf, std::move(targets));
    made.line = line;
    return &made;
}

} // namespace assay::engine::jinja
