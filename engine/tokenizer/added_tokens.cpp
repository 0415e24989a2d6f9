#include "tokenizer/added_tokens.h"

#include "tokenizer/characters.h"
#include "tokenizer/utf8.h"

#include <algorithm>

namespace assay::engine {

namespace {

unsigned char byte(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

char32_t character_at(std::string_view text, std::size_t at) {
    return utf8_next(text, at);
}

std::size_t before(std::string_view text, std::size_t at) {
    do {
        --at;
    } while ((text[at] & 0xC0) == 0x80);
    return at;
}

bool inside_word(std::string_view text, std::size_t begin, std::size_t end) {
    return (begin > 0 && is_word_character(character_at(text, before(text, begin)))) ||
           (end < text.size() && is_word_character(character_at(text, end)));
}

} // namespace

void AddedTokens::add(const AddedToken& token, std::string content) {
    if (content.empty()) return;
    entries_.push_back(
        {std::move(content), token.id, token.single_word, token.lstrip, token.rstrip});
}

void AddedTokens::sort() {
    // Of equal contents the first one counts.
    auto content = [](const Entry& a, const Entry& b) { return a.content < b.content; };
    std::stable_sort(entries_.begin(), entries_.end(), content);
    auto equal = [](const Entry& a, const Entry& b) { return a.content == b.content; };
    entries_.erase(std::unique(entries_.begin(), entries_.end(), equal), entries_.end());
    for (std::size_t first = 0, at = 0; first < 257; ++first) {
        while (at < entries_.size() && byte(entries_[at].content, 0) < first) ++at;
        first_[first] = at;
    }
}

const AddedTokens::Entry* AddedTokens::longest_at(std::string_view text, std::size_t at) const {
    const Entry* longest = nullptr;
    const Entry* begin = entries_.data() + first_[byte(text, at)];
    const Entry* end = entries_.data() + first_[byte(text, at) + 1u];
    // The entries from begin to end begin with the `depth` bytes at `at`.
    for (std::size_t depth = 1; begin != end; ++depth) {
        if (begin->content.size() == depth) longest = begin++;
        if (at + depth == text.size()) break;
        unsigned char next = byte(text, at + depth);
        begin = std::lower_bound(begin, end, next, [&](const Entry& entry, unsigned char value) {
            return byte(entry.content, depth) < value;
        });
        end = std::upper_bound(begin, end, next, [&](unsigned char value, const Entry& entry) {
            return value < byte(entry.content, depth);
        });
    }
    return longest;
}

void AddedTokens::find(std::string_view text, std::vector<Found>& out) const {
    if (entries_.empty()) return;
    std::size_t taken = 0; // up to here by the one before, with its spaces
    for (std::size_t at = 0; at < text.size();) {
        const Entry* entry = nullptr;
        if (first_[byte(text, at)] != first_[byte(text, at) + 1u]) entry = longest_at(text, at);
        if (entry == nullptr) {
            ++at;
            continue;
        }
        std::size_t begin = at, end = at + entry->content.size();
        at = end;
        if (entry->single_word && inside_word(text, begin, end)) continue;
        if (entry->lstrip)
            while (begin > taken && is_space(character_at(text, before(text, begin))))
                begin = before(text, begin);
        if (entry->rstrip)
            while (end < text.size() && is_space(character_at(text, end)))
                end += utf8_length(text[end]);
        out.push_back({begin, end, entry->id});
        taken = end;
    }
}

} // namespace assay::engine
