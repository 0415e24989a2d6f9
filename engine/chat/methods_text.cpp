// Methods of str.
#include "chat/text_tools.h"
#include "chat/unicode.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay::engine::jinja {

namespace {

using In = Interpreter;

Value made(In& in, std::string text) {
    in.steps.spend_bytes(text.size());
    return in.heap.text(std::move(text));
}

Value upper(In& in, const Value& self, const Arguments&) {
    return made(in, to_upper(*self.text));
}
Value lower(In& in, const Value& self, const Arguments&) {
    return made(in, to_lower(*self.text));
}
Value capitalized(In& in, const Value& self, const Arguments&) {
    return made(in, capitalize(*self.text));
}

Value title(In& in, const Value& self, const Arguments&) {
    std::string out;
    bool inside = false;
    for (std::string_view c : characters(*self.text)) {
        std::size_t at = 0;
        bool letter = is_letter(next_code_point(c, at));
        out += letter && inside ? to_lower(c) : to_upper(c);
        inside = letter;
    }
    return made(in, std::move(out));
}

Value swap_case(In& in, const Value& self, const Arguments&) {
    std::string out;
    for (std::string_view c : characters(*self.text)) {
        std::size_t at = 0;
        out += is_upper(next_code_point(c, at)) ? to_lower(c) : to_upper(c);
    }
    return made(in, std::move(out));
}

Value strip(In& in, const Value& self, const Arguments& given) {
    const std::string* set = Bound("strip", given, {"chars"}).text_or_none(0);
    return made(in, std::string(strip_left(strip_right(*self.text, set), set)));
}
Value left_strip(In& in, const Value& self, const Arguments& given) {
    return made(
        in, std::string(strip_left(*self.text, Bound("lstrip", given, {"chars"}).text_or_none(0))));
}
Value right_strip(In& in, const Value& self, const Arguments& given) {
    return made(in, std::string(strip_right(*self.text,
                                            Bound("rstrip", given, {"chars"}).text_or_none(0))));
}

Value texts(In& in, const std::vector<std::string_view>& pieces,
            List::Flavor flavor = List::Flavor::List) {
    std::vector<Value> items;
    for (std::string_view piece : pieces) items.push_back(in.heap.text(std::string(piece)));
    return in.heap.list(std::move(items), flavor);
}

// Without a separator: words between white space.
std::vector<std::string_view> words(std::string_view text, std::int64_t most) {
    std::vector<std::string_view> found;
    text = strip_left(text);
    while (!text.empty()) {
        if (most-- == 0) {
            found.push_back(strip_right(text));
            break;
        }
        std::size_t at = 0, end = 0;
        while (at < text.size()) {
            end = at;
            if (is_space(next_code_point(text, at))) break;
            end = at;
        }
        found.push_back(text.substr(0, end));
        text = strip_left(text.substr(end));
    }
    return found;
}

std::vector<std::string_view> words_from_right(std::string_view text, std::int64_t most) {
    std::vector<std::string_view> found;
    text = strip_right(text);
    while (!text.empty()) {
        if (most-- == 0) {
            found.push_back(strip_left(text));
            break;
        }
        std::size_t begin = 0;
        for (std::size_t at = 0; at < text.size();)
            if (is_space(next_code_point(text, at))) begin = at;
        found.push_back(text.substr(begin));
        text = strip_right(text.substr(0, begin));
    }
    std::reverse(found.begin(), found.end());
    return found;
}

Value split(In& in, const Value& self, const Arguments& given) {
    Bound bound("split", given, {"sep", "maxsplit"});
    const std::string* separator = bound.text_or_none(0);
    std::int64_t most = bound.integer(1, -1);
    std::string_view text = *self.text;
    in.steps.spend_search(text, separator ? *separator : " ");
    if (!separator) return texts(in, words(text, most));
    if (separator->empty()) throw Failure("empty separator");
    std::vector<std::string_view> pieces;
    for (std::size_t at; most != 0 && (at = text.find(*separator)) != text.npos; --most) {
        pieces.push_back(text.substr(0, at));
        text.remove_prefix(at + separator->size());
    }
    pieces.push_back(text);
    return texts(in, pieces);
}

Value right_split(In& in, const Value& self, const Arguments& given) {
    Bound bound("rsplit", given, {"sep", "maxsplit"});
    const std::string* separator = bound.text_or_none(0);
    std::int64_t most = bound.integer(1, -1);
    std::string_view text = *self.text;
    in.steps.spend_search(text, separator ? *separator : " ");
    if (!separator) {
        if (most < 0) return texts(in, words(text, most));
        in.steps.spend(text.size() * static_cast<std::size_t>(std::min<std::int64_t>(most, 1000)) /
                       16);
        return texts(in, words_from_right(text, std::min<std::int64_t>(most, 1000)));
    }
    if (separator->empty()) throw Failure("empty separator");
    std::vector<std::string_view> pieces;
    for (std::size_t at; most != 0 && (at = text.rfind(*separator)) != text.npos; --most) {
        pieces.push_back(text.substr(at + separator->size()));
        text = text.substr(0, at);
    }
    pieces.push_back(text);
    std::reverse(pieces.begin(), pieces.end());
    return texts(in, pieces);
}

Value lines(In& in, const Value& self, const Arguments& given) {
    in.steps.spend_bytes(self.text->size());
    return texts(in,
                 split_lines(*self.text, Bound("splitlines", given, {"keepends"}).flag(0, false)));
}

Value parted(In& in, const Value& self, const Arguments& given, bool from_right) {
    Bound bound(from_right ? "rpartition" : "partition", given, {"sep"});
    bound.need(0);
    std::string separator = bound.text(0, {});
    if (separator.empty()) throw Failure("empty separator");
    std::string_view text = *self.text;
    in.steps.spend_search(text, separator);
    std::size_t at = from_right ? text.rfind(separator) : text.find(separator);
    std::vector<std::string_view> pieces{text, "", ""};
    if (at != text.npos)
        pieces = {text.substr(0, at), separator, text.substr(at + separator.size())};
    else if (from_right)
        std::reverse(pieces.begin(), pieces.end());
    return texts(in, pieces, List::Flavor::Tuple);
}
Value partition(In& in, const Value& self, const Arguments& given) {
    return parted(in, self, given, false);
}
Value right_partition(In& in, const Value& self, const Arguments& given) {
    return parted(in, self, given, true);
}

Value replace(In& in, const Value& self, const Arguments& given) {
    Bound bound("replace", given, {"old", "new", "count"});
    bound.need(1);
    return replace_text(in, *self.text, bound.text(0, {}), bound.text(1, {}), bound.integer(2, -1));
}

bool has_affix(const std::string& text, const Value& affix, bool front) {
    if (affix.is(Kind::List) && affix.list->flavor == List::Flavor::Tuple)
        return std::any_of(affix.list->items.begin(), affix.list->items.end(),
                           [&](const Value& one) { return has_affix(text, one, front); });
    if (!affix.is_string())
        throw Failure(fmt::format("{} first arg must be str or a tuple of str, not {}",
                                  front ? "startswith" : "endswith", type_name(affix)));
    return front ? text.starts_with(*affix.text) : text.ends_with(*affix.text);
}
Value starts_with(In&, const Value& self, const Arguments& given) {
    return Value(has_affix(*self.text, Bound("startswith", given, {"prefix"}).need(0), true));
}
Value ends_with(In&, const Value& self, const Arguments& given) {
    return Value(has_affix(*self.text, Bound("endswith", given, {"suffix"}).need(0), false));
}
Value remove_prefix(In& in, const Value& self, const Arguments& given) {
    std::string prefix = Bound("removeprefix", given, {"prefix"}).text(0, {});
    return made(in, self.text->substr(self.text->starts_with(prefix) ? prefix.size() : 0));
}
Value remove_suffix(In& in, const Value& self, const Arguments& given) {
    std::string suffix = Bound("removesuffix", given, {"suffix"}).text(0, {});
    std::size_t cut = self.text->ends_with(suffix) ? suffix.size() : 0;
    return made(in, self.text->substr(0, self.text->size() - cut));
}

std::int64_t position(In& in, const Value& self, const Arguments& given, std::string_view name,
                      bool from_right) {
    Bound bound(name, given, {"sub"});
    bound.need(0);
    std::string wanted = bound.text(0, {});
    in.steps.spend_search(*self.text, wanted);
    std::size_t at = from_right ? self.text->rfind(wanted) : self.text->find(wanted);
    if (at == self.text->npos) return -1;
    return static_cast<std::int64_t>(count_code_points(std::string_view(*self.text).substr(0, at)));
}
Value find(In& in, const Value& self, const Arguments& given) {
    return Value(position(in, self, given, "find", false));
}
Value right_find(In& in, const Value& self, const Arguments& given) {
    return Value(position(in, self, given, "rfind", true));
}
Value index(In& in, const Value& self, const Arguments& given) {
    std::int64_t at = position(in, self, given, "index", false);
    if (at < 0) throw Failure("substring not found");
    return Value(at);
}

Value count(In& in, const Value& self, const Arguments& given) {
    Bound bound("count", given, {"sub"});
    bound.need(0);
    std::string wanted = bound.text(0, {});
    in.steps.spend_search(*self.text, wanted);
    if (wanted.empty()) return Value(static_cast<std::int64_t>(count_code_points(*self.text)) + 1);
    std::int64_t found = 0;
    for (std::size_t at = 0; (at = self.text->find(wanted, at)) != self.text->npos;
         at += wanted.size())
        ++found;
    return Value(found);
}

Value join(In& in, const Value& self, const Arguments& given) {
    Text out = in.make_text();
    std::vector<Value> items = in.iterate(Bound("join", given, {"iterable"}).need(0));
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (!items[i].is_string())
            throw Failure(fmt::format("sequence item {}: expected str instance, {} found", i,
                                      type_name(items[i])));
        if (i > 0) out.add(*self.text);
        out.add(*items[i].text);
    }
    return made(in, out.take());
}

