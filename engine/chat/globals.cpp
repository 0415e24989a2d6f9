// Functions that every template has.
#include "chat/objects.h"

#include <fmt/format.h>

#include <ctime>

namespace assay::engine::jinja {

namespace {

constexpr std::int64_t kLongestRange = 100'000; // jinja2's MAX_RANGE

Value range(Interpreter& in, const Value&, const Arguments& given) {
    Bound bound("range", given, {"start", "stop", "step"});
    std::int64_t start = 0, stop = bound.integer(0, 0), step = bound.integer(2, 1);
    bound.need(0);
    if (bound.has(1)) {
        start = stop;
        stop = bound.integer(1, 0);
    }
    if (step == 0) throw Failure("range() arg 3 must not be zero");
    std::vector<Value> items;
    while (step > 0 ? start < stop : start > stop) {
        if (items.size() >= kLongestRange)
            throw Failure(fmt::format("Range too big. The sandbox blocks ranges larger than {}.",
                                      kLongestRange));
        items.emplace_back(start);
        if (__builtin_add_overflow(start, step, &start)) break;
    }
    in.steps.spend(items.size());
    return in.heap.list(std::move(items));
}

Dict* merged(Interpreter& in, std::string_view function, const Arguments& given) {
    Dict* made = in.heap.dict();
    if (given.positional.size() > 1)
        throw Failure(fmt::format("{} expected at most 1 argument", function));
    for (const Value& first : given.positional) {
        if (first.is(Kind::Dict)) {
            for (const auto& [key, value] : first.dict->entries) in.heap.set(*made, key, value);
            continue;
        }
        for (const Value& pair : in.iterate(first)) {
            std::vector<Value> both = in.iterate(pair);
            if (both.size() != 2) throw Failure(fmt::format("{} needs pairs", function));
            in.heap.set(*made, both[0], both[1]);
        }
    }
    for (const auto& [name, value] : given.named)
        in.heap.set(*made, in.heap.text(std::string(name)), value);
    return made;
}

Value make_dict(Interpreter& in, const Value&, const Arguments& given) {
    return Value(merged(in, "dict", given));
}

Value make_namespace(Interpreter& in, const Value&, const Arguments& given) {
    return Value(in.heap.make<Namespace>(merged(in, "namespace", given)));
}

class Joiner final : public Object {
  public:
    explicit Joiner(const Value& separator)
        : separator_(separator) {}
    std::string type() const override { return "Joiner"; }
    bool callable() const override { return true; }
    Value call(Interpreter& in, const Arguments&) override {
        return std::exchange(used_, true) ? separator_ : in.heap.text("");
    }

  private:
    Value separator_;
    bool used_ = false;
};

class Cycler final : public Object {
  public:
    explicit Cycler(std::vector<Value> items)
        : items_(std::move(items)) {}
    std::string type() const override { return "Cycler"; }
    std::optional<Value> attribute(Interpreter& in, std::string_view name) override {
        if (name == "current") return items_[at_];
        if (name == "next")
            return Value(in.heap.make<Function>(
                [](Interpreter&, const Value& self, const Arguments&) {
                    return static_cast<Cycler*>(self.object)->next();
                },
                Value(this)));
        if (name == "reset")
            return Value(in.heap.make<Function>(
                [](Interpreter&, const Value& self, const Arguments&) {
                    static_cast<Cycler*>(self.object)->at_ = 0;
                    return Value();
                },
                Value(this)));
        return std::nullopt;
    }

  private:
    Value next() {
        Value current = items_[at_];
        at_ = (at_ + 1) % items_.size();
        return current;
    }

    std::vector<Value> items_;
    std::size_t at_ = 0;
};

Value make_joiner(Interpreter& in, const Value&, const Arguments& given) {
    Bound bound("joiner", given, {"sep"});
    return Value(in.heap.make<Joiner>(bound.has(0) ? bound.need(0) : in.heap.text(", ")));
}

Value make_cycler(Interpreter& in, const Value&, const Arguments& given) {
    if (given.positional.empty()) throw Failure("at least one item has to be provided");
    return Value(in.heap.make<Cycler>(given.positional));
}

Value raise_exception(Interpreter& in, const Value&, const Arguments& given) {
    throw Failure(in.text(Bound("raise_exception", given, {"message"}).need(0)));
}

Value strftime_now(Interpreter& in, const Value&, const Arguments& given) {
    Bound bound("strftime_now", given, {"format"});
    bound.need(0);
    std::string format = bound.text(0, {});
    if (format.empty()) return in.heap.text("");
    std::time_t now = static_cast<std::time_t>(in.options.now_microseconds / 1'000'000);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char buffer[1000];
    std::size_t length = std::strftime(buffer, sizeof buffer, format.c_str(), &parts);
    if (length == 0) throw Failure("strftime_now(): a text that is empty or too long");
    return in.heap.text(std::string(buffer, length));
}

} // namespace

Function::Body find_global(std::string_view name) {
    static const std::unordered_map<std::string_view, Function::Body> kGlobals = {
        {"range", range},
        {"dict", make_dict},
        {"namespace", make_namespace},
        {"joiner", make_joiner},
        {"cycler", make_cycler},
        {"raise_exception", raise_exception},
        {"strftime_now", strftime_now},
    };
    auto found = kGlobals.find(name);
    return found == kGlobals.end() ? nullptr : found->second;
}

} // namespace assay::engine::jinja
