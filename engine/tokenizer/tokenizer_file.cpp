#include "tokenizer/tokenizer_file.h"

#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"
#include "tokenizer/expression.h"
#include "tokenizer/utf8.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <unordered_map>

namespace assay::engine {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostTokens = 1 << 22, kMostMerges = 1 << 22, kMostAdded = 1 << 16;
constexpr std::size_t kLongestAdded = 1024, kLongestExpression = 1 << 14, kMostSplits = 16;

// What a ByteLevel pre-tokenizer with use_regex splits by.
constexpr std::string_view kGpt2Split =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// By character, the byte that it stands for, or -1.
std::array<std::int16_t, 0x144> make_alphabet() {
    std::array<std::int16_t, 0x144> out;
    out.fill(-1);
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
        bool itself = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
        out.at(itself ? static_cast<char32_t>(byte) : next++) = static_cast<std::int16_t>(byte);
    }
    return out;
}

class Reader {
  public:
    Reader(const Json& json, TokenizerFile& out)
        : json_(json)
        , out_(out) {}

    void read() {
        if (!json_.is_object()) fail("", "is not a JSON object");
        read_model(object(json_, "", "model"));
        read_added();
        if (const Json* normalizer = value(json_, "normalizer"))
            read_normalizer(*normalizer, "normalizer");
        if (const Json* pre = value(json_, "pre_tokenizer"); pre == nullptr) {
            fail("pre_tokenizer", "is missing");
        } else {
            read_pre_tokenizer(*pre, "pre_tokenizer");
        }
        if (!byte_level_) unsupported("pre_tokenizer", "has no ByteLevel");
        only_byte_level("decoder", true);
        only_byte_level("post_processor", false);
    }

  private:
    [[noreturn]] void fail(const std::string& key, const std::string& what) const {
        throw Error(ErrorKind::Input,
                    key.empty() ? out_.name + ": " + what : out_.name + ": " + key + ": " + what);
    }
    [[noreturn]] void unsupported(const std::string& key, const std::string& what) const {
        throw Error(ErrorKind::Unsupported, out_.name + ": " + key + ": " + what)
            .hint("byte-level BPE tokenizers are read, with Split and ByteLevel pre-tokenizers");
    }

    // nullptr if it is absent or null
    static const Json* value(const Json& in, const char* key) {
        if (!in.is_object()) return nullptr;
        auto found = in.find(key);
        return found == in.end() || found->is_null() ? nullptr : &*found;
    }
    const Json& object(const Json& in, const std::string& where, const char* key) const {
        const Json* found = value(in, key);
        if (found == nullptr || !found->is_object()) fail(where + key, "must be an object");
        return *found;
    }
    std::string type(const Json& in, const std::string& key) const {
        const Json* found = value(in, "type");
        if (found == nullptr || !found->is_string()) fail(key + ".type", "must be a string");
        return found->get<std::string>();
    }
    bool flag(const Json& in, const std::string& where, const char* key, bool absent) const {
        const Json* found = value(in, key);
        if (found == nullptr) return absent;
        if (!found->is_boolean()) fail(where + "." + key, "must be true or false");
        return found->get<bool>();
    }
    TokenId number(const Json& in, const std::string& key) const {
        try {
            auto id = whole_number<TokenId>(in, out_.name + ": " + key);
            if (id >= 0) return id;
        } catch (Error& e) { // of base, which has no hint for a file
            fail(key, "must be a whole number in range");
        }
        fail(key, "must not be negative");
    }

    void read_model(const Json& model) {
        if (auto kind = value(model, "type"); kind != nullptr && *kind != "BPE")
            unsupported("model.type", kind->dump(-1, ' ', true) + " is not supported, only BPE");
        if (auto dropout = value(model, "dropout"); dropout != nullptr && *dropout != 0)
            unsupported("model.dropout", "makes tokens by chance");
        const Json nothing = "";
        for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
            if (auto text = value(model, key); text != nullptr && *text != nothing)
                unsupported(std::string("model.") + key, "is not supported");
        out_.ignore_merges = flag(model, "model", "ignore_merges", false);
        read_vocab(object(model, "model.", "vocab"));
        read_merges(model);
    }

