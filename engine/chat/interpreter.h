// Runs a Program once. Names are looked up in the scopes around them, then among the variables that
// the caller gave, then among the functions that every template has.
//
// Two places differ from Python on purpose, neither seen in published templates: map, select and
// their like compute at once (their result still is used up by going through it), and of Markup,
// what `safe` makes, only `+` escapes what it is joined with.
#pragma once

#include "assay/engine/template.h"
#include "chat/ast.h"
#include "chat/object.h"
#include "chat/value.h"

#include <string>
#include <string_view>
#include <vector>

namespace assay::engine::jinja {

// The variables of a block. Belongs to the Heap, for a macro keeps the scope where it was made.
class Scope final : public Object {
  public:
    explicit Scope(Scope* outer)
        : outer_(outer) {}
    std::string type() const override { return "scope"; }
    void set(Symbol name, const Value& value);
    const Value* find(Symbol name) const; // here or further out

  private:
    Scope* outer_;
    std::vector<std::pair<Symbol, Value>> variables_;
};

class Interpreter {
  public:
    Interpreter(const Program& program, const Dict* variables, const RenderOptions& options,
                Heap& heap, Steps& steps);

    std::string run(); // throws Failure; line() says where
    int line() const { return line_; }

    Heap& heap;
    Steps& steps;
    const RenderOptions& options;

    // For filters, tests and methods.
    Value call(const Value& callee, const Arguments& arguments);
    Value filter(std::string_view name, const Value& input, const Arguments& arguments);
    bool test(std::string_view name, const Value& input, const Arguments& arguments);
    Value attribute(const Value& of, std::string_view name); // of.name
    Value item(const Value& of, const Value& key);           // of[key]
    std::vector<Value> iterate(const Value& value);          // uses up a generator
    bool contains(const Value& container, const Value& wanted);
    std::string text(const Value& value) { return to_text(value, heap.left()); }
    Text make_text() { return Text(heap.left()); }

    // For macros, whose variables are in a scope of their own.
    Value evaluate_in(Scope& scope, const Expression& node);
    std::string render_in(Scope& scope, const Body& body);

  private:
    enum class Flow { On, Break, Continue };

    // execute.cpp
    Flow execute(const Body& body);
    Flow execute(const Statement& statement);
    Flow run_if(const Statement& statement);
    Flow run_for(const Statement& statement);
    void run_set(const Statement& statement);
    Flow run_with(const Statement& statement);
    void run_call(const Statement& statement);
    std::string capture(const Body& body); // what the body prints, in a scope of its own
    void assign(const Expression& target, const Value& value);

    // evaluate.cpp
    Value evaluate(const Expression& node);
    Value evaluate_node(const Expression& node);
    Value variable(const Expression& node);
    Value container(const Expression& node);
    Value concat(const Expression& node);
    Value compare_chain(const Expression& node);
    Value conditional(const Expression& node);
    Value slice(const Expression& node);
    Value call_node(const Expression& node);
    Value filter_node(const Expression& node);
    Value test_node(const Expression& node);
    Arguments arguments(const Expression& node);

    class Deeper;

    const Program& program_;
    const Dict* variables_;
    Scope* scope_;
    Text* out_;
    Value piped_; // the text of a filter block, for the first of its filters
    int line_ = 1;
    int depth_ = 0;
};

// globals.cpp: range, dict, namespace, joiner, cycler, raise_exception, strftime_now.
Function::Body find_global(std::string_view name);

using FilterBody = Value (*)(Interpreter&, const Value& input, const Arguments&);
FilterBody find_text_filter(std::string_view name);
FilterBody find_list_filter(std::string_view name);
FilterBody find_value_filter(std::string_view name);

using TestBody = bool (*)(Interpreter&, const Value& input, const Arguments&);
TestBody find_test(std::string_view name);

// Methods of str, list and dict; null if there is none of that name.
Function::Body find_text_method(std::string_view name);
Function::Body find_container_method(const Value& of, std::string_view name);

// operators.cpp: + - * / // % **, and the signs.
Value arithmetic(Interpreter& in, std::string_view sign, const Value& a, const Value& b);
Value negative(Interpreter& in, const Value& value);

// format.cpp
Value format_percent(Interpreter& in, const std::string& format, const Value& arguments);
Value format_braces(Interpreter& in, const std::string& format, const Arguments& arguments);

} // namespace assay::engine::jinja
