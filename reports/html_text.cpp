#include "html_text.h"

#include "assay/base/error.h"
#include "assay/base/hash.h"
#include "assay/base/text.h"

#include <zlib.h>

#include <cstdint>
#include <cstdio>

namespace assay {

namespace {

// The code point at `at` of valid UTF-8, and its length.
std::pair<std::uint32_t, std::size_t> code_point(std::string_view text, std::size_t at) {
    auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    unsigned char lead = byte(at);
    if (lead < 0x80) return {lead, 1};
    std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    std::uint32_t value = lead & (0xFFu >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) value = value << 6 | (byte(at + i) & 0x3Fu);
    return {value, length};
}

bool is_hidden(std::uint32_t c) {
    if (c < 0x20) return c != '\n' && c != '\t';
    return c == 0x7F || (c >= 0x80 && c < 0xA0) || c == 0x061C || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x2069) || c == 0xFEFF ||
           (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE007F);
}

} // namespace

std::string visible_controls(std::string_view raw) {
    std::string cleaned = utf8_clean(raw);
    std::string out;
    out.reserve(cleaned.size());
    for (std::size_t i = 0; i < cleaned.size();) {
        auto [c, length] = code_point(cleaned, i);
        if (is_hidden(c)) {
            char name[16];
            std::snprintf(name, sizeof name, "[U+%04X]", c);
            out += name;
        } else {
            out.append(cleaned, i, length);
        }
        i += length;
    }
    return out;
}

std::string html_escape(std::string_view text) {
    std::string out;
    for (char c : visible_controls(text)) {
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
        case '"':
            out += "&quot;";
            break;
        case '\'':
            out += "&#39;";
            break;
        default:
            out += c;
        }
    }
    return out;
}

std::string script_json(std::string_view json) {
    std::string out = replace_all(std::string(json), "<", "\\u003c");
    out = replace_all(std::move(out), "\xE2\x80\xA8", "\\u2028");
    return replace_all(std::move(out), "\xE2\x80\xA9", "\\u2029");
}

std::string deflate_base64(std::string_view bytes) {
    uLongf size = compressBound(static_cast<uLong>(bytes.size()));
    std::string packed(size, '\0');
    int status = compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                           reinterpret_cast<const Bytef*>(bytes.data()),
                           static_cast<uLong>(bytes.size()), 6);
    if (status != Z_OK) throw Error(ErrorKind::Internal, "zlib failed to compress a trajectory");
    packed.resize(size);
    return base64_encode(packed);
}

std::string csp_hash(std::string_view inline_text) {
    Digest digest = sha256(inline_text);
    return "'sha256-" +
           base64_encode(
               {reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()}) +
           "'";
}

std::string plain_output(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '\x1b' && i + 1 < text.size()) {
            char kind = text[i + 1];
            ++i;
            if (kind == '[') { // CSI: parameters, then a final byte
                while (i + 1 < text.size() && !(text[i + 1] >= '@' && text[i + 1] <= '~')) ++i;
                ++i;
            } else if (kind == ']') { // OSC: up to BEL or ST
                while (i + 1 < text.size() && text[i + 1] != '\a' && text[i + 1] != '\x1b') ++i;
                ++i;
                if (i < text.size() && text[i] == '\x1b') ++i;
            }
            continue;
        }
        if (c == '\r') {
            if (i + 1 < text.size() && text[i + 1] == '\n') continue;
            std::size_t line = out.rfind('\n'); // a progress bar: keep its last state
            out.resize(line == std::string::npos ? 0 : line + 1);
            continue;
        }
        out += c;
    }
    return out;
}

} // namespace assay
