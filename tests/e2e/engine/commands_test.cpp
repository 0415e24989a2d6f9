// assay engine generate and perplexity, through the binary.
#include "engine_run.h"

#include <cmath>

using namespace assay;
using namespace assay::test;

TEST_CASE("generate says the same whatever the threads, and takes text, chat or ids") {
    EngineRun run;
    auto generate = [&](std::vector<std::string> more) {
        std::vector<std::string> words = {"engine", "generate", "tiny", "--max-tokens", "12"};
        words.insert(words.end(), more.begin(), more.end());
        return run.assay(words);
    };
    const CommandResult text = generate({"--prompt", "Hello", "--json"});
    INFO(text.err);
    REQUIRE(text.exit.code == 0);
    const Json json = Json::parse(text.out);
    CHECK(json["ids"].size() == 12);
    CHECK(json["logprobs"].size() == 12);
    CHECK(json["ended"] == "max_tokens");
    run.assay.write("ids.json", json["prompt_ids"].dump());
    CHECK(Json::parse(generate({"--tokens", "ids.json", "--json", "--threads", "1"}).out)["ids"] ==
          json["ids"]);
    CHECK(Json::parse(generate({"--prompt", "Hello", "--json", "--seed", "2"}).out)["ids"] !=
          json["ids"]);
    CHECK(
        Json::parse(generate({"--prompt", "Hello", "--json", "--chat"}).out)["prompt_ids"].size() >
        json["prompt_ids"].size());
    CHECK(generate({"--prompt", "Hello"}).out == json["text"].get<std::string>() + "\n");
    CHECK(generate({}).exit.code == 64);
    CHECK(generate({"--prompt", "\xff"}).exit.code == 64);
    CHECK_THAT(generate({"--prompt", "Hello", "--top-p", "7"}).err, Catch::Contains("top_p=7"));
}

TEST_CASE("perplexity is the mean over what is judged, the same in windows of any step") {
    EngineRun run;
    std::string text;
    for (int i = 0; i < 60; ++i) text += "line " + std::to_string(i * i) + " of the text\n";
    run.assay.write("t.txt", text);
    auto measure = [&](std::vector<std::string> more) {
        std::vector<std::string> words = {"engine", "perplexity", "tiny",
                                          "--text", "t.txt",      "--json"};
        words.insert(words.end(), more.begin(), more.end());
        CommandResult result = run.assay(words);
        INFO(result.err);
        REQUIRE(result.exit.code == 0);
        return Json::parse(result.out);
    };
    const Json whole = measure({});
    CHECK(whole["windows"] == 1);
    CHECK(whole["perplexity"].get<double>() ==
          Approx(std::exp(whole["nats_per_token"].get<double>())));
    CHECK(measure({"--threads", "1"})["nats_per_token"] == whole["nats_per_token"]);
    const Json parts = measure({"--window", "100"});
    CHECK(parts["tokens"].get<int>() + parts["windows"].get<int>() ==
          whole["tokens"].get<int>() + 1);
    run.assay.write("t.txt", "");
    CHECK(run.assay({"engine", "perplexity", "tiny", "--text", "t.txt"}).exit.code == 64);
}
