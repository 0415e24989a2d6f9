// Statements.
#include "chat/interpreter.h"
#include "chat/objects.h"

#include <fmt/format.h>

namespace assay::engine::jinja {

void Scope::set(Symbol name, const Value& value) {
    for (auto& [known, held] : variables_)
        if (known == name) {
            held = value;
            return;
        }
    variables_.emplace_back(name, value);
}

const Value* Scope::find(Symbol name) const {
    for (const Scope* scope = this; scope; scope = scope->outer_)
        for (const auto& [known, held] : scope->variables_)
            if (known == name) return &held;
    return nullptr;
}

Interpreter::Interpreter(const Program& program, const Dict* variables,
                         const RenderOptions& render_options, Heap& the_heap, Steps& the_steps)
    : heap(the_heap)
    , steps(the_steps)
    , options(render_options)
    , program_(program)
    , variables_(variables)
    , scope_(nullptr)
    , out_(nullptr) {}

std::string Interpreter::run() {
    Text out(options.output);
    out_ = &out;
    scope_ = heap.make<Scope>(nullptr);
    execute(program_.body);
    return out.take();
}

Value Interpreter::evaluate_in(Scope& scope, const Expression& node) {
    Scope* outer = std::exchange(scope_, &scope);
    Value value = evaluate(node);
    scope_ = outer;
    return value;
}

std::string Interpreter::render_in(Scope& scope, const Body& body) {
    Text text(options.output);
    Scope* outer = std::exchange(scope_, &scope);
    Text* out = std::exchange(out_, &text);
    int line = line_;
    if (execute(body) != Flow::On) throw Failure("break or continue out of a set or filter block");
    line_ = line;
    out_ = out;
    scope_ = outer;
    return text.take();
}

std::string Interpreter::capture(const Body& body) {
    return render_in(*heap.make<Scope>(scope_), body);
}

Interpreter::Flow Interpreter::execute(const Body& body) {
    for (const Statement* statement : body)
        if (Flow flow = execute(*statement); flow != Flow::On) return flow;
    return Flow::On;
}

Interpreter::Flow Interpreter::execute(const Statement& statement) {
    using Type = Statement::Type;
    steps.spend();
    line_ = statement.line;
    switch (statement.type) {
    case Type::Data:
        steps.spend_bytes(statement.text.size());
        out_->add(statement.text);
        break;
    case Type::Print: {
        std::size_t before = out_->view().size();
        add_text(*out_, evaluate(*statement.value));
        steps.spend_bytes(out_->view().size() - before);
        break;
    }
    case Type::If:
        return run_if(statement);
    case Type::For:
        return run_for(statement);
    case Type::Set:
    case Type::SetBlock:
        run_set(statement);
        break;
    case Type::Macro:
        scope_->set(statement.name,
                    Value(heap.make<Macro>(program_, *statement.name, statement.signature,
                                           statement.body, scope_)));
        break;
    case Type::Call:
        run_call(statement);
        break;
    case Type::Filter:
        piped_ = heap.text(capture(statement.body));
        add_text(*out_, evaluate(*statement.value));
        break;
    case Type::With:
        return run_with(statement);
    case Type::Scope:
        out_->add(capture(statement.body));
        break;
    case Type::Break:
        return Flow::Break;
    case Type::Continue:
        return Flow::Continue;
    }
    return Flow::On;
}

Interpreter::Flow Interpreter::run_if(const Statement& statement) {
    for (const Branch& branch : statement.branches)
        if (!branch.condition || truth(evaluate(*branch.condition))) return execute(branch.body);
    return Flow::On;
}

Interpreter::Flow Interpreter::run_for(const Statement& statement) {
    Scope* outer = scope_;
    auto accepts = [&](const Value& item) {
        if (!statement.condition) return true;
        Scope* inner =
            std::exchange(scope_, heap.make<Scope>(outer)); // asked for from the body too
        assign(*statement.target, item);
        bool accepted = truth(evaluate(*statement.condition));
        scope_ = inner;
        return accepted;
    };
    Loop* loop = heap.make<Loop>(iterate(evaluate(*statement.value)), accepts);
    bool any = false;
    Flow flow = Flow::On;
    while (flow != Flow::Break && loop->advance()) {
        any = true;
        scope_ = heap.make<Scope>(outer);
        steps.spend();
        scope_->set(program_.loop, Value(loop));
        assign(*statement.target, loop->current());
        flow = execute(statement.body);
        scope_ = outer;
    }
    loop->finish();
    if (any) return Flow::On;
    scope_ = heap.make<Scope>(outer);
    flow = execute(statement.otherwise);
    scope_ = outer;
    return flow;
}

void Interpreter::run_set(const Statement& statement) {
    if (statement.type == Statement::Type::Set)
        return assign(*statement.target, evaluate(*statement.value));
    Value text = heap.text(capture(statement.body));
    if (statement.value) {
        piped_ = text;
        text = evaluate(*statement.value);
    }
    assign(*statement.target, text);
}

Interpreter::Flow Interpreter::run_with(const Statement& statement) {
    std::vector<Value> values;
    for (const Expression* value : statement.values) values.push_back(evaluate(*value));
    Scope* outer = scope_;
    scope_ = heap.make<Scope>(outer);
    for (std::size_t i = 0; i < values.size(); ++i) assign(*statement.targets[i], values[i]);
    Flow flow = execute(statement.body);
    scope_ = outer;
    return flow;
}

void Interpreter::run_call(const Statement& statement) {
    const Expression& node = *statement.value;
    Value callee = evaluate(*node.parts[0]);
    Arguments given = arguments(node);
    given.named.emplace_back("caller",
                             Value(heap.make<Macro>(program_, *program_.caller, statement.signature,
                                                    statement.body, scope_)));
    line_ = statement.line;
    add_text(*out_, call(callee, given));
}

void Interpreter::assign(const Expression& target, const Value& value) {
    if (target.type == Expression::Type::Variable) return scope_->set(target.name, value);
    if (target.type == Expression::Type::NamespaceRef) {
        const Value* held = scope_->find(target.name);
        auto* space =
            held && held->is(Kind::Object) ? dynamic_cast<Namespace*>(held->object) : nullptr;
        if (!space) throw Failure("cannot assign attribute on non-namespace object");
        heap.charge(sizeof(Value));
        return space->set(Value(target.attribute), value);
    }
    std::vector<Value> values = iterate(value);
    if (values.size() != target.parts.size())
        throw Failure(fmt::format("cannot unpack {} values into {} names", values.size(),
                                  target.parts.size()));
    for (std::size_t i = 0; i < values.size(); ++i) assign(*target.parts[i], values[i]);
}

} // namespace assay::engine::jinja
