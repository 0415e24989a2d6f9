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

TEST_CASE("a trace of ids that stand for pictures and a video") {
    Binary assay;
    const std::string model = std::string(ASSAY_SOURCE_DIR) + "/tests/data/m3/vl/";
    const Json inputs = Json::parse(RealFileSystem().read(model + "inputs.json"));
    Json ids; // of a picture and a video
    for (const Json& one : inputs["prompts"])
        if (one["name"] == "image_and_video") ids = one["ids"];
    assay.write("ids.json", ids.dump());
    std::vector<std::string> words = {"engine",   "trace",  model,          "--tokens",
                                      "ids.json", "--rows", "0,100",        "--greedy",
                                      "0",        "--out",  "t.safetensors"};
    CommandResult blind = assay(words);
    REQUIRE(blind.exit.code == 0);
    const std::string without = RealFileSystem().read(assay.folder() / "t.safetensors");
    words.insert(words.end(), {"--image", model + "image1.png"});
    CommandResult few = assay(words);
    CHECK(few.exit.code == 64);
    CHECK_THAT(few.err, Catch::Contains("stands for a picture or video, and no more are given"));
    for (int i = 0; i < 9; ++i)
        words.insert(words.end(), {"--frame", model + "frame0" + std::to_string(i) + ".png"});
    CommandResult run = assay(words);
    INFO(run.err);
    REQUIRE(run.exit.code == 0);
    CHECK(RealFileSystem().read(assay.folder() / "t.safetensors") != without);
}
