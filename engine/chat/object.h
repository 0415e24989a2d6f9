// Values with behaviour of their own: functions, macros, namespaces, the variable `loop`.
#pragma once

#include "chat/value.h"

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::engine::jinja {

class Interpreter;

struct Arguments {
    std::vector<Value> positional;
    std::vector<std::pair<std::string_view, Value>> named; // names live as long as the template
};

class Object {
  public:
    virtual ~Object() = default;
    virtual std::string type() const = 0;
    virtual bool callable() const { return false; }
    virtual std::optional<Value> attribute(Interpreter&, std::string_view) { return std::nullopt; }
    virtual Value call(Interpreter&, const Arguments&) {
        throw Failure("'" + type() + "' object is not callable");
    }
};

// Arguments put to parameters: `function` and the names are for the messages.
class Bound {
  public:
    Bound(std::string_view function, const Arguments& arguments,
          std::initializer_list<std::string_view> parameters);

    bool has(std::size_t i) const { return values_[i].has_value(); }
    Value need(std::size_t i) const; // Failure if it is not given
    Value or_else(std::size_t i, const Value& otherwise) const;
    bool flag(std::size_t i, bool otherwise) const;
    std::int64_t integer(std::size_t i, std::int64_t otherwise) const;
    std::string text(std::size_t i, const std::string& otherwise) const;
    const std::string* text_or_none(std::size_t i) const;

  private:
    std::string function_;
    std::vector<std::string_view> parameters_;
    std::vector<std::optional<Value>> values_;
};

// A function of ours, perhaps a method: then `self` is what it belongs to.
class Function final : public Object {
  public:
    using Body = Value (*)(Interpreter&, const Value& self, const Arguments&);
    Function(Body body, const Value& self)
        : body_(body)
        , self_(self) {}
    std::string type() const override { return "function"; }
    bool callable() const override { return true; }
    Value call(Interpreter& in, const Arguments& arguments) override {
        return body_(in, self_, arguments);
    }

  private:
    Body body_;
    Value self_;
};

} // namespace assay::engine::jinja
