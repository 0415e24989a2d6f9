#include "assay/base/error.h"
#include "catch.h"
#include "files.h"

#include <thread>

using namespace assay;
using namespace assay::engine;
using namespace assay::test;

namespace {

using Ids = std::vector<TokenId>;

// One merge at a time, the whole word scanned for each: the definition.
Ids by_definition(const Json& model, const Tokenizer& tokenizer, const std::string& word) {
    std::map<std::pair<std::string, std::string>, std::size_t> ranks;
    for (const Json& merge : model["merges"]) ranks.emplace(merge, ranks.size());
    std::vector<std::string> parts;
    for (char c : word) parts.emplace_back(1, c); // ASCII letters stand for themselves
    for (;;) {
        std::size_t best = ranks.size(), at = 0;
        for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
            auto found = ranks.find({parts[i], parts[i + 1]});
            if (found != ranks.end() && found->second < best) {
                best = found->second;
                at = i;
            }
        }
        if (best == ranks.size()) break;
        parts[at] += parts[at + 1];
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
    Ids out;
    for (const std::string& part : parts) out.push_back(*tokenizer.id(part));
    return out;
}

std::string letters(std::size_t count, unsigned seed, unsigned kinds) {
    std::string out;
    std::uint64_t state = seed;
    while (out.size() < count) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        out += "etaoinshrdlu"[(state >> 33) % kinds];
    }
    return out;
}

Ids marked(const std::string& text, const std::function<void(Json&)>& change) {
    return changed([&](Json& json) { change(json["added_tokens"][59]); })->encode(text);
}

} // namespace

TEST_CASE("words of every length are merged by the definition") {
    auto tokenizer = test::tokenizer("plain");
    Json model = tokenizer_json("plain")["model"];
    for (std::size_t length = 1; length < 140; length += length < 60 || length > 70 ? 7 : 1)
        for (unsigned kinds : {1u, 2u, 5u, 12u}) {
            std::string word = letters(length, static_cast<unsigned>(length), kinds);
            INFO(word);
            CHECK(tokenizer->encode(word) == by_definition(model, *tokenizer, word));
            CHECK(tokenizer->encode(word) == by_definition(model, *tokenizer, word)); // cached
        }
}

TEST_CASE("words of a megabyte come to an end") {
    auto tokenizer = test::tokenizer("plain");
    for (std::string text :
         {std::string(1'000'000, 'a'), std::string(1'000'000, 'A'), std::string(1'000'000, ' '),
          std::string(1'000'000, '\n'), std::string(1'000'000, '<'), letters(1'000'000, 7, 12)}) {
        CHECK(tokenizer->decode(tokenizer->encode(text)) == text);
    }
    std::string marks = "e";
    for (int i = 0; i < 200'000; ++i) marks += i % 2 == 0 ? "\xCC\x81" : "\xCC\x96"; // above, below
    std::string sorted =
        test::tokenizer("slash-nfc")->decode(test::tokenizer("slash-nfc")->encode(marks));
    CHECK(sorted.starts_with("\xC3\xA9\xCC\x96\xCC\x96")); // those below come first
}

TEST_CASE("text that must not become markers") {
    auto tokenizer = test::tokenizer("plain");
    std::string text = "a<mm:think>b[e~[";
    CHECK(tokenizer->encode(text) == Ids{64, 1059, 65, 1020});
    Ids plain = tokenizer->encode(text, Markers::Text);
    for (TokenId id : plain) CHECK(id < 1000);
    CHECK(tokenizer->decode(plain) == text);
}

TEST_CASE("flags of added tokens") {
    auto none = [](Json&) {};
    auto set = [](const char* flag) { return [flag](Json& token) { token[flag] = true; }; };
    const TokenId space = 220, marker = 1059, x = 87;
    CHECK(marked("x <mm:think> x", none) == Ids{x, space, marker, 602});
    CHECK(marked("x <mm:think> x", set("lstrip")) == Ids{x, marker, 602});
    CHECK(marked("x <mm:think> x", set("rstrip")) == Ids{x, space, marker, x});
    CHECK(marked("x<mm:think>", set("single_word")).size() > 2);
    CHECK(marked(" <mm:think>", set("single_word")) == Ids{space, marker});
    CHECK(marked("\xC3\xA9<mm:think>", set("single_word")).size() > 3);
    CHECK(marked("<mm:think> <mm:think>", set("lstrip")) == Ids{marker, marker});
    // Ids that stand one in another: the longest counts, then the next behind it.
    auto longer = [](Json& token) { token["content"] = "]<]minimax[>[x"; };
    CHECK(marked("]<]minimax[>[x]<]minimax[>[", longer) == Ids{marker, 1058});
}

TEST_CASE("an added token that is normalised is looked for in normalised text") {
    auto with = [](bool normalized) {
        Json json = tokenizer_json("slash-nfc");
        json["added_tokens"][59]["content"] = "<caf\xC3\xA9>";
        json["added_tokens"][59]["normalized"] = normalized;
        return Tokenizer::parse(json.dump(), "t");
    };
    CHECK(with(true)->encode("<cafe\xCC\x81>") == Ids{1059});
    CHECK(with(false)->encode("<cafe\xCC\x81>").size() > 1);
}

TEST_CASE("a word that is a token stays whole with ignore_merges") {
    // Without its merge, "in" is reached in no other way.
    auto without = [](bool ignore) {
        return changed([&](Json& json) {
            auto& merges = json["model"]["merges"];
            for (std::size_t i = 0; i < merges.size(); ++i)
                if (merges[i] == Json{"i", "n"}) merges.erase(i);
            json["model"]["ignore_merges"] = ignore;
        });
    };
    CHECK(without(false)->encode("in").size() == 2);
    CHECK(without(true)->encode("in").size() == 1);
}

TEST_CASE("text that is not UTF-8 is refused with its place") {
    auto tokenizer = test::tokenizer("plain");
    for (const char* bad : {"abc\xFF", "abc\xE2\x82", "abc\xC0\x80", "abc\xED\xA0\x80"})
        CHECK_THROWS_WITH(tokenizer->encode(bad), "the text is not UTF-8 at byte 3");
}

TEST_CASE("many threads encode and decode with one tokenizer") {
    auto tokenizer = test::tokenizer("plain");
    std::string text = tokenizer_data("cases.jsonl").substr(0, 20'000);
    Ids expected = tokenizer->encode(text);
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&] {
            for (int round = 0; round < 3; ++round)
                if (tokenizer->encode(text) != expected || tokenizer->decode(expected) != text)
                    ++wrong;
        });
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
}
