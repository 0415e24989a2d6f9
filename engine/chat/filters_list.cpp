// Filters of lists and dicts.
#include "chat/interpreter.h"
#include "chat/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace assay::engine::jinja {

namespace {

using In = Interpreter;

// The attribute argument of many filters: "a.0.b" goes inwards, digits are indices.
Value inner(In& in, Value item, const Value& path) {
    if (path.is_none()) return item;
    if (!path.is_string()) return in.item(item, path);
    std::string_view rest = *path.text;
    while (true) {
        std::string_view part = rest.substr(0, rest.find('.'));
        std::int64_t index = 0;
        auto result = std::from_chars(part.data(), part.data() + part.size(), index);
        bool digits =
            result.ec == std::errc() && result.ptr == part.data() + part.size() && part[0] != '-';
        item = in.item(item, digits ? Value(index) : in.heap.text(std::string(part)));
        if (part.size() == rest.size()) return item;
        rest.remove_prefix(part.size() + 1);
    }
}

Value folded(In& in, const Value& value, bool case_sensitive) {
    if (case_sensitive || !value.is_string()) return value;
    in.steps.spend_bytes(value.text->size());
    return in.heap.text(to_lower(*value.text));
}

struct Keyed {
    Value key, item;
};

std::vector<Keyed> keyed(In& in, const Value& input, const Value& path, bool case_sensitive) {
    std::vector<Keyed> made;
    for (const Value& item : in.iterate(input))
        made.push_back({folded(in, inner(in, item, path), case_sensitive), item});
    return made;
}

void sort_keyed(In& in, std::vector<Keyed>& items, bool descending) {
    std::stable_sort(items.begin(), items.end(), [&](const Keyed& a, const Keyed& b) {
        return descending ? compare(b.key, a.key, "<", in.steps) == -1
                          : compare(a.key, b.key, "<", in.steps) == -1;
    });
}

std::vector<Value> items_of(const std::vector<Keyed>& all) {
    std::vector<Value> items;
    for (const Keyed& one : all) items.push_back(one.item);
    return items;
}

// Several attributes, "a,b", sort by the first that differs.
Value sort(In& in, const Value& input, const Arguments& given) {
    Bound bound("sort", given, {"reverse", "case_sensitive", "attribute"});
    Value path = bound.or_else(2, Value());
    if (!path.is_string() || path.text->find(',') == path.text->npos) {
        auto all = keyed(in, input, path, bound.flag(1, false));
        sort_keyed(in, all, bound.flag(0, false));
        return in.heap.list(items_of(all));
    }
    std::vector<Keyed> all;
    for (const Value& item : in.iterate(input)) {
        std::vector<Value> keys;
        for (std::string_view rest = *path.text;;) {
            std::string_view one = rest.substr(0, rest.find(','));
            Value key = inner(in, item, in.heap.text(std::string(one)));
            keys.push_back(folded(in, key, bound.flag(1, false)));
            if (one.size() == rest.size()) break;
            rest.remove_prefix(one.size() + 1);
        }
        all.push_back({in.heap.list(std::move(keys)), item});
    }
    sort_keyed(in, all, bound.flag(0, false));
    return in.heap.list(items_of(all));
}

Value dict_sort(In& in, const Value& input, const Arguments& given) {
    Bound bound("dictsort", given, {"case_sensitive", "by", "reverse"});
    std::string by = bound.text(1, "key");
    if (by != "key" && by != "value")
        throw Failure("You can only sort by either \"key\" or \"value\"");
    if (input.is_undefined()) fail_undefined(input);
    if (!input.is(Kind::Dict)) throw Failure("dictsort() needs a mapping");
    std::vector<Keyed> all;
    for (const auto& [key, value] : input.dict->entries)
        all.push_back({folded(in, by == "key" ? key : value, bound.flag(0, false)),
                       in.heap.tuple({key, value})});
    sort_keyed(in, all, bound.flag(2, false));
    return in.heap.list(items_of(all));
}

Value unique(In& in, const Value& input, const Arguments& given) {
    Bound bound("unique", given, {"case_sensitive", "attribute"});
    Dict* seen = in.heap.dict();
    std::vector<Value> items;
    for (const Keyed& one : keyed(in, input, bound.or_else(1, Value()), bound.flag(0, false))) {
        if (seen->find(one.key)) continue;
        in.heap.set(*seen, one.key, Value());
        items.push_back(one.item);
    }
    return in.heap.generator(std::move(items));
}

Value extreme(In& in, const Value& input, const Arguments& given, std::string_view name, int sign) {
    Bound bound(name, given, {"case_sensitive", "attribute"});
    auto all = keyed(in, input, bound.or_else(1, Value()), bound.flag(0, false));
    if (all.empty()) return in.heap.undefined("No aggregated item, sequence was empty.");
    const Keyed* best = &all[0];
    for (const Keyed& one : all)
        if (compare(one.key, best->key, sign < 0 ? "<" : ">", in.steps) == sign) best = &one;
    return best->item;
}
Value smallest(In& in, const Value& input, const Arguments& given) {
    return extreme(in, input, given, "min", -1);
}
Value largest(In& in, const Value& input, const Arguments& given) {
    return extreme(in, input, given, "max", 1);
}

Value sum(In& in, const Value& input, const Arguments& given) {
    Bound bound("sum", given, {"attribute", "start"});
    Value total = bound.or_else(1, Value(std::int64_t{0}));
    for (const Value& item : in.iterate(input))
        total = arithmetic(in, "+", total, inner(in, item, bound.or_else(0, Value())));
    return total;
}

Value length(In& in, const Value& input, const Arguments&) {
    auto size = [](std::size_t n) { return Value(static_cast<std::int64_t>(n)); };
    switch (input.kind) {
    case Kind::Undefined:
        return size(0);
    case Kind::String:
        in.steps.spend_bytes(input.text->size());
        return size(count_code_points(*input.text));
    case Kind::Dict:
        return size(input.dict->entries.size());
    case Kind::List:
        if (input.list->flavor != List::Flavor::Generator) return size(input.list->items.size());
        break;
    default:
        break;
    }
    throw Failure(fmt::format("object of type '{}' has no len()", type_name(input)));
}

Value first(In& in, const Value& input, const Arguments&) {
    std::vector<Value> items = in.iterate(input);
    if (items.empty()) return in.heap.undefined("No first item, sequence was empty.");
    if (input.is(Kind::List) && input.list->flavor == List::Flavor::Generator)
        input.list->items.assign(items.begin() + 1, items.end()); // only one was taken
    return items.front();
}

Value last(In& in, const Value& input, const Arguments&) {
    if (input.is(Kind::List) && input.list->flavor == List::Flavor::Generator)
        throw Failure("'generator' object is not reversible");
    std::vector<Value> items = in.iterate(input);
    if (items.empty()) return in.heap.undefined("No last item, sequence was empty.");
    return items.back();
}

Value join(In& in, const Value& input, const Arguments& given) {
    Bound bound("join", given, {"d", "attribute"});
    std::string separator = bound.has(0) ? in.text(bound.need(0)) : "";
    Text out = in.make_text();
    bool begun = false;
    for (const Value& item : in.iterate(input)) {
        if (std::exchange(begun, true)) out.add(separator);
        add_text(out, inner(in, item, bound.or_else(1, Value())));
    }
    in.steps.spend_bytes(out.view().size());
    return in.heap.text(out.take());
}

Value as_list(In& in, const Value& input, const Arguments&) {
    return in.heap.list(in.iterate(input));
}

Value reverse(In& in, const Value& input, const Arguments&) {
    std::vector<Value> items = in.iterate(input);
    std::reverse(items.begin(), items.end());
    if (input.is(Kind::List) && input.list->flavor == List::Flavor::Generator)
        return in.heap.list(std::move(items));
    if (!input.is_string()) return in.heap.generator(std::move(items));
    std::string text;
    for (const Value& item : items) text += *item.text;
    return in.heap.text(std::move(text));
}

Value pairs(In& in, const Value& input, const Arguments&) {
    std::vector<Value> items;
    if (!input.is_undefined() && !input.is(Kind::Dict))
        throw Failure("Can only get item pairs from a mapping.");
    if (input.is(Kind::Dict))
        for (const auto& [key, value] : input.dict->entries)
            items.push_back(in.heap.tuple({key, value}));
    return in.heap.generator(std::move(items));
}

Value map(In& in, const Value& input, const Arguments& given) {
    std::vector<Value> items;
    if (!truth(input)) return in.heap.generator({}); // none, too
    if (given.positional.empty()) {
        Bound bound("map", given, {"attribute", "default"});
        for (const Value& item : in.iterate(input)) {
            Value value = inner(in, item, bound.need(0));
            bool replaced = value.is_undefined() && bound.has(1) && !bound.need(1).is_none();
            items.push_back(replaced ? bound.need(1) : value);
        }
        return in.heap.generator(std::move(items));
    }
    if (!given.positional[0].is_string()) throw Failure("map requires a filter argument");
    Arguments rest{{given.positional.begin() + 1, given.positional.end()}, given.named};
    for (const Value& item : in.iterate(input))
        items.push_back(in.filter(*given.positional[0].text, item, rest));
    return in.heap.generator(std::move(items));
}

// select, reject, selectattr, rejectattr: [attribute,] [test, [arguments]].
Value filtered(In& in, const Value& input, const Arguments& given, bool wanted, bool by_attribute) {
    std::size_t used = by_attribute ? 1 : 0;
    if (!truth(input)) return in.heap.generator({}); // none, too
    if (given.positional.size() < used) throw Failure("Missing parameter for attribute name");
    const Value* name = given.positional.size() > used ? &given.positional[used] : nullptr;
    if (name && !name->is_string()) throw Failure("the name of a test must be a text");
    Arguments rest;
    if (name)
        rest = {{given.positional.begin() + static_cast<std::ptrdiff_t>(used) + 1,
                 given.positional.end()},
                given.named};
    std::vector<Value> items;
    for (const Value& item : in.iterate(input)) {
        Value tested = by_attribute ? inner(in, item, given.positional[0]) : item;
        bool holds = name ? in.test(*name->text, tested, rest) : truth(tested);
        if (holds == wanted) items.push_back(item);
    }
    return in.heap.generator(std::move(items));
}
Value select(In& in, const Value& input, const Arguments& given) {
    return filtered(in, input, given, true, false);
}
Value reject(In& in, const Value& input, const Arguments& given) {
    return filtered(in, input, given, false, false);
}
Value select_attribute(In& in, const Value& input, const Arguments& given) {
    return filtered(in, input, given, true, true);
}
Value reject_attribute(In& in, const Value& input, const Arguments& given) {
    return filtered(in, input, given, false, true);
}

Value batch(In& in, const Value& input, const Arguments& given) {
    Bound bound("batch", given, {"linecount", "fill_with"});
    bound.need(0);
    auto width = static_cast<std::size_t>(std::max<std::int64_t>(bound.integer(0, 1), 1));
    std::vector<Value> rows, row;
    for (const Value& item : in.iterate(input)) {
        if (row.size() == width) rows.push_back(in.heap.list(std::exchange(row, {})));
        row.push_back(item);
    }
    if (bound.has(1) && !bound.need(1).is_none() && !row.empty()) {
        if (width > 100'000) throw Failure("batch(): rows longer than 100000");
        row.resize(width, bound.need(1));
    }
    if (!row.empty()) rows.push_back(in.heap.list(std::move(row)));
    return in.heap.generator(std::move(rows));
}

} // namespace

FilterBody find_list_filter(std::string_view name) {
    static const std::unordered_map<std::string_view, FilterBody> kFilters = {
        {"sort", sort},
        {"dictsort", dict_sort},
        {"unique", unique},
        {"min", smallest},
        {"max", largest},
        {"sum", sum},
        {"length", length},
        {"count", length},
        {"first", first},
        {"last", last},
        {"join", join},
        {"list", as_list},
        {"reverse", reverse},
        {"items", pairs},
        {"map", map},
        {"select", select},
        {"reject", reject},
        {"selectattr", select_attribute},
        {"rejectattr", reject_attribute},
        {"batch", batch},
    };
    auto found = kFilters.find(name);
    return found == kFilters.end() ? nullptr : found->second;
}

} // namespace assay::engine::jinja
