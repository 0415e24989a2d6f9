// The objects that statements make: the variable `loop`, macros; and namespace(), which they assign
// to.
#pragma once

#include "chat/interpreter.h"

#include <deque>
#include <functional>

namespace assay::engine::jinja {

// Goes through its items lazily, since the condition of a loop may depend on what its body did.
class Loop final : public Object {
  public:
    using Accepts = std::function<bool(const Value&)>;
    Loop(std::vector<Value> items, Accepts accepts)
        : items_(std::move(items))
        , accepts_(std::move(accepts)) {}

    bool advance();
    const Value& current() const { return current_; }
    void finish() { next_ = items_.size(); } // `accepts` may not be called any more

    std::string type() const override { return "LoopContext"; }
    std::optional<Value> attribute(Interpreter& in, std::string_view name) override;
    Value cycle(const Arguments& arguments) const;
    Value changed(Interpreter& in, const Arguments& arguments);

  private:
    bool peek();
    std::int64_t length();

    std::vector<Value> items_;
    Accepts accepts_;
    std::size_t next_ = 0;    // the first item not looked at yet
    std::deque<Value> ahead_; // accepted, still to come
    Value current_, previous_;
    std::int64_t index_ = -1;
    std::vector<Value> last_checked_;
    bool checked_ = false;
};

class Macro final : public Object {
  public:
    Macro(const Program& program, const std::string& name, const Signature& signature,
          const Body& body, Scope* scope)
        : program_(program)
        , name_(name)
        , signature_(signature)
        , body_(body)
        , scope_(scope) {}

    std::string type() const override { return "Macro"; }
    bool callable() const override { return true; }
    std::optional<Value> attribute(Interpreter& in, std::string_view name) override;
    Value call(Interpreter& in, const Arguments& given) override;

  private:
    void bind(Interpreter& in, Scope& scope, const Arguments& given) const;
    void bind_extra(Interpreter& in, Scope& scope, const Arguments& given,
                    const std::vector<bool>& used) const;

    const Program& program_;
    const std::string& name_;
    const Signature& signature_;
    const Body& body_;
    Scope* scope_;
};

class Namespace final : public Object {
  public:
    explicit Namespace(Dict* held)
        : held_(held) {}
    void set(const Value& name, const Value& value) { held_->set(name, value); }
    std::string type() const override { return "Namespace"; }
    std::optional<Value> attribute(Interpreter&, std::string_view name) override {
        const Value* found = held_->find(name);
        return found ? std::optional<Value>(*found) : std::nullopt;
    }

  private:
    Dict* held_;
};

} // namespace assay::engine::jinja
