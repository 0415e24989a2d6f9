// assay engine inspect, through the binary.
#include "binary.h"

#include <filesystem>

using namespace assay;
using namespace assay::test;

namespace {

const std::string kCheckpoint = std::string(ASSAY_TEST_DATA) + "/m3/tiny-a";

} // namespace

TEST_CASE("inspect tells what a checkpoint holds and what it takes") {
    Binary assay;
    CommandResult result = assay({"engine", "inspect", kCheckpoint, "--json", "--check"});
    INFO(result.err);
    REQUIRE(result.exit.code == 0);
    Json plan = Json::parse(result.out);
    CHECK(plan["config"] == "nested");
    CHECK(plan["bytes"] == 1'612'768); // as the index of the checkpoint says
    CHECK(plan["tensors"] == 175);
    CHECK(plan["layers"]["sparse attention, experts"] == 2);
    // Five layers of 2 K and V heads of 32, three with an index of 32: 736 values.
    CHECK(plan["cache_bytes_per_token"]["bf16"] == 1472);
    CHECK(plan["cache_bytes_per_token"]["f32"] == 2944);
    CHECK(plan["longest_context"]["bf16"].get<std::int64_t>() <= 1'048'576);
    CHECK(plan["longest_context"]["bf16"].get<std::int64_t>() > 0);
    std::uint64_t parameters = 0;
    for (const Json& part : plan["parts"]) parameters += part["parameters"].get<std::uint64_t>();
    CHECK(plan["parameters"] == parameters);
    CHECK_THAT(assay({"engine", "inspect", kCheckpoint}).out,
               Catch::Contains("785240 parameters in 175 tensors") &&
                   Catch::Contains("2 × sparse attention, experts") &&
                   Catch::Contains("1472 bytes a token"));
}

TEST_CASE("inspect refuses a damaged checkpoint, and checks headers without weights") {
    Binary assay;
    std::filesystem::create_directory(assay.folder() / "c");
    assay.write("c/config.json", RealFileSystem().read(kCheckpoint + "/config.json"));
    CHECK_THAT(assay({"engine", "inspect", "c"}).err, Catch::Contains("neither model.safetensors"));
    assay.write("headers.json",
                R"({"language_model.model.norm.weight":{"dtype":"BF16","shape":[96]}})");
    CommandResult result = assay({"engine", "inspect", "c", "--headers", "headers.json"});
    CHECK(result.exit.code == 64);
    // All but this one and those of the vision tower, which a text model has not.
    CHECK_THAT(result.err, Catch::Contains("147 missing:") && Catch::Contains("… and 127 more"));
    CHECK_THAT(assay({"engine", "inspect", "c", "--headers", "headers.json", "--check"}).err,
               Catch::Contains("--check excludes --headers"));
    for (const char* name : {"model-00001-of-00002.safetensors", "model.safetensors.index.json"})
        assay.write(std::string("c/") + name, RealFileSystem().read(kCheckpoint + "/" + name));
    CHECK_THAT(assay({"engine", "inspect", "c"}).err,
               Catch::Contains("model-00002-of-00002.safetensors: not there"));
}
