// tokenizer.json comes with checkpoints of strangers, texts and ids from anywhere. An input that is
// a JSON object is read as tokenizer.json and used; every other is bytes for a tokenizer that is
// good: what they encode to must decode to the same, and a stream must give what the whole gives.
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/engine/tokenizer.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>

using namespace assay;
using namespace assay::engine;

namespace {

// The 256 bytes and some merges; no normaliser, so that a text comes back as it was.
std::string good_json() {
    std::string vocab, merges;
    int id = 0;
    auto add = [&](const std::string& token) {
        vocab += (id == 0 ? "" : ",") + json_quote(token) + ":" + std::to_string(id);
        ++id;
    };
    char32_t next = 0x100;
    for (char32_t byte = 0; byte < 256; ++byte) {
        bool itself = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
        char32_t c = itself ? byte : next++;
        std::string text;
        if (c < 0x80) {
            text += static_cast<char>(c);
        } else {
            text += static_cast<char>(0xC0 | c >> 6);
            text += static_cast<char>(0x80 | (c & 0x3F));
        }
        add(text);
    }
    for (const char* merge : {"a a", "aa aa", "a b", "b a", "aaaa aaaa", "ab a", "< a"}) {
        std::string joined = merge;
        joined.erase(joined.find(' '), 1);
        add(joined);
        merges += (merges.empty() ? "\"" : ",\"") + std::string(merge) + "\"";
    }
    return R"({"model":{"type":"BPE","vocab":{)" + vocab + R"(},"merges":[)" + merges +
           R"(]},"added_tokens":[{"id":263,"content":"<a>"},{"id":264,"content":"<a><a>","special":true}],
           "pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":
           "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s+(?!\\S)|\\s+"},
           "behavior":"Isolated"},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]},
           "decoder":{"type":"ByteLevel"}})";
}

void require(bool condition) {
    if (!condition) std::abort();
}

void use_good(std::string_view bytes) {
    static const auto tokenizer = Tokenizer::parse(good_json(), "good.json");
    for (Markers markers : {Markers::Tokens, Markers::Text}) try {
            auto ids = tokenizer->encode(bytes, markers);
            require(utf8_valid(bytes) && tokenizer->decode(ids) == bytes);
        } catch (const Error&) {
            require(!utf8_valid(bytes));
        }
    std::vector<TokenId> ids; // one for two bytes
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
        ids.push_back(static_cast<unsigned char>(bytes[i]) +
                      256 * (static_cast<unsigned char>(bytes[i + 1]) % 2));
    TextStream stream(*tokenizer, SpecialTokens::Keep);
    std::string streamed;
    for (TokenId id : ids) {
        std::string piece = stream.push(id);
        require(utf8_valid(piece));
        streamed += piece;
    }
    require(streamed + stream.finish() == tokenizer->decode(ids));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    if (!text.starts_with('{')) {
        use_good(text);
        return 0;
    }
    try {
        auto tokenizer = Tokenizer::parse(text, "tokenizer.json");
        std::vector<TokenId> all;
        for (TokenId id = 0; id < tokenizer->size(); ++id) all.push_back(id);
        tokenizer->decode(all);
        tokenizer->encode("a<mm:think> ]!p~[e\xCC\x81 123's\n\xEA\xB0\x80\xE1\x86\xA8 aaaaaaaaaa");
    } catch (const Error&) {
    }
    return 0;
}