    void read_vocab(const Json& vocab) {
        if (vocab.size() > kMostTokens) fail("model.vocab", "has too many tokens");
        out_.tokens.resize(vocab.size());
        out_.reachable.resize(vocab.size());
        std::vector<bool> seen(vocab.size());
        ids_.reserve(vocab.size());
        for (const auto& [text, json] : vocab.items()) {
            std::string key = "model.vocab." + json_quote(text);
            TokenId id = number(json, key);
            auto at = static_cast<std::size_t>(id);
            if (at >= vocab.size())
                fail(key, fmt::format("has id {}, but there are {} tokens", id, vocab.size()));
            if (seen[at]) fail(key, fmt::format("has id {} as another token has", id));
            seen[at] = true;
            out_.reachable[at] = from_byte_alphabet(text, out_.tokens[at]);
            if (!out_.reachable[at]) out_.tokens[at] = text;
            ids_.emplace(text, id);
        }
        std::vector<bool> bytes(256);
        for (std::size_t i = 0; i < vocab.size(); ++i)
            if (out_.reachable[i] && out_.tokens[i].size() == 1) {
                auto byte = static_cast<unsigned char>(out_.tokens[i][0]);
                out_.bytes[byte] = static_cast<TokenId>(i);
                bytes[byte] = true;
            }
        for (std::size_t byte = 0; byte < 256; ++byte)
            if (!bytes[byte]) fail("model.vocab", fmt::format("has no token for byte {}", byte));
    }

    void read_merges(const Json& model) {
        const Json* merges = value(model, "merges");
        if (merges == nullptr || !merges->is_array()) fail("model.merges", "must be an array");
        if (merges->size() > kMostMerges) fail("model.merges", "has too many entries");
        out_.merges.reserve(merges->size());
        std::string joined;
        for (std::size_t i = 0; i < merges->size(); ++i) {
            auto [left, right] = merge((*merges)[i], i);
            joined.assign(left).append(right);
            out_.merges.push_back({known(left, i), known(right, i), known(joined, i)});
        }
    }

    // "a b" or ["a", "b"]
    std::pair<std::string_view, std::string_view> merge(const Json& json, std::size_t i) const {
        if (json.is_array() && json.size() == 2 && json[0].is_string() && json[1].is_string())
            return {json[0].get_ref<const std::string&>(), json[1].get_ref<const std::string&>()};
        if (json.is_string()) {
            auto parts = split(json.get_ref<const std::string&>(), ' ');
            if (parts.size() == 2) return {parts[0], parts[1]};
        }
        fail(fmt::format("model.merges[{}]", i), R"(must be "a b" or ["a", "b"])");
    }
    TokenId known(std::string_view text, std::size_t i) const {
        auto found = ids_.find(text);
        if (found != ids_.end()) return found->second;
        fail(fmt::format("model.merges[{}]", i), json_quote(text) + " is not in model.vocab");
    }

    void read_added() {
        const Json* added = value(json_, "added_tokens");
        if (added == nullptr) return;
        if (!added->is_array()) fail("added_tokens", "must be an array");
        if (added->size() > kMostAdded) fail("added_tokens", "has too many entries");
        for (std::size_t i = 0; i < added->size(); ++i)
            add((*added)[i], fmt::format("added_tokens[{}]", i));
    }

    void add(const Json& json, const std::string& key) {
        const Json* content = value(json, "content");
        if (content == nullptr || !content->is_string()) fail(key + ".content", "must be a string");
        AddedToken token;
        token.content = content->get<std::string>();
        if (token.content.empty() || token.content.size() > kLongestAdded)
            fail(key + ".content", fmt::format("must have 1 to {} bytes", kLongestAdded));
        const Json* id = value(json, "id");
        if (id == nullptr) fail(key + ".id", "is missing");
        token.id = number(*id, key + ".id");
        token.special = flag(json, key, "special", false);
        token.single_word = flag(json, key, "single_word", false);
        token.lstrip = flag(json, key, "lstrip", false);
        token.rstrip = flag(json, key, "rstrip", false);
        token.normalized = flag(json, key, "normalized", !token.special);

        // The id is that of the vocabulary, or else the next free one.
        auto in_vocab = ids_.find(token.content);
        TokenId expected =
            in_vocab != ids_.end() ? in_vocab->second : static_cast<TokenId>(out_.tokens.size());
        if (token.id != expected)
            fail(key + ".id", fmt::format("is {}, expected {} for {}", token.id, expected,
                                          json_quote(token.content)));
        if (in_vocab == ids_.end()) {
            std::string bytes;
            out_.tokens.push_back(from_byte_alphabet(token.content, bytes) ? bytes : token.content);
            out_.reachable.push_back(false);
            ids_.emplace(content->get_ref<const std::string&>(), token.id);
        }
        out_.added.push_back(std::move(token));
    }

