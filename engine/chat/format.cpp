// Python's "%s" % value and "{}".format(value), as far as templates go: no attributes or items in
// replacement fields.
#include "chat/text_tools.h"
#include "chat/unicode.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace assay::engine::jinja {

namespace {

constexpr std::int64_t kWidest = 10'000;

struct Spec {
    std::string fill = " ";
    char align = 0; // < > ^ =
    char sign = '-';
    bool alternate = false, grouped = false;
    std::int64_t width = 0, precision = -1;
    char type = 0;
};

std::int64_t read_number(std::string_view text, std::size_t& at) {
    std::int64_t value = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at)
        if ((value = value * 10 + (text[at] - '0')) > kWidest)
            throw Failure(fmt::format("a format wider than {}", kWidest));
    return value;
}

std::int64_t integer_of(const Value& value, char type) {
    if (value.is_integral()) return value.as_integer();
    if (value.is(Kind::Float) && type == 'd' && std::abs(value.number) < 9e18)
        return static_cast<std::int64_t>(value.number);
    throw Failure(fmt::format("%{} format: a number is required, not {}", type, type_name(value)));
}

std::string grouped(std::string digits, bool wanted) {
    std::size_t end = digits.find_first_not_of("0123456789");
    if (end == digits.npos) end = digits.size();
    for (; wanted && end > 3; digits.insert(end, ",")) end -= 3;
    return digits;
}

std::string real_digits(double number, const Spec& spec) {
    int precision = spec.precision < 0 ? 6 : static_cast<int>(spec.precision);
    double size = std::abs(number);
    std::string text;
    switch (spec.type) {
    case 'e':
        text = fmt::format("{:.{}e}", size, precision);
        break;
    case 'E':
        text = fmt::format("{:.{}E}", size, precision);
        break;
    case 'g':
        text = spec.alternate ? fmt::format("{:#.{}g}", size, precision)
                              : fmt::format("{:.{}g}", size, precision);
        break;
    case '%':
        text = fmt::format("{:.{}f}%", size * 100, precision);
        break;
    default:
        text = fmt::format("{:.{}f}", size, precision);
    }
    return grouped(std::move(text), spec.grouped);
}

std::string whole_digits(std::int64_t number, const Spec& spec) {
    std::uint64_t size =
        number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
    switch (spec.type) {
    case 'x':
        return fmt::format("{}{:x}", spec.alternate ? "0x" : "", size);
    case 'X':
        return fmt::format("{}{:X}", spec.alternate ? "0X" : "", size);
    case 'o':
        return fmt::format("{}{:o}", spec.alternate ? "0o" : "", size);
    case 'b':
        return fmt::format("{}{:b}", spec.alternate ? "0b" : "", size);
    default:
        return grouped(fmt::format("{}", size), spec.grouped);
    }
}

void add_padded(Text& out, const Spec& spec, std::string_view sign, std::string_view body,
                char align) {
    auto length = static_cast<std::int64_t>(count_code_points(body) + sign.size());
    auto pad = static_cast<std::size_t>(std::max<std::int64_t>(spec.width - length, 0));
    std::size_t before = align == '>' || align == '=' ? pad : align == '^' ? pad / 2 : 0;
    if (align == '=') out.add(sign);
    out.repeat(spec.fill, before);
    if (align != '=') out.add(sign);
    out.add(body);
    out.repeat(spec.fill, pad - before);
}

void add_number(Text& out, const Spec& spec, bool negative, std::string_view digits) {
    std::string_view sign = negative ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
    add_padded(out, spec, sign, digits, spec.align ? spec.align : '>');
}

