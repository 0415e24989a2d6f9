// A parsed template. Nodes belong to their Program and point at one another, so that neither a deep
// nor a long template makes a destructor recurse.
#pragma once

#include "chat/value.h"

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace assay::engine::jinja {

using Symbol = const std::string*; // interned: equal names have equal pointers

struct Expression;

struct Argument {
    enum class Form { Positional, Named, UnpackList, UnpackDict };
    Form form = Form::Positional;
    Symbol name = nullptr;
    const Expression* value = nullptr;
};

struct Expression {
    enum class Type {
        Constant,  // constant
        Variable,  // name
        ListOf,    // parts
        TupleOf,   // parts
        DictOf,    // parts: key, value, key, value
        Attribute, // parts[0] . name
        Item,      // parts[0] [ parts[1] ]
        Slice,     // parts[0] [ parts[1] : parts[2] : parts[3] ], absent parts null
        Call,      // parts[0] ( arguments )
        Filter,    // parts[0] | name ( arguments ); parts[0] null in a filter block
        Test,      // parts[0] is name ( arguments )
        Not,
        Negative,
        Positive,
        And,
        Or,
        Conditional, // parts[1] if parts[0] else parts[2], which may be null
        Concat,      // parts, joined by ~
        Arithmetic,  // parts[0] op parts[1]
        Compare,     // parts[0] operators[0] parts[1] operators[1] parts[2] ...
        NamespaceRef // name . attribute: only as the target of a set
    };
    Type type;
    int line;
    Value constant = {};
    Symbol name = nullptr, attribute = nullptr;
    std::vector<const Expression*> parts = {};
    std::vector<Argument> arguments = {};
    std::vector<std::string_view> operators = {}; // of Compare; of Arithmetic one
};

struct Statement;
using Body = std::vector<const Statement*>;

struct Branch { // of an if; no condition: else
    const Expression* condition;
    Body body;
};

struct Signature {
    std::vector<Symbol> parameters;
    std::vector<const Expression*> defaults; // of the last parameters
    bool uses_caller = false, uses_varargs = false, uses_kwargs = false;
};

struct Statement {
    enum class Type {
        Data,     // text
        Print,    // value
        If,       // branches
        For,      // target in value if condition: body, otherwise
        Set,      // target = value
        SetBlock, // target = body | value
        Macro,    // name, signature, body
        Call,     // signature, value (a Call), body
        Filter,   // value (a chain of filters), body
        With,     // targets, values, body
        Scope,    // body in a scope of its own: generation
        Break,
        Continue,
    };
    Type type;
    int line;
    std::string text = {};
    Symbol name = nullptr;
    const Expression *target = nullptr, *value = nullptr, *condition = nullptr;
    std::vector<const Expression*> targets = {}, values = {};
    std::vector<Branch> branches = {};
    Signature signature = {};
    Body body = {}, otherwise = {};
};

struct Program {
    Program() = default;
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    Body body;
    std::deque<Expression> expressions;
    std::deque<Statement> statements;
    std::deque<std::string> strings; // of constants

    Symbol intern(std::string_view name) {
        auto found = names_.find(name);
        if (found != names_.end()) return found->second;
        const std::string& kept = strings.emplace_back(name);
        names_.emplace(kept, &kept);
        return &kept;
    }

  private:
    std::unordered_map<std::string_view, Symbol> names_;

  public: // names that the language gives a meaning
    const Symbol loop = intern("loop"), caller = intern("caller"), varargs = intern("varargs"),
                 kwargs = intern("kwargs");
};

} // namespace assay::engine::jinja
