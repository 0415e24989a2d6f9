// What is inside a value: attributes, items, slices, iteration, `in`.
#include "chat/interpreter.h"
#include "chat/unicode.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay::engine::jinja {

namespace {

// Methods of Python's lists and dicts that change them, which the sandbox takes away.
bool changes(const Value& of, std::string_view name) {
    static constexpr std::string_view kList[] = {"append", "clear",  "extend",  "insert",
                                                 "pop",    "remove", "reverse", "sort"};
    static constexpr std::string_view kDict[] = {"clear", "pop", "popitem", "setdefault", "update"};
    if (of.is(Kind::Dict)) return std::count(std::begin(kDict), std::end(kDict), name) > 0;
    return of.is(Kind::List) && of.list->flavor == List::Flavor::List &&
           std::count(std::begin(kList), std::end(kList), name) > 0;
}

std::string described(const Value& value) {
    return value.is_none() ? "None" : fmt::format("'{} object'", type_name(value));
}

Value missing(Interpreter& in, const Value& of, std::string_view name) {
    return in.heap.undefined(fmt::format("{} has no attribute '{}'", described(of), name));
}

std::optional<Value> method(Interpreter& in, const Value& of, std::string_view name) {
    if (of.is(Kind::Object)) return of.object->attribute(in, name);
    if (name.starts_with("__") || changes(of, name))
        return in.heap.undefined(
            fmt::format("access to attribute '{}' of '{}' object is unsafe.", name, type_name(of)));
    Function::Body body = of.is_string() ? find_text_method(name) : find_container_method(of, name);
    if (!body) return std::nullopt;
    return Value(in.heap.make<Function>(body, of));
}

// Python's slice.indices: where a slice of `length` items starts and ends.
struct Range {
    std::int64_t start, stop, step;
};

Range resolve(const std::optional<std::int64_t>& from, const std::optional<std::int64_t>& to,
              std::int64_t step, std::int64_t length) {
    std::int64_t low = step > 0 ? 0 : -1, high = step > 0 ? length : length - 1;
    auto clamp = [&](std::int64_t at) {
        if (at < 0) at = at < -length ? -1 : at + length; // far below: less than every bound
        return std::clamp(at, low, high);
    };
    Range range{step > 0 ? low : high, step > 0 ? high : low, step};
    if (from) range.start = clamp(*from);
    if (to) range.stop = clamp(*to);
    return range;
}

template<class Item>
std::vector<Item> pick(const std::vector<Item>& items, const Range& range) {
    std::vector<Item> picked;
    auto count = static_cast<std::int64_t>(items.size());
    for (std::int64_t i = range.start; range.step > 0 ? i < range.stop : i > range.stop;) {
        picked.push_back(items[static_cast<std::size_t>(i)]);
        if (range.step > count || range.step < -count) break;
        i += range.step;
    }
    return picked;
}

} // namespace

Value Interpreter::attribute(const Value& of, std::string_view name) {
    if (of.is_undefined()) fail_undefined(of);
    if (auto found = method(*this, of, name)) return *found;
    if (of.is(Kind::Dict))
        if (const Value* found = of.dict->find(name)) return *found;
    return missing(*this, of, name);
}

Value Interpreter::item(const Value& of, const Value& key) {
    if (of.is_undefined()) fail_undefined(of);
    if (key.is_string()) steps.spend_bytes(key.text->size());
    if (of.is(Kind::Dict) && !key.is(Kind::List) && !key.is(Kind::Dict)) {
        if (const Value* found = of.dict->find(key)) return *found;
    } else if (key.is_integral() && (of.is(Kind::List) || of.is_string())) {
        std::int64_t at = key.as_integer();
        if (of.is_string()) {
            steps.spend_bytes(of.text->size());
            auto length = static_cast<std::int64_t>(count_code_points(*of.text));
            if (at < 0) at += length;
            if (at >= 0 && at < length) {
                std::size_t from = byte_offset(*of.text, static_cast<std::size_t>(at)), to = from;
                next_code_point(*of.text, to);
                return heap.text(of.text->substr(from, to - from));
            }
        } else if (of.list->indexable()) {
            auto length = static_cast<std::int64_t>(of.list->items.size());
            if (at < 0) at += length;
            if (at >= 0 && at < length) return of.list->items[static_cast<std::size_t>(at)];
        }
    }
    if (key.is_string()) {
        if (auto found = method(*this, of, *key.text)) return *found;
        return missing(*this, of, *key.text);
    }
    Text shown(200);
    if (key.is_number()) add_repr(shown, key);
    return heap.undefined(fmt::format("{} has no element {}", described(of), shown.view()));
}

Value Interpreter::slice(const Expression& node) {
    Value of = evaluate(*node.parts[0]);
    bool possible = true; // else the slice is undefined, as any item that cannot be had
    auto limit = [&](std::size_t i) -> std::optional<std::int64_t> {
        if (!node.parts[i]) return std::nullopt;
        Value value = evaluate(*node.parts[i]);
        if (value.is_none()) return std::nullopt;
        if (value.is_integral()) return value.as_integer();
        possible = false;
        return std::nullopt;
    };
    auto from = limit(1), to = limit(2);
    std::int64_t step = limit(3).value_or(1);
    if (of.is_undefined()) fail_undefined(of);
    if (step == 0 && (of.is_string() || of.is(Kind::List)))
        throw Failure("slice step cannot be zero");
    if (of.is_string() && possible) {
        auto all = characters(*of.text);
        steps.spend(all.size() / 8);
        Text out = make_text();
        for (std::string_view c :
             pick(all, resolve(from, to, step, static_cast<std::int64_t>(all.size()))))
            out.add(c);
        return heap.text(out.take());
    }
    if (!possible || !of.is(Kind::List) || !of.list->indexable())
        return heap.undefined(fmt::format("{} has no slices", described(of)));
    const auto& items = of.list->items;
    steps.spend(items.size() / 8);
    return heap.list(pick(items, resolve(from, to, step, static_cast<std::int64_t>(items.size()))),
                     of.list->flavor);
}

std::vector<Value> Interpreter::iterate(const Value& value) {
    std::vector<Value> items;
    switch (value.kind) {
    case Kind::Undefined:
        break;
    case Kind::String:
        for (std::string_view c : characters(*value.text))
            items.push_back(heap.text(std::string(c)));
        break;
    case Kind::Dict:
        for (const auto& entry : value.dict->entries) items.push_back(entry.first);
        break;
    case Kind::List:
        if (value.list->flavor == List::Flavor::Generator)
            items.swap(value.list->items);
        else
            items = value.list->items;
        break;
    default:
        throw Failure(fmt::format("'{}' object is not iterable", type_name(value)));
    }
    steps.spend(items.size() / 8);
    return items;
}

bool Interpreter::contains(const Value& container, const Value& wanted) {
    if (container.is_string()) {
        if (wanted.is_undefined()) fail_undefined(wanted);
        if (!wanted.is_string())
            throw Failure(fmt::format("'in <string>' requires string as left operand, not {}",
                                      type_name(wanted)));
        steps.spend_search(*container.text, *wanted.text);
        return container.text->find(*wanted.text) != std::string::npos;
    }
    if (container.is(Kind::Dict)) return container.dict->find(wanted) != nullptr;
    if (container.is(Kind::List) && container.list->flavor != List::Flavor::Generator) {
        const auto& items = container.list->items;
        return std::any_of(items.begin(), items.end(),
                           [&](const Value& item) { return equal(item, wanted, steps); });
    }
    for (const Value& item : iterate(container))
        if (equal(item, wanted, steps)) return true;
    return false;
}

} // namespace assay::engine::jinja
