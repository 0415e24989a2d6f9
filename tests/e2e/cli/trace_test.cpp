// assay engine trace: the file that another engine is held against, and what is refused.
#include "binary.h"

using namespace assay;
using namespace assay::test;

TEST_CASE("a trace is a safetensors file with what was asked for") {
    Binary assay;
    const std::string model = std::string(ASSAY_SOURCE_DIR) + "/tests/data/m3/tiny-a";
    assay.write("ids.json", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]");
    CommandResult run = assay({"engine", "trace", model, "--tokens", "ids.json", "--rows", "0,9",
                               "--greedy", "2", "--out", "t.safetensors"});
    INFO(run.err);
    REQUIRE(run.exit.code == 0);
    CHECK_THAT(run.out, Catch::Contains("10 tokens"));
    const std::string file = RealFileSystem().read(assay.folder() / "t.safetensors");
    std::uint64_t size = 0;
    for (std::size_t i = 0; i < 8; ++i)
        size |= static_cast<std::uint64_t>(static_cast<unsigned char>(file[i])) << (8 * i);
    Json header = Json::parse(file.substr(8, size));
    CHECK(header["hidden"]["shape"] == Json::parse("[6, 2, 96]"));
    CHECK(header["blocks"]["shape"] == Json::parse("[3, 2, 10, 4]"));
    CHECK(header["router_ids"]["shape"] == Json::parse("[3, 10, 2]"));
    CHECK(header["greedy_ids"]["shape"] == Json::parse("[2]"));
    std::uint64_t end = 0;
    for (const auto& [name, tensor] : header.items())
        end = std::max(end, tensor["data_offsets"][1].get<std::uint64_t>());
    CHECK(file.size() == 8 + size + end);

    REQUIRE(assay({"engine", "trace", model, "--tokens", "ids.json", "--layers", "none", "--out",
                   "n.safetensors"})
                .exit.code == 0);
    CHECK_FALSE(RealFileSystem().read(assay.folder() / "n.safetensors").find("hidden") <
                std::string::npos);

    assay.write("bad.json", "[1, \"x\"]");
    assay.write("far.json", "[384]");
    struct Case {
        std::vector<std::string> more;
        const char* says;
    };
    for (const Case& one : {Case{{"--tokens", "absent.json"}, "absent.json"},
                            Case{{"--tokens", "bad.json"}, "no JSON list of token ids"},
                            Case{{"--tokens", "far.json"}, "token 384"},
                            Case{{"--tokens", "ids.json", "--rows", "10"}, "row 10"},
                            Case{{"--tokens", "ids.json", "--rows", "1,x"}, "'x' is no position"},
                            Case{{"--tokens", "ids.json", "--compute", "f64"}, "--compute"}}) {
        std::vector<std::string> words = {"engine", "trace", model, "--out", "bad.safetensors"};
        words.insert(words.end(), one.more.begin(), one.more.end());
        CommandResult refused = assay(words);
        INFO(refused.err);
        CHECK(refused.exit.code == 64);
        CHECK_THAT(refused.err, Catch::Contains(one.says));
        CHECK_FALSE(assay.exists("bad.safetensors"));
    }
}
