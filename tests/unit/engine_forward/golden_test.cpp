// The forward pass against what transformers and a numpy implementation make of the same weights.
#include "assay/base/fs.h"
#include "assay/engine/trace.h"
#include "catch.h"
#include "checkpoint/safetensors.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

using namespace assay;
using namespace assay::engine;

namespace {

const Path kData = std::string(ASSAY_SOURCE_DIR) + "/tests/data/m3";

// The bytes are kept: tensors point into them.
struct Tensors {
    explicit Tensors(std::string file)
        : bytes(std::move(file)) {
        for (Tensor& tensor : read_safetensors(bytes, "test").tensors)
            by_name[tensor.name] = std::move(tensor);
    }
    Tensors(const Tensors&) = delete;

    const std::string bytes;
    std::map<std::string, Tensor> by_name;

    template<class Value>
    std::vector<Value> get(const std::string& name) const {
        const Tensor& tensor = by_name.at(name);
        REQUIRE(tensor.bytes == tensor.elements * sizeof(Value));
        std::vector<Value> out(tensor.elements);
        std::memcpy(out.data(), tensor.data, tensor.bytes);
        return out;
    }
};

std::vector<std::int32_t> prompt(const Path& folder, const std::string& name) {
    auto inputs = nlohmann::json::parse(RealFileSystem().read(folder / "inputs.json"));
    for (const auto& one : inputs["prompts"])
        if (one["name"] == name) return one["ids"].get<std::vector<std::int32_t>>();
    throw std::runtime_error("no prompt " + name);
}

float worst_difference(const std::vector<float>& a, const std::vector<float>& b) {
    REQUIRE(a.size() == b.size());
    float worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (std::isfinite(a[i]) || std::isfinite(b[i]))
            worst = std::max(worst, std::abs(a[i] - b[i]));
    return worst; // infinite where only one of them is
}

// Whether the same was chosen wherever the margin leaves no doubt.
bool same_blocks(const Tensors& want, const Tensors& got, const std::string& name) {
    auto a = want.get<std::int16_t>(name + "/blocks"), b = got.get<std::int16_t>("blocks");
    auto margin = want.get<float>(name + "/block_margin");
    REQUIRE(a.size() == b.size());
    const std::size_t top = a.size() / margin.size();
    for (std::size_t i = 0; i < margin.size(); ++i)
        if (margin[i] > 2e-4f && !std::equal(a.begin() + static_cast<std::ptrdiff_t>(i * top),
                                             a.begin() + static_cast<std::ptrdiff_t>((i + 1) * top),
                                             b.begin() + static_cast<std::ptrdiff_t>(i * top)))
            return false;
    return true;
}

TraceOptions rows_of(const Tensors& want, const std::string& name) {
    TraceOptions options;
    auto rows = want.get<std::int32_t>(name + "/rows");
    options.rows = std::vector<std::int64_t>(rows.begin(), rows.end());
    options.threads = 2;
    options.chunk = 10; // changes nothing
    return options;
}

// `greedy` ids agree as long as the two best are apart.
void check_greedy(const Tensors& want, const Tensors& got, const std::string& name) {
    auto a = want.get<std::int32_t>(name + "/greedy_ids"), b = got.get<std::int32_t>("greedy_ids");
    auto margin = want.get<float>(name + "/greedy_margin");
    auto p = want.get<float>(name + "/greedy_logprobs"), q = got.get<float>("greedy_logprobs");
    REQUIRE(a.size() == b.size());
    std::size_t compared = 0;
    for (; compared < a.size() && margin[compared] > 1e-3f; ++compared) {
        CHECK(a[compared] == b[compared]);
        CHECK(std::abs(p[compared] - q[compared]) < 1e-4f);
    }
    CHECK(compared > 8);
}

struct Golden {
    const char *folder, *prompt;
};
constexpr Golden kGolden[] = {
    {"tiny-a", "len9"}, {"tiny-a", "len33"}, {"tiny-b", "len17"}, {"tiny-b", "len65"}};

// All that is compared of one prompt; false at the first difference.
bool agrees(const Tensors& want, const Tensors& got, const std::string& name) {
    for (const char* tensor : {"hidden", "final_norm", "logits", "router_weights"})
        if (worst_difference(want.get<float>(name + "/" + tensor), got.get<float>(tensor)) > 1e-4f)
            return false;
    return worst_difference(want.get<float>(name + "/prompt_logprobs"),
                            got.get<float>("prompt_logprobs")) < 1e-4f &&
           worst_difference(want.get<float>(name + "/block_scores"),
                            got.get<float>("block_scores")) < 5e-4f &&
           same_blocks(want, got, name) &&
           want.get<std::int16_t>(name + "/router_ids") == got.get<std::int16_t>("router_ids");
}

} // namespace