Value format(In& in, const Value& self, const Arguments& given) {
    return format_braces(in, *self.text, given);
}

template<bool (*holds)(char32_t)>
Value every(In& in, const Value& self, const Arguments&) {
    in.steps.spend_bytes(self.text->size());
    for (std::size_t at = 0; at < self.text->size();)
        if (!holds(next_code_point(*self.text, at))) return Value(false);
    return Value(!self.text->empty());
}
bool letter_or_digit(char32_t c) {
    return is_letter(c) || is_digit(c);
}

Value all_upper(In& in, const Value& self, const Arguments& given) {
    return Value(find_test("upper")(in, self, given));
}
Value all_lower(In& in, const Value& self, const Arguments& given) {
    return Value(find_test("lower")(in, self, given));
}

Value padded(In& in, const Value& self, const Arguments& given, std::string_view name, bool left,
             bool right) {
    Bound bound(name, given, {"width", "fillchar"});
    bound.need(0);
    return pad_text(in, *self.text, bound.integer(0, 0), bound.text(1, " "), left, right);
}
Value center(In& in, const Value& self, const Arguments& given) {
    return padded(in, self, given, "center", true, true);
}
Value left_justify(In& in, const Value& self, const Arguments& given) {
    return padded(in, self, given, "ljust", false, true);
}
Value right_justify(In& in, const Value& self, const Arguments& given) {
    return padded(in, self, given, "rjust", true, false);
}