void add_formatted(Interpreter& in, Text& out, const Value& value, Spec spec) {
    bool number = value.is_number() && !value.is(Kind::BigInt);
    if (spec.type == 'i' || spec.type == 'u' || spec.type == 'n') spec.type = 'd';
    if (spec.type == 'F') spec.type = 'f';
    if (spec.type == 0 && number && !value.is(Kind::Bool)) {
        if (value.is(Kind::Int)) spec.type = 'd';
        if (value.is(Kind::Float) && spec.precision >= 0) spec.type = 'g';
    }
    if (spec.type == 0 && value.is(Kind::Float)) {
        std::string digits = float_text(std::abs(value.number));
        return add_number(out, spec, std::signbit(value.number), grouped(digits, spec.grouped));
    }
    if (spec.type == 0 || spec.type == 's') {
        std::string text = in.text(value);
        if (spec.precision >= 0)
            text.resize(byte_offset(text, static_cast<std::size_t>(spec.precision)));
        return add_padded(out, spec, "", text, spec.align ? spec.align : '<');
    }
    if (std::string_view("dxXob").find(spec.type) != std::string_view::npos) {
        std::int64_t whole = integer_of(value, spec.type);
        return add_number(out, spec, whole < 0, whole_digits(whole, spec));
    }
    if (std::string_view("eEfg%").find(spec.type) != std::string_view::npos) {
        if (!number) throw Failure("must be real number, not " + type_name(value));
        double real =
            value.is(Kind::Float) ? value.number : static_cast<double>(value.as_integer());
        return add_number(out, spec, std::signbit(real), real_digits(real, spec));
    }
    throw Failure(fmt::format("unsupported format character '{}'", spec.type));
}

Spec braces_spec(std::string_view text) {
    Spec spec;
    std::size_t at = 0;
    auto is_align = [&](std::size_t i) {
        return i < text.size() && std::string_view("<>^=").find(text[i]) != std::string_view::npos;
    };
    std::size_t first = byte_offset(text, 1);
    if (first > 0 && is_align(first)) {
        spec.fill = text.substr(0, first);
        spec.align = text[first];
        at = first + 1;
    } else if (is_align(0)) {
        spec.align = text[at++];
    }
    if (at < text.size() && std::string_view("+- ").find(text[at]) != std::string_view::npos)
        spec.sign = text[at++];
    if (at < text.size() && text[at] == '#') spec.alternate = ++at > 0;
    if (at < text.size() && text[at] == '0') {
        if (!spec.align) {
            spec.align = '=';
            spec.fill = "0";
        }
        ++at;
    }
    spec.width = read_number(text, at);
    if (at < text.size() && text[at] == ',') spec.grouped = ++at > 0;
    if (at < text.size() && text[at] == '.') spec.precision = read_number(text, ++at);
    if (at < text.size()) spec.type = text[at++];
    if (at < text.size()) throw Failure(fmt::format("Invalid format specifier '{}'", text));
    return spec;
}

// One replacement field, without its braces: name[!conversion][:spec].
void add_field(Interpreter& in, Text& out, std::string_view field, const Arguments& given,
               std::size_t& next) {
    std::string_view spec;
    if (std::size_t colon = field.find(':'); colon != field.npos) {
        spec = field.substr(colon + 1);
        field = field.substr(0, colon);
    }
    char conversion = 0;
    if (std::size_t mark = field.find('!'); mark != field.npos) {
        if (mark + 2 != field.size()) throw Failure("expected one character behind '!'");
        conversion = field[mark + 1];
        field = field.substr(0, mark);
    }
    const Value* found = nullptr;
    std::size_t place = next;
    auto number = std::from_chars(field.data(), field.data() + field.size(), place);
    if (field.empty() || (number.ec == std::errc() && number.ptr == field.data() + field.size())) {
        if (field.empty()) ++next;
        if (place < given.positional.size()) found = &given.positional[place];
    } else {
        for (const auto& [name, value] : given.named)
            if (name == field) found = &value;
    }
    if (!found) throw Failure(fmt::format("format(): no argument for '{{{}}}'", field));
    Value value = *found;
    if (conversion == 's') value = in.heap.text(in.text(value));
    if (conversion == 'r') {
        Text shown = in.make_text();
        add_repr(shown, value);
        value = in.heap.text(shown.take());
    } else if (conversion != 0 && conversion != 's') {
        throw Failure(fmt::format("unknown conversion '{}'", conversion));
    }
    add_formatted(in, out, value, braces_spec(spec));
}

