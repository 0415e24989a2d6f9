// Filters that make text of text; any other input is printed first.
#include "chat/text_tools.h"
#include "chat/unicode.h"

#include <fmt/format.h>

namespace assay::engine::jinja {

namespace {

using In = Interpreter;

std::string printed(In& in, const Value& input) {
    std::string text = in.text(input);
    in.steps.spend_bytes(text.size());
    return text;
}

Value upper(In& in, const Value& input, const Arguments&) {
    return in.heap.text(to_upper(printed(in, input)));
}
Value lower(In& in, const Value& input, const Arguments&) {
    return in.heap.text(to_lower(printed(in, input)));
}
Value capitalized(In& in, const Value& input, const Arguments&) {
    return in.heap.text(capitalize(printed(in, input)));
}
Value as_string(In& in, const Value& input, const Arguments&) {
    return input.is_string() ? input : in.heap.text(printed(in, input));
}

// Words begin behind white space and -({[<.
Value title(In& in, const Value& input, const Arguments&) {
    std::string text = printed(in, input), out;
    bool begins = true;
    for (std::string_view c : characters(text)) {
        std::size_t at = 0;
        char32_t code = next_code_point(c, at);
        bool separates = is_space(code) || code == U'-' || code == U'(' || code == U'{' ||
                         code == U'[' || code == U'<';
        out += begins ? to_upper(c) : to_lower(c);
        begins = separates;
    }
    return in.heap.text(std::move(out));
}

Value trim(In& in, const Value& input, const Arguments& given) {
    Bound bound("trim", given, {"chars"});
    std::string text = printed(in, input);
    const std::string* set = bound.text_or_none(0);
    return in.heap.text(std::string(strip_left(strip_right(text, set), set)));
}

Value replace(In& in, const Value& input, const Arguments& given) {
    Bound bound("replace", given, {"old", "new", "count"});
    return replace_text(in, printed(in, input), in.text(bound.need(0)), in.text(bound.need(1)),
                        bound.integer(2, -1));
}

Value center(In& in, const Value& input, const Arguments& given) {
    Bound bound("center", given, {"width"});
    return pad_text(in, printed(in, input), bound.integer(0, 80), " ", true, true);
}

Value format(In& in, const Value& input, const Arguments& given) {
    if (!given.positional.empty() && !given.named.empty())
        throw Failure("can't handle positional and keyword arguments at the same time");
    if (given.named.empty())
        return format_percent(in, printed(in, input), in.heap.tuple(given.positional));
    Dict* named = in.heap.dict();
    for (const auto& [name, value] : given.named)
        in.heap.set(*named, in.heap.text(std::string(name)), value);
    return format_percent(in, printed(in, input), Value(named));
}

Value indent(In& in, const Value& input, const Arguments& given) {
    Bound bound("indent", given, {"width", "first", "blank"});
    if (input.is_undefined()) fail_undefined(input);
    if (!input.is_string()) throw Failure("indent() needs a text, not " + type_name(input));
    std::string margin;
    if (bound.has(0) && bound.need(0).is_string()) {
        margin = *bound.need(0).text;
    } else {
        std::int64_t width = bound.integer(0, 4);
        if (width > 10'000) throw Failure("indent(): a width above 10000");
        margin.assign(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
    }
    std::string with_end = *input.text + "\n";
    auto lines = split_lines(with_end);
    in.steps.spend_bytes(with_end.size());
    Text out = in.make_text();
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (i > 0) out.add("\n");
        bool indented = i == 0 ? bound.flag(1, false) : bound.flag(2, false) || !lines[i].empty();
        if (indented) out.add(margin);
        out.add(lines[i]);
    }
    return in.heap.text(out.take());
}

Value safe(In& in, const Value& input, const Arguments&) {
    Value made = input.is_string() ? input : in.heap.text(printed(in, input));
    made.markup = true;
    return made;
}

Value force_escape(In& in, const Value& input, const Arguments&) {
    Value made = in.heap.text(escaped(printed(in, input)));
    made.markup = true;
    return made;
}
Value escape(In& in, const Value& input, const Arguments& given) {
    return input.markup ? input : force_escape(in, input, given);
}

Value word_count(In& in, const Value& input, const Arguments&) {
    std::int64_t words = 0;
    bool inside = false;
    std::string text = printed(in, input);
    for (std::size_t at = 0; at < text.size();) {
        char32_t c = next_code_point(text, at);
        bool word = is_letter(c) || is_digit(c) || c == U'_';
        words += word && !inside;
        inside = word;
    }
    return Value(words);
}

Value truncate(In& in, const Value& input, const Arguments& given) {
    Bound bound("truncate", given, {"length", "killwords", "end", "leeway"});
    std::string text = printed(in, input), end = bound.text(2, "...");
    std::int64_t length = bound.integer(0, 255), leeway = bound.integer(3, 5);
    auto end_length = static_cast<std::int64_t>(count_code_points(end));
    if (length < end_length) throw Failure(fmt::format("expected length >= {}", end_length));
    if (leeway < 0) throw Failure("expected leeway >= 0");
    auto characters_in = static_cast<std::int64_t>(count_code_points(text));
    if (characters_in - length <= leeway) return in.heap.text(std::move(text));
    text.resize(byte_offset(text, static_cast<std::size_t>(length - end_length)));
    if (!bound.flag(1, false)) text = text.substr(0, text.rfind(' '));
    return in.heap.text(text + end);
}

} // namespace

FilterBody find_text_filter(std::string_view name) {
    static const std::unordered_map<std::string_view, FilterBody> kFilters = {
        {"upper", upper},
        {"lower", lower},
        {"capitalize", capitalized},
        {"title", title},
        {"string", as_string},
        {"safe", safe},
        {"trim", trim},
        {"replace", replace},
        {"center", center},
        {"format", format},
        {"indent", indent},
        {"escape", escape},
        {"e", escape},
        {"forceescape", force_escape},
        {"wordcount", word_count},
        {"truncate", truncate},
    };
    auto found = kFilters.find(name);
    return found == kFilters.end() ? nullptr : found->second;
}

} // namespace assay::engine::jinja
