// Files that lie: one clear error each.
#include "assay/base/error.h"
#include "catch.h"
#include "release.h"

#include <sys/stat.h>

#include <filesystem>

using namespace assay;
using namespace assay::test;

namespace {

constexpr const char* kNorm = "language_model.model.norm.weight";

std::string open_error(const Folder& folder) {
    return error_of([&] { folder.open(); });
}

// A file of one tensor "a" of 4 bytes, with this header.
std::string header_error(const std::string& header, std::string_view data = "abcd") {
    Folder folder;
    folder.write("model.safetensors", safetensors_bytes(header, data));
    std::string error = open_error(folder);
    CHECK_THAT(error, Catch::Contains("model.safetensors: "));
    return error;
}

std::string entry(const char* dtype, const char* shape, const char* offsets) {
    return fmt::format(R"({{"dtype":"{}","shape":{},"data_offsets":{}}})", dtype, shape, offsets);
}

} // namespace

TEST_CASE("a header that claims too much, or is none") {
    Folder folder;
    auto with_length = [&](std::uint64_t length) {
        std::string bytes = safetensors_bytes("{}", "");
        std::memcpy(bytes.data(), &length, sizeof length);
        folder.write("model.safetensors", bytes);
        return open_error(folder);
    };
    CHECK_THAT(with_length(std::uint64_t{2} << 30), Catch::Contains("claims 2147483648 bytes"));
    CHECK_THAT(with_length(~std::uint64_t{0}), Catch::Contains("claims 18446744073709551615"));
    CHECK_THAT(with_length(1000), Catch::Contains("but the file has only 16"));
    CHECK_THAT(with_length(1), Catch::Contains("no JSON object"));
    folder.write("model.safetensors", "short");
    CHECK_THAT(open_error(folder), Catch::Contains("too short"));
    folder.write("model.safetensors", "");
    CHECK_THAT(open_error(folder), Catch::Contains("empty"));
    CHECK_THAT(header_error("[]"), Catch::Contains("no JSON object"));
    CHECK_THAT(header_error("{\"a\":" + std::string(100'000, '[')), Catch::Contains("too deep"));
}

TEST_CASE("headers with wrong offsets, shapes and types") {
    struct Case {
        std::string header;
        const char* says;
    };
    for (const Case& one : {
             Case{R"({"a":1})", "\"a\" is no object"},
             Case{R"({"a":{}})", "has no dtype"},
             Case{R"({"a":{"dtype":7}})", "has no dtype"},
             Case{"{\"a\":" + entry("Q7", "[4]", "[0,4]") + "}", "unknown dtype \"Q7\""},
             Case{"{\"a\":" + entry("U8", "4", "[0,4]") + "}", "has no shape"},
             Case{"{\"a\":" + entry("U8", "[-4]", "[0,4]") + "}", "absurd shape"},
             Case{"{\"a\":" + entry("U8", "[4.0]", "[0,4]") + "}", "absurd shape"},
             Case{"{\"a\":" + entry("U8", "[4294967296,4294967296]", "[0,4]") + "}",
                  "absurd shape"},
             Case{"{\"a\":" + entry("U8", "[18446744073709551615,0]", "[0,4]") + "}",
                  "absurd shape"},
             Case{"{\"a\":" + entry("U8", "[1,1,1,1,1,1,1,1,4]", "[0,4]") + "}", "at most 8 dims"},
             Case{"{\"a\":" + entry("F4", "[3]", "[0,4]") + "}", "ends within a byte"},
             Case{"{\"a\":" + entry("U8", "[4]", "[0]") + "}", "has no data_offsets"},
             Case{"{\"a\":" + entry("U8", "[4]", "[-4,0]") + "}", "has no data_offsets"},
             Case{"{\"a\":" + entry("U8", "[4]", "[4,0]") + "}", "its offsets are 4 and 0"},
             Case{"{\"a\":" + entry("F32", "[4]", "[0,4]") + "}", "take 16 bytes"},
             Case{"{\"a\":" + entry("U8", "[8]", "[0,8]") + "}",
                  "ends at byte 8 of the data, but there are only 4"},
             Case{"{\"a\":" + entry("U8", "[2]", "[0,2]") + "}",
                  "2 bytes at its end belong to no tensor"},
             Case{"{\"a\":" + entry("U8", "[2]", "[2,4]") + "}", "belong to no tensor"},
             Case{"{\"a\":" + entry("U8", "[3]", "[0,3]") +
                      ",\"b\":" + entry("U8", "[2]", "[2,4]") + "}",
                  "\"b\" overlaps"},
             Case{"{\"a\":" + entry("U8", "[4]", "[0,4]") +
                      ",\"b\":" + entry("U8", "[4]", "[0,4]") + "}",
                  "overlaps"},
             Case{"{\"a\":" + entry("U8", "[2]", "[0,2]") +
                      ",\"a\":" + entry("U8", "[2]", "[2,4]") + "}",
                  "\"a\" is there twice"},
             Case{"{\"a\":" + entry("U8", "[1]", "[0,1]") + ",\"b\":" +
                      entry("BF16", "[1]", "[1,3]") + ",\"c\":" + entry("U8", "[1]", "[3,4]") + "}",
                  "multiple of its element's size"},
         }) {
        INFO(one.header);
        CHECK_THAT(header_error(one.header), Catch::Contains(one.says));
    }
}

TEST_CASE("a file that was cut off, at any place") {
    Folder folder;
    std::string whole = RealFileSystem().read(folder.path() / "model.safetensors");
    for (std::size_t size :
         {std::size_t{1}, std::size_t{7}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
        folder.write("model.safetensors", whole.substr(0, size));
        CHECK_THAT(open_error(folder), Catch::Contains("download it again"));
    }
    folder.write("model.safetensors", whole.substr(0, whole.size() - 1));
    CHECK_THAT(open_error(folder), Catch::Contains("cut off"));
}

TEST_CASE("all that is missing, surplus, misshapen or not finite is told at once") {
    auto folder = Folder([](std::vector<WrittenTensor>& tensors) {
        std::erase_if(tensors, [](const WrittenTensor& tensor) {
            return tensor.name.ends_with("q_norm.weight");
        });
        tensors.push_back({"what.is\n.this", "BF16", {1}, "ab"});
        tensor_named(tensors, kNorm).data[7] = '\x7f'; // an exponent of ones, as the next byte says
        tensor_named(tensors, kNorm).data[6] = '\xc0';
        WrittenTensor& bent = tensor_named(tensors, "language_model.lm_head.weight");
        bent = {bent.name, "F16", {1, 64}, std::string(128, 'x')};
    });
    std::string error = open_error(folder);
    CHECK_THAT(error, Catch::Contains(
                          "5 missing:\n    language_model.model.layers.0.self_attn.q_norm.weight"));
    CHECK_THAT(error, Catch::Contains("1 surplus:\n    \"what.is\\n.this\""));
    CHECK_THAT(error, Catch::Contains("1 misshapen:\n    language_model.lm_head.weight: F16 [1, "
                                      "64], expected BF16 or F32 [96, 64]"));
    CHECK_THAT(error, Catch::Contains(std::string("1 not finite:\n    ") + kNorm));
}

TEST_CASE("NaN and infinity in big matrices are found when they are looked for") {
    const std::string name = "language_model.model.layers.2.block_sparse_moe.experts.1.w2.weight";
    for (const char* bits : {"\xc0\x7f", "\x80\xff"}) { // NaN, -infinity
        auto folder = Folder([&](std::vector<WrittenTensor>& tensors) {
            std::string& data = tensor_named(tensors, name).data;
            data[data.size() - 2] = bits[0];
            data[data.size() - 1] = bits[1];
        });
        auto checkpoint = folder.open();
        CHECK_THAT(error_of([&] { checkpoint->check_values(); }),
                   Catch::Contains(name + ": 1 of 2048"));
    }
    auto router = Folder([&](std::vector<WrittenTensor>& tensors) {
        std::string& data =
            tensor_named(tensors, "language_model.model.layers.2.block_sparse_moe.gate.weight")
                .data;
        data[3] = '\x7f';
        data[2] = '\xc0';
    });
    auto checkpoint = router.open();
    CHECK_THAT(error_of([&] { checkpoint->check_values(); }),
               Catch::Contains("gate.weight: 1 of 256"));
}

TEST_CASE("shards: what the index says must be so, and stay in the folder") {
    Folder folder;
    std::filesystem::rename(folder.path() / "model.safetensors", folder.path() / "a.safetensors");
    auto with_index = [&](const std::string& index) {
        folder.write("model.safetensors.index.json", index);
        return open_error(folder);
    };
    CHECK_THAT(open_error(folder), Catch::Contains("neither model.safetensors nor"));
    CHECK_THAT(with_index("{"), Catch::Contains("no weight_map"));
    CHECK_THAT(with_index("[]"), Catch::Contains("no weight_map"));
    CHECK_THAT(with_index(R"({"weight_map":{}})"), Catch::Contains("no weight_map"));
    for (std::string name :
         {"../a.safetensors", "/etc/passwd", "/a.safetensors", "..", ".", "", "x/a.safetensors",
          ".safetensors", "a.bin", "a\\u0000.safetensors", "a\\\\b.safetensors"}) {
        INFO(name);
        CHECK_THAT(with_index("{\"weight_map\":{\"t\":\"" + name + "\"}}"),
                   Catch::Contains("may name files beside it alone"));
    }
    CHECK_THAT(with_index(R"({"weight_map":{"t":1}})"), Catch::Contains("beside it alone"));
    CHECK_THAT(with_index(R"({"weight_map":{"t":"b.safetensors"}})"),
               Catch::Contains("b.safetensors: not there") &&
                   Catch::Contains("download the missing part"));
    CHECK_THAT(with_index(R"({"weight_map":{"t":"a.safetensors"}})"),
               Catch::Contains("no tensor \"t\""));
    std::string index = fmt::format(R"({{"weight_map":{{"{}":"a.safetensors"}}}})", kNorm);
    folder.write("model.safetensors.index.json", index);
    CHECK(folder.open()->parameters() > 0);
    std::filesystem::copy(folder.path() / "a.safetensors", folder.path() / "b.safetensors");
    CHECK_THAT(with_index(fmt::format(
                   R"({{"weight_map":{{"{}":"a.safetensors","x":"b.safetensors"}}}})", kNorm)),
               Catch::Contains("is in a.safetensors too"));
}

TEST_CASE("a folder or a pipe instead of a file is no checkpoint, and nothing waits for it") {
    Folder folder;
    Path file = folder.path() / "model.safetensors";
    std::filesystem::remove(file);
    REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
    CHECK_THAT(open_error(folder), Catch::Contains("no file"));
    CHECK_THROWS_AS(engine::Checkpoint::open(folder.path() / "nowhere"), Error);
}
