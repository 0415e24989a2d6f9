#include "chat/json_text.h"

#include "assay/base/json.h"
#include "chat/unicode.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace assay::engine::jinja {

namespace {

// Fed by nlohmann's parser, so that a number's own digits and repeated keys can be seen.
class Reader : public nlohmann::json_sax<nlohmann::json> {
  public:
    explicit Reader(Heap& heap)
        : heap_(heap) {}

    bool null() override { return put(Value()); }
    bool boolean(bool v) override { return put(Value(v)); }
    bool number_integer(number_integer_t v) override { return put(Value(v)); }
    bool number_unsigned(number_unsigned_t v) override {
        if (std::in_range<std::int64_t>(v)) return put(Value(static_cast<std::int64_t>(v)));
        return put(Value(heap_.text(fmt::format("{}", v)).text, Kind::BigInt));
    }
    bool number_float(number_float_t v, const string_t& digits) override {
        if (digits.find_first_of(".eE") != digits.npos) return put(Value(v));
        return put(Value(heap_.text(digits).text, Kind::BigInt));
    }
    bool string(string_t& v) override { return put(heap_.text(std::move(v))); }
    bool binary(binary_t&) override { return false; }
    bool start_object(std::size_t) override { return open(Value(heap_.dict())); }
    bool key(string_t& v) override {
        keys_.back() = heap_.text(std::move(v));
        return true;
    }
    bool end_object() override { return close(); }
    bool start_array(std::size_t) override { return open(heap_.list({})); }
    bool end_array() override { return close(); }
    bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& e) override {
        throw Failure(e.what());
    }

    Value result;

  private:
    bool put(const Value& value) {
        if (open_.empty()) {
            result = value;
        } else if (open_.back().is(Kind::Dict)) {
            heap_.set(*open_.back().dict, keys_.back(), value);
        } else {
            heap_.charge(sizeof(Value));
            open_.back().list->items.push_back(value);
        }
        return true;
    }
    bool open(const Value& container) {
        put(container);
        open_.push_back(container);
        keys_.emplace_back();
        return true;
    }
    bool close() {
        open_.pop_back();
        keys_.pop_back();
        return true;
    }

    Heap& heap_;
    std::vector<Value> open_;
    std::vector<Value> keys_; // the current key of each open object
};

void add_escaped(Text& out, char32_t c, bool ascii) {
    switch (c) {
    case U'"':
        return out.add("\\\"");
    case U'\\':
        return out.add("\\\\");
    case U'\n':
        return out.add("\\n");
    case U'\r':
        return out.add("\\r");
    case U'\t':
        return out.add("\\t");
    case U'\b':
        return out.add("\\b");
    case U'\f':
        return out.add("\\f");
    default:
        break;
    }
    auto code = static_cast<unsigned>(c);
    if (c < 0x20 || (ascii && c >= 0x7f && c < 0x10000)) {
        out.add(fmt::format("\\u{:04x}", code));
    } else if (ascii && c >= 0x10000) {
        code -= 0x10000;
        out.add(fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (code >> 10), 0xdc00 + (code & 0x3ff)));
    } else {
        std::string character;
        append_utf8(character, c);
        out.add(character);
    }
}

void add_string(Text& out, std::string_view text, bool ascii) {
    out.add("\"");
    for (std::size_t at = 0; at < text.size();) add_escaped(out, next_code_point(text, at), ascii);
    out.add("\"");
}

std::string float_json(double number) {
    std::string text = float_text(number);
    if (text == "nan") return "NaN";
    if (text == "inf") return "Infinity";
    return text == "-inf" ? "-Infinity" : text;
}

std::string key_text(const Value& key) {
    switch (key.kind) {
    case Kind::String:
        return *key.text;
    case Kind::Bool:
        return key.boolean ? "true" : "false";
    case Kind::None:
        return "null";
    case Kind::Float:
        return float_json(key.number);
    case Kind::Int:
        return fmt::format("{}", key.integer);
    case Kind::BigInt:
        return *key.text;
    default:
        throw Failure("keys must be str, int, float, bool or None, not " + type_name(key));
    }
}

// Writes the brackets and what goes between items; `add_item` writes item i.
template<class AddItem>
void add_group(Text& out, std::string_view brackets, std::size_t count, const JsonStyle& style,
               int depth, AddItem add_item) {
    auto break_line = [&](int levels) {
        if (!style.broken_lines) return;
        out.add("\n");
        out.repeat(style.indent, static_cast<std::size_t>(levels));
    };
    out.add(brackets.substr(0, 1));
    for (std::size_t i = 0; i < count; ++i) {
        if (i > 0) out.add(style.item_separator);
        break_line(depth + 1);
        add_item(i);
    }
    if (count > 0) break_line(depth);
    out.add(brackets.substr(1));
}

void add_object(Text& out, const Dict& dict, const JsonStyle& style, int depth) {
    auto entries = dict.entries;
    if (style.steps)
        std::stable_sort(entries.begin(), entries.end(), [&](const auto& a, const auto& b) {
            return compare(a.first, b.first, "<", *style.steps) == -1;
        });
    add_group(out, "{}", entries.size(), style, depth, [&](std::size_t i) {
        add_string(out, key_text(entries[i].first), style.ascii);
        out.add(style.key_separator);
        add_json(out, entries[i].second, style, depth + 1);
    });
}

} // namespace

Value from_json(Heap& heap, std::string_view text) {
    if (nested_too_deep(text))
        throw Failure(fmt::format("JSON nested deeper than {}", kDeepestJson));
    Reader reader(heap);
    nlohmann::json::sax_parse(text, &reader);
    return reader.result;
}

void add_json(Text& out, const Value& value, const JsonStyle& style, int depth) {
    if (depth > kDeepestValue)
        throw Failure(fmt::format("values nested deeper than {}", kDeepestValue));
    switch (value.kind) {
    case Kind::None:
        return out.add("null");
    case Kind::Bool:
        return out.add(value.boolean ? "true" : "false");
    case Kind::Int:
        return out.add(fmt::format("{}", value.integer));
    case Kind::Float:
        return out.add(float_json(value.number));
    case Kind::BigInt:
        return out.add(*value.text);
    case Kind::String:
        return add_string(out, *value.text, style.ascii);
    case Kind::Dict:
        return add_object(out, *value.dict, style, depth);
    case Kind::List:
        if (!value.list->indexable()) break;
        return add_group(out, "[]", value.list->items.size(), style, depth, [&](std::size_t i) {
            add_json(out, value.list->items[i], style, depth + 1);
        });
    default:
        break;
    }
    throw Failure("Object of type " + type_name(value) + " is not JSON serializable");
}

} // namespace assay::engine::jinja
