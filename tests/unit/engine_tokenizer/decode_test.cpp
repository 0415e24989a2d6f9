#include "assay/base/text.h"
#include "catch.h"
#include "files.h"

using namespace assay;
using namespace assay::engine;
using namespace assay::test;

namespace {

const std::string kReplaced = "\xEF\xBF\xBD";

// The ids of single bytes.
std::vector<TokenId> byte_ids(const Tokenizer& tokenizer, std::string_view bytes) {
    std::vector<TokenId> out;
    for (std::size_t i = 0; i < bytes.size(); ++i) out.push_back(*tokenizer.id(bytes.substr(i, 1)));
    return out;
}

std::string decode_bytes(std::string_view bytes) {
    static const auto tokenizer = test::tokenizer("plain");
    return tokenizer->decode(byte_ids(*tokenizer, bytes));
}

} // namespace

TEST_CASE("a stream gives what the whole gives, and each character as soon as it is complete") {
    auto tokenizer = test::tokenizer("plain");
    std::string text = tokenizer_data("cases.jsonl");
    for (std::string_view line : split(text, '\n')) {
        if (line.empty()) continue;
        auto ids = Json::parse(line)["plain"]["ids"].get<std::vector<TokenId>>();
        for (SpecialTokens special : {SpecialTokens::Keep, SpecialTokens::Skip}) {
            TextStream stream(*tokenizer, special);
            std::string streamed, bytes;
            for (TokenId id : ids) {
                std::string piece = stream.push(id);
                REQUIRE(utf8_valid(piece)); // never a part of a character
                streamed += piece;
                if (special == SpecialTokens::Keep) bytes += tokenizer->token(id);
                // What is valid so far has been given in full.
                if (special == SpecialTokens::Keep && utf8_valid(bytes)) REQUIRE(streamed == bytes);
            }
            streamed += stream.finish();
            REQUIRE(streamed == tokenizer->decode(ids, special));
            REQUIRE(stream.finish().empty());
        }
    }
}

TEST_CASE("broken bytes become U+FFFD, one for each piece that could have begun a character") {
    auto replaced = [](int count) {
        std::string out;
        while (count-- > 0) out += kReplaced;
        return out;
    };
    // Table 3-8 of the Unicode standard, and its neighbours.
    CHECK(decode_bytes("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82"
                       "A") == replaced(8) + "A");
    CHECK(decode_bytes("\xED\xA0\x80\xED\xBF\xBF\xED\xAF"
                       "A") == replaced(8) + "A");
    CHECK(decode_bytes("\xF4\x91\x92\x93\xFF"
                       "A\x80\xBF"
                       "B") == replaced(5) + "A" + replaced(2) + "B");
    CHECK(decode_bytes("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF"
                       "A") == replaced(4) + "A");
    CHECK(decode_bytes("\xF0\x9F\x98") == kReplaced);
    CHECK(decode_bytes("\xF0\x9F\x98\x80") == "\xF0\x9F\x98\x80");
    CHECK(decode_bytes("a\xF0\x9F\x98\xE2\x82\xAC") == "a" + kReplaced + "\xE2\x82\xAC");
}

TEST_CASE("tokens by id and by their bytes") {
    auto tokenizer = test::tokenizer("slash-nfc");
    CHECK(tokenizer->size() == 1061);
    CHECK(tokenizer->token(220) == " ");
    CHECK(tokenizer->token(1058) == "]<]minimax[>[");
    CHECK(tokenizer->token(1029) == "]<]start of image[>["); // spaces are in no byte alphabet
    CHECK(tokenizer->id(" ") == 220);
    CHECK(tokenizer->id("</mm:think>") == 1060);
    CHECK_FALSE(tokenizer->id("no such token").has_value());
    CHECK(tokenizer->special(1020));
    CHECK_FALSE(tokenizer->special(1059));
    for (TokenId id : {-1, 1061, std::numeric_limits<TokenId>::max()}) {
        CHECK(tokenizer->token(id).empty());
        CHECK_FALSE(tokenizer->special(id));
        CHECK(tokenizer->decode(std::vector<TokenId>{65, id, 66}) == "bc"); // as upstream
    }
}
