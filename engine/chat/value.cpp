#include "chat/value.h"

#include "chat/object.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace assay::engine::jinja {

namespace {

double as_double(const Value& value) {
    if (value.is(Kind::Float)) return value.number;
    if (value.is(Kind::BigInt)) return std::strtod(value.text->c_str(), nullptr);
    return static_cast<double>(value.as_integer());
}

template<class T>
int three_way(const T& a, const T& b) {
    return a < b ? -1 : b < a ? 1 : 0;
}

int compare_numbers(const Value& a, const Value& b) {
    if (a.is_integral() && b.is_integral()) return three_way(a.as_integer(), b.as_integer());
    if (a.is(Kind::BigInt) && b.is(Kind::BigInt) && *a.text == *b.text) return 0;
    double x = as_double(a), y = as_double(b);
    if (std::isnan(x) || std::isnan(y)) return 2;
    return three_way(x, y);
}

std::size_t hash(const Value& key) {
    switch (key.kind) {
    case Kind::Bool:
    case Kind::Int:
        return std::hash<double>()(static_cast<double>(key.as_integer()));
    case Kind::Float:
        return std::hash<double>()(key.number);
    case Kind::BigInt:
    case Kind::String:
        return std::hash<std::string>()(*key.text);
    case Kind::Undefined:
    case Kind::None:
    case Kind::Object:
        return static_cast<std::size_t>(key.kind);
    default:
        throw Failure(fmt::format("unhashable type: '{}'", type_name(key)));
    }
}

bool same_key(const Value& a, const Value& b) {
    if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
    if (a.kind != b.kind) return false;
    if (a.is_string()) return *a.text == *b.text;
    return !a.is(Kind::Object) || a.object == b.object;
}

void guard(int depth) {
    if (depth > kDeepestValue)
        throw Failure(fmt::format("values nested deeper than {}", kDeepestValue));
}

bool equal_dicts(const Dict& a, const Dict& b, Steps& steps, int depth) {
    if (a.entries.size() != b.entries.size()) return false;
    for (const auto& [key, value] : a.entries) {
        const Value* other = b.find(key);
        if (!other || !equal(value, *other, steps, depth + 1)) return false;
    }
    return true;
}

} // namespace

void Steps::fail() const {
    throw Failure(fmt::format("the template does not end within {} steps", limit_));
}

const Value* Dict::find(const Value& key) const {
    auto [from, to] = index_.equal_range(hash(key));
    for (; from != to; ++from)
        if (same_key(entries[from->second].first, key)) return &entries[from->second].second;
    return nullptr;
}

const Value* Dict::find(std::string_view key) const {
    std::string copy(key);
    return find(Value(&copy));
}

void Dict::set(const Value& key, const Value& value) {
    if (const Value* found = find(key)) {
        *const_cast<Value*>(found) = value;
        return;
    }
    index_.emplace(hash(key), entries.size());
    entries.emplace_back(key, value);
}

Heap::Heap(std::size_t limit)
    : limit_(limit) {}

Heap::~Heap() = default;

void Heap::charge(std::size_t bytes) {
    if (bytes > left())
        throw Failure(fmt::format("the template made more than {} MiB of values", limit_ >> 20));
    used_ += bytes;
}

Value Heap::text(std::string text) {
    charge(text.size() + 48);
    return Value(&strings_.emplace_back(std::move(text)));
}

Value Heap::list(std::vector<Value> items, List::Flavor flavor) {
    charge(items.size() * sizeof(Value) + 48);
    lists_.push_back({flavor, std::move(items)});
    return Value(&lists_.back());
}

Dict* Heap::dict() {
    charge(sizeof(Dict));
    return &dicts_.emplace_back();
}

void Heap::set(Dict& dict, const Value& key, const Value& value) {
    charge(2 * sizeof(Value) + 48);
    dict.set(key, value);
}

Value Heap::undefined(std::string what) {
    Value made = text(std::move(what));
    made.kind = Kind::Undefined;
    return made;
}

