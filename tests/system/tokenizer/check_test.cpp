// tools/check-tokenizer: Hugging Face tokenizers beside ours, on 100,000 strings for each file.
#include "assay/io/run_command.h"
#include "catch.h"
#include "skip.h"

using namespace assay;

TEST_CASE("ids and texts equal those of Hugging Face tokenizers") {
    Spawner spawner;
    CommandOptions options;
    options.timeout = std::chrono::minutes(25);
    std::string data = std::string(ASSAY_TEST_DATA) + "/m3/tokenizer/";
    CommandResult result = run_command(spawner,
                                       {"/usr/bin/env", std::string("ASSAY=") + ASSAY_BINARY,
                                        std::string(ASSAY_SOURCE_DIR) + "/tools/check-tokenizer",
                                        data + "slash-nfc.json", data + "plain.json"},
                                       options, Cancel());
    if (result.exit.code == 77) return test::skip("tokenizers==0.23.3 cannot be installed here");
    INFO(result.out << result.err);
    CHECK(result.exit.code == 0);
    CHECK_THAT(result.out, Catch::Contains("encode: 127802 of 127802 equal"));
}