Value zero_fill(In& in, const Value& self, const Arguments& given) {
    Bound bound("zfill", given, {"width"});
    bound.need(0);
    bool sign = self.text->starts_with('-') || self.text->starts_with('+');
    std::string head = self.text->substr(0, sign ? 1 : 0);
    Value digits =
        pad_text(in, self.text->substr(head.size()),
                 bound.integer(0, 0) - static_cast<std::int64_t>(head.size()), "0", true, false);
    return made(in, head + *digits.text);
}

} // namespace

Function::Body find_text_method(std::string_view name) {
    static const std::unordered_map<std::string_view, Function::Body> kMethods = {
        {"upper", upper},
        {"lower", lower},
        {"casefold", lower},
        {"capitalize", capitalized},
        {"title", title},
        {"swapcase", swap_case},
        {"strip", strip},
        {"lstrip", left_strip},
        {"rstrip", right_strip},
        {"split", split},
        {"rsplit", right_split},
        {"splitlines", lines},
        {"partition", partition},
        {"rpartition", right_partition},
        {"replace", replace},
        {"startswith", starts_with},
        {"endswith", ends_with},
        {"removeprefix", remove_prefix},
        {"removesuffix", remove_suffix},
        {"find", find},
        {"rfind", right_find},
        {"index", index},
        {"count", count},
        {"join", join},
        {"format", format},
        {"isalpha", every<is_letter>},
        {"isdigit", every<is_digit>},
        {"isdecimal", every<is_digit>},
        {"isnumeric", every<is_digit>},
        {"isalnum", every<letter_or_digit>},
        {"isspace", every<is_space>},
        {"isupper", all_upper},
        {"islower", all_lower},
        {"center", center},
        {"ljust", left_justify},
        {"rjust", right_justify},
        {"zfill", zero_fill},
    };
    auto found = kMethods.find(name);
    return found == kMethods.end() ? nullptr : found->second;
}

} // namespace assay::engine::jinja
