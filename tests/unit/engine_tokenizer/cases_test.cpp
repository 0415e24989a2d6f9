// Every case of tests/data/m3/tokenizer: what Hugging Face tokenizers makes of the same texts.
#include "assay/base/text.h"
#include "catch.h"
#include "files.h"

using namespace assay;
using namespace assay::engine;
using namespace assay::test;

namespace {

const std::vector<Json>& cases() {
    static const std::vector<Json> list = [] {
        std::vector<Json> out;
        std::string text = tokenizer_data("cases.jsonl");
        for (std::string_view line : split(text, '\n'))
            if (!line.empty()) out.push_back(Json::parse(line));
        return out;
    }();
    return list;
}

// What differs, as text; empty if the case holds.
std::string check(const Tokenizer& tokenizer, const Json& test, const std::string& name) {
    const Json& expected = test.at(name);
    auto ids = expected.at("ids").get<std::vector<TokenId>>();
    std::string text = test.contains("text") ? test["text"].get<std::string>() : "";
    std::string out;
    if (test.contains("text") && tokenizer.encode(text) != ids) out += "ids ";
    std::string decoded = expected.value("decoded", text);
    if (tokenizer.decode(ids) != decoded) out += "decoded ";
    if (test.contains("text") &&
        tokenizer.decode(ids, SpecialTokens::Skip) != expected.value("decoded_skip", decoded))
        out += "decoded_skip ";
    return out;
}

int failures(const Tokenizer& tokenizer, const std::string& name) {
    int count = 0;
    for (const Json& test : cases()) count += check(tokenizer, test, name).empty() ? 0 : 1;
    return count;
}

} // namespace

TEST_CASE("all cases hold, for both tokenizers") {
    REQUIRE(cases().size() == 1548);
    for (const char* name : {"slash-nfc", "plain"}) {
        auto tokenizer = test::tokenizer(name);
        for (const Json& test : cases()) {
            INFO(name << ": " << test.dump().substr(0, 400));
            CHECK(check(*tokenizer, test, name) == "");
        }
    }
}

TEST_CASE("each mistake planted into a tokenizer fails some cases") {
    auto with = [](const std::string& name, const std::function<void(Json&)>& change) {
        Json json = tokenizer_json(name);
        change(json);
        return failures(*Tokenizer::parse(json.dump(), "tokenizer.json"), name);
    };
    auto split = [](Json& json) -> Json& { return json["pre_tokenizer"]["pretokenizers"][0]; };
    CHECK(with("plain", [](Json&) {}) == 0);
    CHECK(with("plain", [](Json& json) { // two ranks swapped
              std::swap(json["model"]["merges"][2], json["model"]["merges"][40]);
          }) > 0);
    CHECK(with("plain", [](Json& json) { json["model"]["merges"].erase(700); }) > 0);
    CHECK(with("slash-nfc", [](Json& json) { json["normalizer"] = nullptr; }) > 0);
    CHECK(with("plain", [](Json& json) { json["normalizer"]["type"] = "NFC"; }) > 0);
    CHECK(with("slash-nfc", [&](Json& json) { // digits one by one
              auto& regex = split(json)["pattern"]["Regex"].get_ref<std::string&>();
              regex.replace(regex.find("{1,3}"), 5, "");
          }) > 0);
    CHECK(with("slash-nfc", [&](Json& json) { split(json)["invert"] = false; }) > 0);
    CHECK(with("plain", [](Json& json) { json["added_tokens"].erase(60); }) > 0);
    CHECK(with("plain", [](Json& json) { json["added_tokens"][59]["special"] = true; }) > 0);
}

TEST_CASE("merges as one string each mean the same") {
    Json json = tokenizer_json("plain");
    for (Json& merge : json["model"]["merges"])
        merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
    CHECK(failures(*Tokenizer::parse(json.dump(), "tokenizer.json"), "plain") == 0);
}