    const Json& list(const Json& in, const std::string& key, const char* name) const {
        const Json* found = value(in, name);
        if (found == nullptr || !found->is_array()) fail(key + "." + name, "must be an array");
        return *found;
    }

    void read_normalizer(const Json& json, const std::string& key) {
        std::string kind = type(json, key);
        if (kind == "NFC") {
            out_.nfc = true;
        } else if (kind == "Sequence") {
            for (const Json& part : list(json, key, "normalizers"))
                read_normalizer(part, key + ".normalizers");
        } else {
            unsupported(key, json_quote(kind) + " is not supported, only NFC");
        }
    }

    void read_pre_tokenizer(const Json& json, const std::string& key) {
        std::string kind = type(json, key);
        if (byte_level_) unsupported(key, "has a part behind ByteLevel");
        if (kind == "Sequence") {
            for (const Json& part : list(json, key, "pretokenizers"))
                read_pre_tokenizer(part, key + ".pretokenizers");
        } else if (kind == "Split") {
            read_split(json, key);
        } else if (kind == "ByteLevel") {
            if (flag(json, key, "add_prefix_space", true))
                unsupported(key + ".add_prefix_space", "is not supported");
            if (flag(json, key, "use_regex", true))
                out_.splits.push_back({pcre_expression(kGpt2Split, out_.name + ": " + key)});
            byte_level_ = true;
        } else {
            unsupported(key, json_quote(kind) + " is not supported");
        }
    }

    void read_split(const Json& json, const std::string& key) {
        if (out_.splits.size() == kMostSplits) fail(key, "has too many parts");
        const Json& pattern = object(json, key + ".", "pattern");
        const Json* regex = value(pattern, "Regex");
        const Json* text = regex != nullptr ? regex : value(pattern, "String");
        std::string where = key + (regex != nullptr ? ".pattern.Regex" : ".pattern.String");
        if (text == nullptr || !text->is_string()) fail(where, "must be a string");
        const auto& source = text->get_ref<const std::string&>();
        if (source.empty() || source.size() > kLongestExpression)
            fail(where, fmt::format("must have 1 to {} bytes", kLongestExpression));

        SplitRule rule;
        rule.expression = regex != nullptr ? pcre_expression(source, out_.name + ": " + where)
                                           : pcre_literal(source);
        const Json* behaviour = value(json, "behavior");
        if (behaviour != nullptr && *behaviour == "Removed") {
            bool invert = flag(json, key, "invert", false);
            rule.keep_matches = invert;
            rule.keep_rest = !invert;
        } else if (behaviour == nullptr || *behaviour != "Isolated") {
            unsupported(key + ".behavior", "must be \"Isolated\" or \"Removed\"");
        }
        out_.splits.push_back(std::move(rule));
    }

    // Of ByteLevel itself, its flags matter to offsets alone.
    void only_byte_level(const std::string& key, bool required) {
        const Json* found = value(json_, key.c_str());
        if (found == nullptr && !required) return;
        if (found == nullptr) fail(key, "is missing");
        if (std::string kind = type(*found, key); kind != "ByteLevel")
            unsupported(key, json_quote(kind) + " is not supported, only ByteLevel");
    }

    const Json& json_;
    TokenizerFile& out_;
    std::unordered_map<std::string_view, TokenId> ids_; // points into json_
    bool byte_level_ = false;
};

} // namespace

bool from_byte_alphabet(std::string_view text, std::string& out) {
    static const auto alphabet = make_alphabet();
    std::size_t before = out.size();
    for (std::size_t at = 0; at < text.size();) {
        char32_t c = utf8_next(text, at);
        if (c >= alphabet.size() || alphabet[c] < 0) {
            out.resize(before);
            return false;
        }
        out += static_cast<char>(alphabet[c]);
    }
    return true;
}

TokenizerFile parse_tokenizer_file(std::string_view json, const std::string& name) {
    auto parsed = parse_json<Json>(json);
    if (parsed.is_discarded()) throw Error(ErrorKind::Input, name + ": is not valid JSON");
    TokenizerFile out;
    out.name = name;
    Reader(parsed, out).read();
    return out;
}

} // namespace assay::engine
