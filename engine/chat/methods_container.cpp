// Methods of list, tuple and dict that do not change them.
#include "chat/interpreter.h"

#include <algorithm>

namespace assay::engine::jinja {

namespace {

using In = Interpreter;

Value keys(In& in, const Value& self, const Arguments&) {
    return in.heap.list(in.iterate(self), List::Flavor::View);
}

Value values(In& in, const Value& self, const Arguments&) {
    std::vector<Value> items;
    for (const auto& entry : self.dict->entries) items.push_back(entry.second);
    in.steps.spend(items.size() / 8);
    return in.heap.list(std::move(items), List::Flavor::View);
}

Value pairs(In& in, const Value& self, const Arguments&) {
    std::vector<Value> items;
    for (const auto& [key, value] : self.dict->entries)
        items.push_back(in.heap.tuple({key, value}));
    in.steps.spend(items.size() / 8);
    return in.heap.list(std::move(items), List::Flavor::View);
}

Value get(In&, const Value& self, const Arguments& given) {
    Bound bound("get", given, {"key", "default"});
    const Value* found = self.dict->find(bound.need(0));
    return found ? *found : bound.or_else(1, Value());
}

Value copy_dict(In& in, const Value& self, const Arguments&) {
    Dict* made = in.heap.dict();
    for (const auto& [key, value] : self.dict->entries) in.heap.set(*made, key, value);
    return Value(made);
}

Value copy_list(In& in, const Value& self, const Arguments&) {
    return in.heap.list(in.iterate(self));
}

Value count(In& in, const Value& self, const Arguments& given) {
    Value wanted = Bound("count", given, {"value"}).need(0);
    const auto& items = self.list->items;
    return Value(
        static_cast<std::int64_t>(std::count_if(items.begin(), items.end(), [&](const Value& item) {
            return equal(item, wanted, in.steps);
        })));
}

Value index(In& in, const Value& self, const Arguments& given) {
    Bound bound("index", given, {"value"});
    const auto& items = self.list->items;
    auto found = std::find_if(items.begin(), items.end(), [&](const Value& item) {
        return equal(item, bound.need(0), in.steps);
    });
    if (found == items.end()) throw Failure("the value is not in the list");
    return Value(static_cast<std::int64_t>(found - items.begin()));
}

} // namespace

Function::Body find_container_method(const Value& of, std::string_view name) {
    static const std::unordered_map<std::string_view, Function::Body> kDict = {
        {"keys", keys}, {"values", values}, {"items", pairs}, {"get", get}, {"copy", copy_dict}};
    static const std::unordered_map<std::string_view, Function::Body> kList = {
        {"count", count}, {"index", index}, {"copy", copy_list}};
    bool list = of.is(Kind::List) && of.list->indexable();
    if (!list && !of.is(Kind::Dict)) return nullptr;
    if (list && name == "copy" && of.list->flavor == List::Flavor::Tuple) return nullptr;
    const auto& methods = list ? kList : kDict;
    auto found = methods.find(name);
    return found == methods.end() ? nullptr : found->second;
}

} // namespace assay::engine::jinja