TEST_CASE("f32: hidden states, blocks, experts and logits agree with the reference") {
    for (const Golden& golden : kGolden) {
        INFO(golden.folder << " " << golden.prompt);
        const Path folder = kData / golden.folder;
        Tensors want(RealFileSystem().read(folder / "expected.safetensors"));
        auto checkpoint = Checkpoint::open(folder);
        Tensors got(trace(*checkpoint, prompt(folder, golden.prompt), rows_of(want, golden.prompt),
                          Cancel()));
        CHECK(agrees(want, got, golden.prompt));
        check_greedy(want, got, golden.prompt);
    }
}

TEST_CASE("f32: a planted mistake is seen") {
    const Path folder = kData / "tiny-a";
    Tensors want(RealFileSystem().read(folder / "expected.safetensors"));
    auto checkpoint = Checkpoint::open(folder);
    std::vector<std::int32_t> ids = prompt(folder, "len33");
    ids[1] = ids[1] == 5 ? 6 : 5;
    Tensors got(trace(*checkpoint, ids, rows_of(want, "len33"), Cancel()));
    CHECK_FALSE(agrees(want, got, "len33"));
}

TEST_CASE("f32: the first block is always chosen where the config says so") {
    TempFolder folder;
    for (const auto& entry : std::filesystem::directory_iterator(kData / "tiny-a"))
        if (entry.path().filename() != "config.json")
            std::filesystem::create_symlink(entry.path(), folder.path() / entry.path().filename());
    std::filesystem::create_symlink(kData / "tiny-a" / "config.init.json",
                                    folder.path() / "config.json");
    Tensors want(RealFileSystem().read(kData / "tiny-a" / "expected_init.safetensors"));
    auto checkpoint = Checkpoint::open(folder.path());
    CHECK(checkpoint->config().text.init_blocks == 1);
    const std::vector<std::int32_t> ids = prompt(kData / "tiny-a", "len33");
    Tensors got(trace(*checkpoint, ids, rows_of(want, "len33"), Cancel()));
    CHECK(worst_difference(want.get<float>("len33/hidden"), got.get<float>("hidden")) < 1e-4f);
    CHECK(worst_difference(want.get<float>("len33/logits"), got.get<float>("logits")) < 1e-4f);
    CHECK(same_blocks(want, got, "len33"));
    auto plain = Checkpoint::open(kData / "tiny-a"); // and it makes a difference
    Tensors other(trace(*plain, ids, rows_of(want, "len33"), Cancel()));
    CHECK_FALSE(same_blocks(want, other, "len33"));
}

TEST_CASE("bf16 stays near f32") {
    const Path folder = kData / "tiny-a";
    Tensors want(RealFileSystem().read(folder / "expected.safetensors"));
    auto checkpoint = Checkpoint::open(folder);
    TraceOptions options = rows_of(want, "len9");
    options.compute = Compute::Bf16;
    Tensors got(trace(*checkpoint, prompt(folder, "len9"), options, Cancel()));
    float worst = worst_difference(want.get<float>("len9/logits"), got.get<float>("logits"));
    CHECK(worst < 0.25f); // the reference's own bf16 run, up to 9 tokens
    CHECK(worst > 1e-3f); // it is another computation
}

TEST_CASE("a trace refuses rows and ids that are not there") {
    auto checkpoint = Checkpoint::open(kData / "tiny-a");
    TraceOptions options;
    options.rows = std::vector<std::int64_t>{3};
    const std::vector<std::int32_t> ids = {1, 2, 3}, far = {384};
    CHECK_THROWS_WITH(trace(*checkpoint, ids, options, Cancel()), Catch::Contains("row 3"));
    CHECK_THROWS_WITH(trace(*checkpoint, far, {}, Cancel()), Catch::Contains("token 384"));
    CHECK_THROWS_WITH(trace(*checkpoint, {}, {}, Cancel()), Catch::Contains("no token"));
}
