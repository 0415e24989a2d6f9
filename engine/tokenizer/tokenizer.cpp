#include "assay/engine/tokenizer.h"

#include "assay/base/error.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/characters.h"
#include "tokenizer/merges.h"
#include "tokenizer/splitter.h"
#include "tokenizer/tokenizer_file.h"
#include "tokenizer/utf8.h"
#include "tokenizer/word_cache.h"

#include <fmt/format.h>

#include <limits>
#include <mutex>
#include <unordered_map>

namespace assay::engine {

namespace {

constexpr std::uint64_t kLargestFile = 256 << 20;
constexpr std::size_t kMostIdleSpaces = 16;

// What one call of encode() works with; kept for the next one.
struct Space {
    SplitSpace split;
    WordCache cache;
    std::vector<Span> words;
    std::vector<AddedTokens::Found> markers, normalized_markers;
    std::string normalized, older;
};

class BpeTokenizer final : public Tokenizer {
  public:
    explicit BpeTokenizer(TokenizerFile file)
        : ignore_merges_(file.ignore_merges)
        , nfc_(file.nfc)
        , merges_(file)
        , splitter_(file)
        , tokens_(std::move(file.tokens))
        , special_(tokens_.size()) {
        ids_.reserve(tokens_.size());
        for (std::size_t i = 0; i < tokens_.size(); ++i)
            if (file.reachable[i]) ids_.emplace(tokens_[i], static_cast<TokenId>(i));
        std::string storage;
        for (const AddedToken& token : file.added) {
            if (token.special) special_[static_cast<std::size_t>(token.id)] = true;
            added_ids_.emplace(tokens_[static_cast<std::size_t>(token.id)], token.id);
            if (token.normalized) {
                normalized_added_.add(token, std::string(normalize(token.content, storage)));
            } else {
                added_.add(token, token.content);
            }
        }
        added_.sort();
        normalized_added_.sort();
    }

    std::vector<TokenId> encode(std::string_view text, Markers markers) const override {
        // Positions of the merges have 32 bits, and PCRE2's matching has limits of its own.
        if (text.size() > std::numeric_limits<std::int32_t>::max())
            throw Error(ErrorKind::Input, "a text of more than 2 GB cannot be tokenized");
        if (std::size_t at = utf8_fault(text); at != text.npos)
            throw Error(ErrorKind::Input, fmt::format("the text is not UTF-8 at byte {}", at));
        std::vector<TokenId> ids;
        ids.reserve(text.size() / 4 + 8);
        std::unique_ptr<Space> space = take_space();
        if (markers == Markers::Text) {
            encode_plain(normalize(text, space->normalized), *space, ids);
        } else {
            encode_marked(text, *space, ids);
        }
        give_back(std::move(space));
        return ids;
    }

    TokenId size() const override { return static_cast<TokenId>(tokens_.size()); }

    std::string_view token(TokenId id) const override {
        return id < 0 || id >= size() ? std::string_view() : tokens_[static_cast<std::size_t>(id)];
    }

    std::optional<TokenId> id(std::string_view bytes) const override {
        for (const auto* ids : {&added_ids_, &ids_})
            if (auto found = ids->find(bytes); found != ids->end()) return found->second;
        return std::nullopt;
    }

    bool special(TokenId id) const override {
        return id >= 0 && id < size() && special_[static_cast<std::size_t>(id)];
    }

  private:
    using Ids = std::unordered_map<std::string_view, TokenId>;

    std::string_view normalize(std::string_view text, std::string& storage) const {
        return nfc_ ? to_nfc(text, storage) : text;
    }

    // Calls between(part) for what lies between the added tokens.
    template<class Between>
    static void with_markers(const AddedTokens& added, std::string_view text,
                             std::vector<AddedTokens::Found>& found, std::vector<TokenId>& ids,
                             const Between& between) {
        found.clear();
        added.find(text, found);
        std::size_t done = 0;
        for (const AddedTokens::Found& marker : found) {
            if (marker.begin > done) between(text.substr(done, marker.begin - done));
            ids.push_back(marker.id);
            done = marker.end;
        }
        if (done < text.size()) between(text.substr(done));
    }

    void encode_marked(std::string_view text, Space& space, std::vector<TokenId>& ids) const {
        with_markers(added_, text, space.markers, ids, [&](std::string_view part) {
            with_markers(normalized_added_, normalize(part, space.normalized),
                         space.normalized_markers, ids,
                         [&](std::string_view plain) { encode_plain(plain, space, ids); });
        });
    }

    void encode_plain(std::string_view text, Space& space, std::vector<TokenId>& ids) const {
        space.words.clear();
        splitter_.split(with_older_characters(text, space.older), space.split, space.words);
        for (Span word : space.words)
            encode_word(text.substr(word.begin, word.end - word.begin), space, ids);
    }

    void encode_word(std::string_view word, Space& space, std::vector<TokenId>& ids) const {
        bool cached = WordCache::fits(word);
        if (cached && space.cache.find(word, ids)) return;
        std::size_t before = ids.size();
        if (auto found = ignore_merges_ ? ids_.find(word) : ids_.end(); found != ids_.end()) {
            ids.push_back(found->second);
        } else {
            merges_.encode(word, ids);
        }
        if (cached) space.cache.put(word, ids.data() + before, ids.size() - before);
    }

    std::unique_ptr<Space> take_space() const {
        {
            std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                auto space = std::move(idle_.back());
                idle_.pop_back();
                return space;
            }
        }
        return std::make_unique<Space>();
    }

    void give_back(std::unique_ptr<Space> space) const {
        std::lock_guard lock(mutex_);
        if (idle_.size() < kMostIdleSpaces) idle_.push_back(std::move(space));
    }

    bool ignore_merges_, nfc_;
    Merges merges_;
    Splitter splitter_;
    std::vector<std::string> tokens_; // their bytes
    std::vector<bool> special_;
    Ids ids_, added_ids_;                  // views of tokens_; of the vocabulary, of added tokens
    AddedTokens added_, normalized_added_; // looked for in the text as it is, and normalised
    mutable std::mutex mutex_;
    mutable std::vector<std::unique_ptr<Space>> idle_;
};

} // namespace

std::unique_ptr<const Tokenizer> Tokenizer::open(const Path& file) {
    return parse(RealFileSystem().read(file, kLargestFile), file.string());
}

std::unique_ptr<const Tokenizer> Tokenizer::parse(std::string_view json, const std::string& file) {
    return std::make_unique<BpeTokenizer>(parse_tokenizer_file(json, file));
}

std::string Tokenizer::decode(std::span<const TokenId> ids, SpecialTokens special) const {
    TextStream stream(*this, special);
    std::string out;
    for (TokenId id : ids) out += stream.push(id);
    return out + stream.finish();
}

TextStream::TextStream(const Tokenizer& tokenizer, SpecialTokens special)
    : tokenizer_(tokenizer)
    , special_(special) {}

std::string TextStream::push(TokenId id) {
    std::string out;
    if (special_ == SpecialTokens::Skip && tokenizer_.special(id)) return out;
    pending_ += tokenizer_.token(id);
    utf8_drain(pending_, out);
    return out;
}

std::string TextStream::finish() {
    std::string out = pending_.empty() ? "" : "\xEF\xBF\xBD";
    pending_.clear();
    return out;
}

} // namespace assay::engine
