// tokenizer.json from strangers: each fault is one error with file and key.
#include "assay/base/error.h"
#include "catch.h"
#include "files.h"

using namespace assay;
using namespace assay::engine;
using namespace assay::test;
using Catch::Matchers::Contains;

namespace {

// The message of the error; fails without one.
std::string error_of(const std::function<void(Json&)>& change) {
    try {
        changed(change);
    } catch (const Error& e) {
        CHECK((e.kind() == ErrorKind::Input || e.kind() == ErrorKind::Unsupported));
        return e.message();
    }
    return "no error";
}

std::string split_error(const std::string& expression) {
    return error_of([&](Json& json) {
        json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = expression;
    });
}

std::unique_ptr<const Tokenizer> with_split(const std::string& kind, const std::string& text,
                                            const std::string& behaviour, bool invert) {
    return changed([&](Json& json) {
        json["pre_tokenizer"]["pretokenizers"][0] = {{"type", "Split"},
                                                     {"pattern", {{kind, text}}},
                                                     {"behavior", behaviour},
                                                     {"invert", invert}};
    });
}

} // namespace

TEST_CASE("faults of tokenizer.json are named") {
    auto set = [](const char* pointer, const Json& value) {
        return error_of([&](Json& json) { json[Json::json_pointer(pointer)] = value; });
    };
    CHECK_THAT(error_of([](Json& json) { json = 3; }), Contains("not a JSON object"));
    CHECK_THAT(set("/model", 1), Contains("tokenizer.json: model: must be an object"));
    CHECK_THAT(set("/model/type", "Unigram"), Contains("model.type"));
    CHECK_THAT(set("/model/dropout", 0.1), Contains("model.dropout"));
    CHECK_THAT(set("/model/end_of_word_suffix", "</w>"), Contains("model.end_of_word_suffix"));
    CHECK_THAT(set("/model/vocab", Json::array()), Contains("model.vocab"));
    CHECK_THAT(set("/model/vocab/a", 1000), Contains("model.vocab.\"a\": has id 1000"));
    CHECK_THAT(set("/model/vocab/a", -1), Contains("must not be negative"));
    CHECK_THAT(set("/model/vocab/a", 1.5), Contains("must be a whole number"));
    CHECK_THAT(set("/model/vocab/a", 1e300), Contains("must be a whole number"));
    CHECK_THAT(set("/model/vocab/a", 65), Contains("as another token has"));
    CHECK_THAT(error_of([](Json& json) {
                   auto& vocab = json["model"]["vocab"];
                   vocab["aa~~~"] = vocab["a"];
                   vocab.erase("a");
                   json["model"]["merges"] = Json::array();
               }),
               Contains("model.vocab: has no token for byte 97"));
    CHECK_THAT(set("/model/merges", nullptr), Contains("model.merges: must be an array"));
    CHECK_THAT(set("/model/merges/5", "x"), Contains("model.merges[5]"));
    CHECK_THAT(set("/model/merges/5", "x y z"), Contains("model.merges[5]"));
    CHECK_THAT(set("/model/merges/5", Json{"x", 3}), Contains("model.merges[5]"));
    CHECK_THAT(set("/model/merges/5", Json{"~~~", "a"}),
               Contains("model.merges[5]: \"~~~\" is not in model.vocab"));
    CHECK_THAT(set("/model/merges/5", Json{"~", "~"}), Contains("\"~~\" is not in model.vocab"));
    CHECK_THAT(set("/added_tokens", 1), Contains("added_tokens: must be an array"));
    CHECK_THAT(set("/added_tokens/3/id", 7), Contains("added_tokens[3].id: is 7, expected 1003"));
    CHECK_THAT(set("/added_tokens/3/id", "7"), Contains("added_tokens[3].id"));
    CHECK_THAT(set("/added_tokens/3/content", ""), Contains("added_tokens[3].content"));
    CHECK_THAT(set("/added_tokens/3/content", std::string(2000, 'x')),
               Contains("added_tokens[3].content"));
    CHECK_THAT(set("/added_tokens/3/lstrip", 1), Contains("added_tokens[3].lstrip"));
    CHECK_THAT(set("/normalizer", Json{{"type", "NFKC"}}), Contains("normalizer: \"NFKC\""));
    CHECK_THAT(set("/normalizer", Json{{"type", 1}}), Contains("normalizer.type"));
    CHECK_THAT(set("/pre_tokenizer", nullptr), Contains("pre_tokenizer: is missing"));
    CHECK_THAT(set("/pre_tokenizer/pretokenizers/0/type", "Digits"), Contains("\"Digits\""));
    CHECK_THAT(set("/pre_tokenizer/pretokenizers/0/behavior", "Contiguous"), Contains("behavior"));
    CHECK_THAT(set("/pre_tokenizer/pretokenizers/1/add_prefix_space", true),
               Contains("add_prefix_space"));
    CHECK_THAT(error_of([](Json& json) { json["pre_tokenizer"]["pretokenizers"].erase(1); }),
               Contains("has no ByteLevel"));
    CHECK_THAT(error_of([](Json& json) {
                   auto& parts = json["pre_tokenizer"]["pretokenizers"];
                   std::swap(parts[0], parts[1]);
               }),
               Contains("behind ByteLevel"));
    CHECK_THAT(set("/decoder", nullptr), Contains("decoder: is missing"));
    CHECK_THAT(set("/decoder/type", "Metaspace"), Contains("decoder"));
    CHECK_THAT(set("/post_processor/type", "TemplateProcessing"), Contains("post_processor"));
    CHECK_THROWS_WITH(Tokenizer::parse("{", "x/tokenizer.json"),
                      "x/tokenizer.json: is not valid JSON");
    CHECK_THROWS_WITH(Tokenizer::parse(std::string(100'000, '['), "t"), "t: is not valid JSON");
}

TEST_CASE("expressions that mean something else in PCRE2, or much too much, are refused") {
    for (const char* bad : {"\\h",
                            "\\bx",
                            "\\w+",
                            "\\K",
                            "\\G",
                            "\\R",
                            "\\X",
                            "\\1",
                            "(?R)",
                            "(?<a>x)",
                            "(?i)x",
                            "(*FAIL)",
                            "(?{x})",
                            "[[:alpha:]]",
                            "[a-z&&b]",
                            "[\\S]",
                            "[]a]",
                            "^a",
                            "a$",
                            ".",
                            "a{,3}",
                            "a{2}+",
                            "a{2}?",
                            "a{x",
                            "\\p{Han}",
                            "\\p{^L}",
                            "\\pL",
                            "\\x41",
                            "\\x{110000000}",
                            "\\u12",
                            "\\"}) {
        INFO(bad);
        CHECK_THAT(split_error(bad), Contains("pretokenizers.pattern.Regex: '"));
    }
    CHECK_THAT(split_error("[a"), Contains("'[' without ']'"));
    CHECK_THAT(split_error("(a"), Contains("does not compile"));
    CHECK_THAT(split_error("a**+*"), Contains("does not compile"));
    CHECK_THAT(split_error("\\x{D800}"), Contains("does not compile"));
    CHECK_THAT(split_error(""), Contains("must have 1 to"));
    CHECK_THAT(split_error(std::string(1 << 15, 'a')), Contains("must have 1 to"));
    CHECK_THAT(split_error(std::string(5000, '(') + std::string(5000, ')')),
               Contains("does not compile"));
    auto doubling = with_split("Regex", "(a+)+[bc]", "Isolated", false);
    CHECK_THROWS_WITH(doubling->encode(std::string(64, 'a')), Contains("match limit exceeded"));
}

TEST_CASE("a split keeps the matches, the rest, or both") {
    // Single letters, so that the words can be read from the tokens.
    auto text = [](const Tokenizer& tokenizer) {
        return tokenizer.decode(tokenizer.encode("a1b2"));
    };
    CHECK(text(*with_split("Regex", "\\d", "Isolated", false)) == "a1b2");
    CHECK(text(*with_split("Regex", "\\d", "Removed", false)) == "ab");
    CHECK(text(*with_split("Regex", "\\d", "Removed", true)) == "12");
    CHECK(text(*with_split("String", "1", "Removed", false)) == "ab2");
    CHECK(with_split("String", ".", "Removed", true)->encode("a.").size() == 1);
    // An empty match cuts and takes nothing.
    CHECK(text(*with_split("Regex", "(?=\\d)", "Isolated", false)) == "a1b2");
    CHECK(text(*with_split("Regex", "x*", "Removed", true)) == "");
}

TEST_CASE("ByteLevel alone splits as GPT-2 does") {
    auto tokenizer = changed([](Json& json) {
        json["pre_tokenizer"] = {
            {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
    });
    CHECK(tokenizer->encode("a1").size() == 2);
    CHECK(tokenizer->decode(tokenizer->encode("It's 12  x")) == "It's 12  x");
}