// Where the arguments of a % come from: a tuple one by one, a dict by name, anything else once.
class PercentArguments {
  public:
    explicit PercentArguments(const Value& given)
        : given_(given) {
        tuple_ = given.is(Kind::List) && given.list->flavor == List::Flavor::Tuple;
    }
    Value next() {
        if (tuple_ && used_ < given_.list->items.size()) return given_.list->items[used_++];
        if (tuple_ || used_++ > 0) throw Failure("not enough arguments for format string");
        return given_;
    }
    Value named(std::string_view name) {
        used_ = 1;
        const Value* found = given_.is(Kind::Dict) ? given_.dict->find(name) : nullptr;
        if (!found) throw Failure(fmt::format("format: no value for '{}'", name));
        return *found;
    }
    void check_end() const {
        if (tuple_ ? used_ < given_.list->items.size() : used_ == 0 && !given_.is(Kind::Dict))
            throw Failure("not all arguments converted during string formatting");
    }

  private:
    const Value& given_;
    bool tuple_ = false;
    std::size_t used_ = 0;
};

// The conversion behind a % at `at`, which is moved behind it.
void add_percent(Interpreter& in, Text& out, std::string_view format, std::size_t& at,
                 PercentArguments& arguments) {
    auto here = [&] { return at < format.size() ? format[at] : '\0'; };
    if (here() == '%') {
        ++at;
        return out.add("%");
    }
    std::optional<Value> value;
    if (here() == '(') {
        std::size_t close = format.find(')', at);
        if (close == format.npos) throw Failure("incomplete format key");
        value = arguments.named(format.substr(at + 1, close - at - 1));
        at = close + 1;
    }
    Spec spec;
    spec.align = '>';
    for (bool flags = true; flags; at += flags) switch (here()) {
        case '-':
            spec.align = '<';
            break;
        case '0':
            if (spec.align != '<') spec.align = '=';
            break;
        case '+':
            spec.sign = '+';
            break;
        case ' ':
            spec.sign = spec.sign == '+' ? '+' : ' ';
            break;
        case '#':
            spec.alternate = true;
            break;
        default:
            flags = false;
        }
    spec.width = read_number(format, at);
    if (here() == '.') spec.precision = read_number(format, ++at);
    spec.type = here();
    if (!spec.type) throw Failure("incomplete format");
    ++at;
    if (!value) value = arguments.next();
    if (spec.type == 'r') {
        Text shown = in.make_text();
        add_repr(shown, *value);
        value = in.heap.text(shown.take());
        spec.type = 's';
    }
    if (spec.type == 's') {
        spec.align = spec.align == '=' ? '>' : spec.align;
        value = in.heap.text(in.text(*value));
    }
    if (spec.align == '=') spec.fill = "0";
    add_formatted(in, out, *value, spec);
}

} // namespace

Value format_braces(Interpreter& in, const std::string& format, const Arguments& arguments) {
    Text out = in.make_text();
    std::size_t next = 0;
    for (std::size_t at = 0; at < format.size();) {
        std::size_t brace = format.find_first_of("{}", at);
        out.add(std::string_view(format).substr(at, brace == format.npos ? brace : brace - at));
        if (brace == format.npos) break;
        if (brace + 1 < format.size() && format[brace + 1] == format[brace]) {
            out.add({&format[brace], 1});
            at = brace + 2;
            continue;
        }
        std::size_t close = format.find('}', brace);
        if (format[brace] == '}' || close == format.npos)
            throw Failure(fmt::format("Single '{}' encountered in format string", format[brace]));
        std::string_view field = std::string_view(format).substr(brace + 1, close - brace - 1);
        if (field.find_first_of("{.[") < field.find(':'))
            throw Failure("format(): attributes, items and nested fields are not supported");
        add_field(in, out, field, arguments, next);
        at = close + 1;
    }
    in.steps.spend_bytes(out.view().size());
    return in.heap.text(out.take());
}

Value format_percent(Interpreter& in, const std::string& format, const Value& given) {
    Text out = in.make_text();
    PercentArguments arguments(given);
    for (std::size_t at = 0; at < format.size();) {
        std::size_t mark = format.find('%', at);
        out.add(std::string_view(format).substr(at, mark == format.npos ? mark : mark - at));
        if (mark == format.npos) break;
        at = mark + 1;
        add_percent(in, out, format, at, arguments);
    }
    arguments.check_end();
    in.steps.spend_bytes(out.view().size());
    return in.heap.text(out.take());
}

} // namespace assay::engine::jinja
