#include "chat/objects.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay::engine::jinja {

bool Loop::peek() {
    while (ahead_.empty() && next_ < items_.size()) {
        const Value& item = items_[next_++];
        if (accepts_(item)) ahead_.push_back(item);
    }
    return !ahead_.empty();
}

bool Loop::advance() {
    if (!peek()) return false;
    previous_ = current_;
    current_ = ahead_.front();
    ahead_.pop_front();
    ++index_;
    return true;
}

std::int64_t Loop::length() {
    while (next_ < items_.size()) {
        const Value& item = items_[next_++];
        if (accepts_(item)) ahead_.push_back(item);
    }
    return index_ + 1 + static_cast<std::int64_t>(ahead_.size());
}

std::optional<Value> Loop::attribute(Interpreter& in, std::string_view name) {
    if (name == "index") return Value(index_ + 1);
    if (name == "index0") return Value(index_);
    if (name == "first") return Value(index_ == 0);
    if (name == "last") return Value(!peek());
    if (name == "length") return Value(length());
    if (name == "revindex") return Value(length() - index_);
    if (name == "revindex0") return Value(length() - index_ - 1);
    if (name == "depth") return Value(std::int64_t{1});
    if (name == "depth0") return Value(std::int64_t{0});
    if (name == "previtem")
        return index_ > 0 ? previous_ : in.heap.undefined("there is no previous item");
    if (name == "nextitem")
        return peek() ? ahead_.front() : in.heap.undefined("there is no next item");
    auto method = [&](Function::Body body) {
        return Value(in.heap.make<Function>(body, Value(this)));
    };
    if (name == "cycle")
        return method([](Interpreter&, const Value& self, const Arguments& given) {
            return static_cast<Loop*>(self.object)->cycle(given);
        });
    if (name == "changed")
        return method([](Interpreter& into, const Value& self, const Arguments& given) {
            return static_cast<Loop*>(self.object)->changed(into, given);
        });
    return std::nullopt;
}

Value Loop::cycle(const Arguments& arguments) const {
    if (arguments.positional.empty()) throw Failure("no items for cycling given");
    return arguments.positional[static_cast<std::size_t>(index_) % arguments.positional.size()];
}

Value Loop::changed(Interpreter& in, const Arguments& arguments) {
    const auto& now = arguments.positional;
    auto same = [&](const Value& a, const Value& b) { return equal(a, b, in.steps); };
    bool unchanged = checked_ && std::equal(now.begin(), now.end(), last_checked_.begin(),
                                            last_checked_.end(), same);
    checked_ = true;
    last_checked_ = now;
    return Value(!unchanged);
}

std::optional<Value> Macro::attribute(Interpreter& in, std::string_view name) {
    if (name == "name") return in.heap.text(name_);
    return std::nullopt;
}

Value Macro::call(Interpreter& in, const Arguments& given) {
    Scope* scope = in.heap.make<Scope>(scope_);
    bind(in, *scope, given);
    return in.heap.text(in.render_in(*scope, body_));
}

void Macro::bind(Interpreter& in, Scope& scope, const Arguments& given) const {
    const auto& parameters = signature_.parameters;
    std::vector<bool> used(given.named.size());
    std::size_t first_default = parameters.size() - signature_.defaults.size();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (i < given.positional.size()) {
            scope.set(parameters[i], given.positional[i]);
            continue;
        }
        auto named = std::find_if(given.named.begin(), given.named.end(),
                                  [&](const auto& pair) { return pair.first == *parameters[i]; });
        if (named != given.named.end()) {
            used[static_cast<std::size_t>(named - given.named.begin())] = true;
            scope.set(parameters[i], named->second);
        } else if (i >= first_default) {
            scope.set(parameters[i],
                      in.evaluate_in(scope, *signature_.defaults[i - first_default]));
        } else {
            scope.set(parameters[i], in.heap.undefined(fmt::format(
                                         "parameter '{}' was not provided", *parameters[i])));
        }
    }
    bind_extra(in, scope, given, used);
}

void Macro::bind_extra(Interpreter& in, Scope& scope, const Arguments& given,
                       const std::vector<bool>& used) const {
    const auto& parameters = signature_.parameters;
    bool caller_is_parameter =
        std::find(parameters.begin(), parameters.end(), program_.caller) != parameters.end();
    Value caller = in.heap.undefined("No caller defined");
    Dict* rest = in.heap.dict();
    for (std::size_t i = 0; i < given.named.size(); ++i) {
        const auto& [name, value] = given.named[i];
        if (used[i]) continue;
        if (signature_.uses_caller && name == "caller")
            caller = value;
        else if (signature_.uses_kwargs)
            in.heap.set(*rest, in.heap.text(std::string(name)), value);
        else
            throw Failure(fmt::format("macro '{}' takes no keyword argument '{}'", name_, name));
    }
    if (signature_.uses_caller && !caller_is_parameter) scope.set(program_.caller, caller);
    if (signature_.uses_kwargs) scope.set(program_.kwargs, Value(rest));
    std::size_t surplus = given.positional.size() > parameters.size()
                              ? given.positional.size() - parameters.size()
                              : 0;
    if (signature_.uses_varargs) {
        auto end = given.positional.end();
        scope.set(program_.varargs,
                  in.heap.tuple({end - static_cast<std::ptrdiff_t>(surplus), end}));
    } else if (surplus > 0) {
        throw Failure(
            fmt::format("macro '{}' takes not more than {} argument(s)", name_, parameters.size()));
    }
}

} // namespace assay::engine::jinja
