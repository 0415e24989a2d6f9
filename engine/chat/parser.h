// Tokens into a Program, by the grammar of jinja2's parser with the extensions that transformers
// loads: loop controls and `generation`. What includes other templates is refused by name.
#pragma once

#include "chat/ast.h"
#include "chat/lexer.h"

#include <initializer_list>
#include <string_view>
#include <vector>

namespace assay::engine::jinja {

class Parser {
  public:
    Parser(std::string_view source, Program& program)
        : tokens_(tokenize(source))
        , program_(program) {}
    void run(); // throws SyntaxFailure

  private:
    using Type = Token::Type;
    using Words = std::initializer_list<std::string_view>;

    // parse_statement.cpp
    Body body_until(Words ends); // leaves the word that ended it as the current token
    Body block(Words ends);      // the same, behind the end of the tag that opens it
    Body closed_block(std::string_view end);
    void tag(Body& into);
    const Statement* statement();
    void parse_if(Statement& made);
    void parse_for(Statement& made);
    void parse_set(Statement& made);
    void parse_macro(Statement& made);
    void parse_call(Statement& made);
    void parse_with(Statement& made);
    void signature(Signature& made);
    Body function_body(Signature& made, std::string_view end);
    const Expression* target(bool namespaces = false);

    // parse_expression.cpp
    const Expression* tuple(bool conditional = true, std::string_view end_word = {});
    const Expression* expression(bool conditional = true);
    const Expression* disjunction();
    const Expression* conjunction();
    const Expression* negation();
    const Expression* comparison();
    const Expression* sum();
    const Expression* concat();
    const Expression* product();
    const Expression* power();
    const Expression* unary(bool filters = true);
    const Expression* primary();
    const Expression* variable();
    const Expression* postfix(const Expression* node);
    const Expression* filters_and_tests(const Expression* node);
    const Expression* filter(const Expression* node);
    const Expression* test(const Expression* node);
    const Expression* subscript(const Expression* node);
    const Expression* call(const Expression* node);
    std::vector<Argument> arguments();
    void items(Expression& into, std::string_view close, bool pairs);

    const Token& now() const { return tokens_[at_]; }
    const Token& ahead() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
    bool at(Type type) const { return now().type == type; }
    bool at_operator(std::string_view text) const {
        return at(Type::Operator) && now().text == text;
    }
    bool at_word(std::string_view word) const { return at(Type::Name) && now().text == word; }
    bool take_operator(std::string_view text);
    bool take_word(std::string_view word);
    void next() {
        if (at_ + 1 < tokens_.size()) ++at_;
    }
    void expect_operator(std::string_view text);
    void expect(Type type, std::string_view what);
    Symbol expect_name();
    bool at_tuple_end(std::string_view end_word) const;

    Expression& make(Expression::Type type, std::vector<const Expression*> parts = {});
    [[noreturn]] void fail(std::string message, int line = 0) const;
    [[noreturn]] void unexpected(std::string_view wanted) const;

    // Bounds the recursion of the parser.
    class Deeper {
      public:
        explicit Deeper(Parser& parser);
        ~Deeper() { --parser_.depth_; }

      private:
        Parser& parser_;
    };

    std::vector<Token> tokens_;
    Program& program_;
    std::size_t at_ = 0;
    int depth_ = 0;
    int loops_ = 0;                     // open around the current statement, in this macro
    std::vector<Signature*> functions_; // macros and call blocks open around it
};

} // namespace assay::engine::jinja
