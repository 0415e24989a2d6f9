#include "assay/base/redact.h"

#include "assay/base/hash.h"
#include "assay/base/text.h"

#include <algorithm>
#include <cctype>
#include <cstdio>

namespace assay {

namespace {
std::string url_encode(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' ||
            c == '~') {
            out += c;
        } else {
            char code[4];
            std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(c));
            out += code;
        }
    }
    return out;
}
} // namespace

bool Redactor::add(std::string_view name, std::string_view value) {
    if (value.size() < 6) return false;
    std::string quoted = json_quote(value);
    std::string forms[] = {std::string(value), base64_encode(value), url_encode(value),
                           quoted.substr(1, quoted.size() - 2)};
    std::lock_guard lock(mutex_);
    for (std::string& form : forms) {
        bool known = std::any_of(secrets_.begin(), secrets_.end(),
                                 [&](const Secret& s) { return s.needle == form; });
        if (!known) secrets_.push_back({form, "[REDACTED:" + std::string(name) + "]"});
    }
    std::stable_sort(secrets_.begin(), secrets_.end(), [](const Secret& a, const Secret& b) {
        return a.needle.size() > b.needle.size();
    });
    return true;
}

std::string Redactor::clean(std::string text) const {
    std::lock_guard lock(mutex_);
    for (const Secret& secret : secrets_)
        if (text.find(secret.needle) != std::string::npos)
            text = replace_all(std::move(text), secret.needle, secret.replacement);
    return text;
}

bool Redactor::empty() const {
    std::lock_guard lock(mutex_);
    return secrets_.empty();
}

bool is_secret_name(std::string_view name) {
    std::string upper;
    for (char c : name) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    for (std::string_view word : {"KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "AUTH"}) {
        std::size_t at = upper.find(word);
        // "KEYBOARD", "TOKENIZER" and "AUTHOR" are innocent.
        while (at != std::string::npos) {
            std::size_t end = at + word.size();
            bool plural = end < upper.size() && upper[end] == 'S';
            if (plural) ++end;
            if (end == upper.size() || std::isalpha(static_cast<unsigned char>(upper[end])) == 0)
                return true;
            at = upper.find(word, at + 1);
        }
    }
    return false;
}

} // namespace assay
