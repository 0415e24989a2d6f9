#include "chat/text_tools.h"

#include "chat/unicode.h"

namespace assay::engine::jinja {

namespace {

void replace_between(Text& out, std::string_view text, std::string_view to, std::int64_t most) {
    auto each = characters(text);
    for (std::size_t i = 0; i <= each.size(); ++i) {
        if (most != 0) {
            out.add(to);
            --most;
        }
        if (i < each.size()) out.add(each[i]);
    }
}

} // namespace

Value replace_text(Interpreter& in, const std::string& text, const std::string& from,
                   const std::string& to, std::int64_t most) {
    Text out = in.make_text();
    in.steps.spend_search(text, from);
    if (from.empty()) {
        replace_between(out, text, to, most);
    } else {
        std::size_t at = 0;
        for (std::size_t found; most != 0 && (found = text.find(from, at)) != text.npos; --most) {
            out.add(std::string_view(text).substr(at, found - at));
            out.add(to);
            at = found + from.size();
        }
        out.add(std::string_view(text).substr(at));
    }
    in.steps.spend_bytes(out.view().size());
    return in.heap.text(out.take());
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
    std::vector<std::string_view> lines;
    std::size_t start = 0;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = at;
        char32_t c = next_code_point(text, at);
        bool breaks = (c >= 10 && c <= 13) || (c >= 0x1c && c <= 0x1e) || c == 0x85 ||
                      c == 0x2028 || c == 0x2029;
        if (!breaks) continue;
        if (c == U'\r' && at < text.size() && text[at] == '\n') ++at;
        lines.push_back(text.substr(start, (keep_ends ? at : end) - start));
        start = at;
    }
    if (start < text.size()) lines.push_back(text.substr(start));
    return lines;
}

Value pad_text(Interpreter& in, std::string_view text, std::int64_t width, std::string_view fill,
               bool left, bool right) {
    if (count_code_points(fill) != 1)
        throw Failure("The fill character must be exactly one character long");
    auto length = static_cast<std::int64_t>(count_code_points(text));
    std::int64_t pad = width > length ? width - length : 0;
    std::int64_t before = left && right ? pad / 2 + (pad & width & 1) : left ? pad : 0;
    Text out = in.make_text();
    out.repeat(fill, static_cast<std::size_t>(before));
    out.add(text);
    out.repeat(fill, static_cast<std::size_t>(pad - before));
    in.steps.spend_bytes(out.view().size());
    return in.heap.text(out.take());
}

} // namespace assay::engine::jinja