void Text::add(std::string_view piece) {
    if (piece.size() > limit_ - text_.size())
        throw Failure(fmt::format("a text longer than {} bytes", limit_));
    text_ += piece;
}

void Text::repeat(std::string_view piece, std::size_t times) {
    if (!piece.empty() && times > (limit_ - text_.size()) / piece.size())
        throw Failure(fmt::format("a text longer than {} bytes", limit_));
    if (piece.empty()) return;
    for (; times > 0; --times) text_ += piece;
}

bool truth(const Value& value) {
    switch (value.kind) {
    case Kind::Undefined:
    case Kind::None:
        return false;
    case Kind::Bool:
        return value.boolean;
    case Kind::Int:
        return value.integer != 0;
    case Kind::Float:
        return value.number != 0;
    case Kind::BigInt:
        return true;
    case Kind::String:
        return !value.text->empty();
    case Kind::List:
        return value.list->flavor == List::Flavor::Generator || !value.list->items.empty();
    case Kind::Dict:
        return !value.dict->entries.empty();
    case Kind::Object:
        return true;
    }
    return false;
}

bool equal(const Value& a, const Value& b, Steps& steps, int depth) {
    guard(depth);
    steps.spend();
    if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case Kind::String:
        if (a.text->size() != b.text->size()) return false;
        steps.spend_bytes(a.text->size());
        return *a.text == *b.text;
    case Kind::List: {
        if (a.list == b.list) return true;
        if (a.list->flavor != b.list->flavor || !a.list->indexable()) return false;
        if (a.list->items.size() != b.list->items.size()) return false;
        for (std::size_t i = 0; i < a.list->items.size(); ++i)
            if (!equal(a.list->items[i], b.list->items[i], steps, depth + 1)) return false;
        return true;
    }
    case Kind::Dict:
        return a.dict == b.dict || equal_dicts(*a.dict, *b.dict, steps, depth);
    case Kind::Object:
        return a.object == b.object;
    default:
        return true; // undefined, none
    }
}

int compare(const Value& a, const Value& b, std::string_view sign, Steps& steps, int depth) {
    guard(depth);
    steps.spend();
    if (a.is_undefined()) fail_undefined(a);
    if (b.is_undefined()) fail_undefined(b);
    if (a.is_number() && b.is_number()) return compare_numbers(a, b);
    if (a.is_string() && b.is_string()) {
        steps.spend_bytes(std::min(a.text->size(), b.text->size()));
        return three_way(*a.text, *b.text);
    }
    if (a.is(Kind::List) && b.is(Kind::List) && a.list->indexable() &&
        a.list->flavor == b.list->flavor) {
        const auto &x = a.list->items, &y = b.list->items;
        for (std::size_t i = 0; i < x.size() && i < y.size(); ++i)
            if (!equal(x[i], y[i], steps, depth + 1))
                return compare(x[i], y[i], sign, steps, depth + 1);
        return three_way(x.size(), y.size());
    }
    throw Failure(fmt::format("'{}' not supported between instances of '{}' and '{}'", sign,
                              type_name(a), type_name(b)));
}

std::string type_name(const Value& value) {
    switch (value.kind) {
    case Kind::Undefined:
        return "Undefined";
    case Kind::None:
        return "NoneType";
    case Kind::Bool:
        return "bool";
    case Kind::Int:
    case Kind::BigInt:
        return "int";
    case Kind::Float:
        return "float";
    case Kind::String:
        return "str";
    case Kind::Dict:
        return "dict";
    case Kind::Object:
        return value.object->type();
    case Kind::List:
        break;
    }
    switch (value.list->flavor) {
    case List::Flavor::List:
        return "list";
    case List::Flavor::Tuple:
        return "tuple";
    case List::Flavor::View:
        return "view of a dict";
    case List::Flavor::Generator:
        return "generator";
    }
    return {};
}

void fail_undefined(const Value& value) {
    throw Failure(value.text ? *value.text : "a value is undefined");
}

} // namespace assay::engine::jinja
