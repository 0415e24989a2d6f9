// How Python prints values.
#include "chat/object.h"
#include "chat/unicode.h"
#include "chat/value.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace assay::engine::jinja {

namespace {

void add_items(Text& out, const std::vector<Value>& items, int depth) {
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) out.add(", ");
        add_repr(out, items[i], depth + 1);
    }
}

void add_list(Text& out, const List& list, int depth) {
    switch (list.flavor) {
    case List::Flavor::List:
        out.add("[");
        add_items(out, list.items, depth);
        out.add("]");
        return;
    case List::Flavor::Tuple:
        out.add("(");
        add_items(out, list.items, depth);
        out.add(list.items.size() == 1 ? ",)" : ")");
        return;
    case List::Flavor::View:
        out.add("dict_view([");
        add_items(out, list.items, depth);
        out.add("])");
        return;
    case List::Flavor::Generator:
        out.add("<generator>");
        return;
    }
}

void add_dict(Text& out, const Dict& dict, int depth) {
    out.add("{");
    bool first = true;
    for (const auto& [key, value] : dict.entries) {
        if (!first) out.add(", ");
        first = false;
        add_repr(out, key, depth + 1);
        out.add(": ");
        add_repr(out, value, depth + 1);
    }
    out.add("}");
}

} // namespace

std::string float_text(double number) {
    if (std::isnan(number)) return "nan";
    if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
    char buffer[40];
    auto end =
        std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::scientific).ptr;
    std::string_view shortest(buffer, static_cast<std::size_t>(end - buffer));
    std::size_t e = shortest.find('e');
    int exponent = 0;
    std::from_chars(shortest.data() + e + (shortest[e + 1] == '+' ? 2 : 1), end, exponent);
    if (exponent < -4 || exponent >= 16) return std::string(shortest);
    end = std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::fixed).ptr;
    std::string text(buffer, end);
    if (text.find('.') == std::string::npos) text += ".0";
    return text;
}

std::string quoted(std::string_view text) {
    bool double_quotes = text.find('\'') != text.npos && text.find('"') == text.npos;
    char quote = double_quotes ? '"' : '\'';
    std::string out(1, quote);
    for (std::size_t at = 0; at < text.size();) {
        std::size_t start = at;
        char32_t c = next_code_point(text, at);
        if (c == static_cast<char32_t>(quote) || c == U'\\')
            (out += '\\') += static_cast<char>(c);
        else if (c == U'\n')
            out += "\\n";
        else if (c == U'\r')
            out += "\\r";
        else if (c == U'\t')
            out += "\\t";
        else if (is_printable(c))
            out += text.substr(start, at - start);
        else if (c < 0x100)
            out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
        else if (c < 0x10000)
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else
            out += fmt::format("\\U{:08x}", static_cast<unsigned>(c));
    }
    return out += quote;
}

std::string escaped(std::string_view text) {
    std::string out;
    for (char c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '\'':
            out += "&#39;";
            break;
        case '"':
            out += "&#34;";
            break;
        default:
            out += c;
        }
    }
    return out;
}

void add_text(Text& out, const Value& value) {
    if (value.is_string())
        out.add(*value.text);
    else if (!value.is_undefined())
        add_repr(out, value);
}

void add_repr(Text& out, const Value& value, int depth) {
    if (depth > kDeepestValue)
        throw Failure(fmt::format("values nested deeper than {}", kDeepestValue));
    switch (value.kind) {
    case Kind::Undefined:
        out.add("Undefined");
        return;
    case Kind::None:
        out.add("None");
        return;
    case Kind::Bool:
        out.add(value.boolean ? "True" : "False");
        return;
    case Kind::Int:
        out.add(fmt::format("{}", value.integer));
        return;
    case Kind::Float:
        out.add(float_text(value.number));
        return;
    case Kind::BigInt:
        out.add(*value.text);
        return;
    case Kind::String:
        out.add(quoted(*value.text));
        return;
    case Kind::List:
        add_list(out, *value.list, depth);
        return;
    case Kind::Dict:
        add_dict(out, *value.dict, depth);
        return;
    case Kind::Object:
        out.add("<" + value.object->type() + ">");
        return;
    }
}

std::string to_text(const Value& value, std::size_t limit) {
    Text out(limit);
    add_text(out, value);
    return out.take();
}

} // namespace assay::engine::jinja
