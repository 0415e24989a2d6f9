// assay engine tokenize: what users of a pipe see.
#include "binary.h"

using namespace assay;
using namespace assay::test;

namespace {

void write_tokenizer(Binary& assay) {
    std::string source = std::string(ASSAY_TEST_DATA) + "/m3/tokenizer/plain.json";
    assay.write("tokenizer.json", RealFileSystem().read(source));
}

} // namespace

TEST_CASE("texts become ids and come back") {
    Binary assay;
    write_tokenizer(assay);
    CommandResult ids =
        assay({"engine", "tokenize", "."}, "\"hi <mm:think>[e~[\"\n\"\"\n\"\\u00e9\"");
    CHECK(ids.exit.code == 0);
    CHECK(ids.out == "[71,72,220,1059,1020]\n[]\n[343]\n");
    std::string two = "[71,72,220,1059,1020]\n[343]\n";
    CHECK(assay({"engine", "tokenize", ".", "--decode"}, two).out ==
          "\"hi <mm:think>\"\n\"\xC3\xA9\"\n");
    CHECK(assay({"engine", "tokenize", ".", "--decode", "--keep-special"}, two).out ==
          "\"hi <mm:think>[e~[\"\n\"\xC3\xA9\"\n");
    CHECK(assay({"engine", "tokenize", "."}).out.empty());
}

TEST_CASE("a bad line ends it with its number, behind what came before it") {
    Binary assay;
    write_tokenizer(assay);
    struct Case {
        std::vector<std::string> options;
        std::string input, says;
    };
    for (const Case& one : {
             Case{{}, "\"a\"\n\"b\n", "input line 2: is not JSON"},
             Case{{}, "\"a\"\n\n\"b\"\n", "input line 2: is not JSON"},
             Case{{}, "\"a\"\n\"b\xFF\"\n", "input line 2: is not UTF-8"},
             Case{{}, "\"a\"\n\"\\ud800\"\n", "input line 2: is not JSON"},
             Case{{}, "\"a\"\n[1]\n", "input line 2: must be a JSON string"},
             Case{{"--decode"}, "[64]\n\"a\"\n", "input line 2: must be a JSON array of token ids"},
             Case{{"--decode"},
                  "[64]\n[1,1061]\n",
                  "input line 2: 1061 is no token; ids are 0 to 1060"},
             Case{{"--decode"}, "[64]\n[-1]\n", "input line 2: -1 is no token"},
             Case{{"--decode"}, "[64]\n[1.5]\n", "input line 2: a token id must be a whole number"},
         }) {
        std::vector<std::string> words = {"engine", "tokenize", "."};
        words.insert(words.end(), one.options.begin(), one.options.end());
        CommandResult result = assay(words, one.input);
        INFO(one.input << result.err);
        CHECK(result.exit.code == 64);
        CHECK_THAT(result.err, Catch::Contains(one.says));
        CHECK(result.out == (one.options.empty() ? "[64]\n" : "\"a\"\n"));
    }
}

TEST_CASE("a checkpoint without a good tokenizer is refused") {
    Binary assay;
    CommandResult absent = assay({"engine", "tokenize", "."});
    CHECK(absent.exit.code == 64);
    CHECK_THAT(absent.err, Catch::Contains("./tokenizer.json"));
    assay.write("tokenizer.json", "{}");
    CommandResult empty = assay({"engine", "tokenize", "."});
    CHECK(empty.exit.code == 64);
    CHECK_THAT(empty.err, Catch::Contains("./tokenizer.json: model: must be an object"));
    CHECK(assay({"engine", "tokenize", ".", "--keep-special"}).exit.code == 64);
}
