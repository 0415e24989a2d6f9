// One model in all the ways that it may be written.
#include "catch.h"
#include "release.h"

#include <nlohmann/json.hpp>

#include <fstream>

using namespace assay;
using namespace assay::test;
using engine::Matrix;
using engine::MlpWeights;
using engine::Weights;
using Json = nlohmann::json;

namespace {

void check_equal(const Matrix& a, const Matrix& b) {
    REQUIRE(a.rows == b.rows);
    REQUIRE(a.columns == b.columns);
    CHECK(values(a) == values(b));
}

void check_equal(const MlpWeights& a, const MlpWeights& b) {
    REQUIRE(a.gate.empty() == b.gate.empty());
    if (a.gate.empty()) return;
    check_equal(a.gate, b.gate);
    check_equal(a.up, b.up);
    check_equal(a.down, b.down);
}

void check_equal(const engine::Affine& a, const engine::Affine& b) {
    check_equal(a.weight, b.weight);
    CHECK(a.bias == b.bias);
}

void check_equal(const engine::TextWeights& a, const engine::TextWeights& b) {
    check_equal(a.embedding, b.embedding);
    check_equal(a.head, b.head);
    CHECK(a.norm == b.norm);
    REQUIRE(a.layers.size() == b.layers.size());
    for (std::size_t i = 0; i < a.layers.size(); ++i) {
        INFO("layer " << i);
        const engine::LayerWeights &x = a.layers[i], &y = b.layers[i];
        for (auto vector :
             {&engine::LayerWeights::input_norm, &engine::LayerWeights::post_norm,
              &engine::LayerWeights::q_norm, &engine::LayerWeights::k_norm,
              &engine::LayerWeights::index_q_norm, &engine::LayerWeights::index_k_norm,
              &engine::LayerWeights::routing_bias})
            CHECK(x.*vector == y.*vector);
        for (auto matrix :
             {&engine::LayerWeights::q, &engine::LayerWeights::k, &engine::LayerWeights::v,
              &engine::LayerWeights::o, &engine::LayerWeights::index_q,
              &engine::LayerWeights::index_k, &engine::LayerWeights::router})
            check_equal(x.*matrix, y.*matrix);
        check_equal(x.dense, y.dense);
        check_equal(x.shared, y.shared);
        REQUIRE(x.experts.size() == y.experts.size());
        for (std::size_t e = 0; e < x.experts.size(); ++e) check_equal(x.experts[e], y.experts[e]);
    }
}

void check_equal(const engine::VisionWeights& a, const engine::VisionWeights& b) {
    check_equal(a.patch, b.patch);
    CHECK(a.pre_norm.weight == b.pre_norm.weight);
    CHECK(a.pre_norm.bias == b.pre_norm.bias);
    REQUIRE(a.layers.size() == b.layers.size());
    for (std::size_t i = 0; i < a.layers.size(); ++i) {
        const engine::VisionLayerWeights &x = a.layers[i], &y = b.layers[i];
        CHECK(x.norm1.weight == y.norm1.weight);
        CHECK(x.norm2.bias == y.norm2.bias);
        for (auto part : {&engine::VisionLayerWeights::q, &engine::VisionLayerWeights::k,
                          &engine::VisionLayerWeights::v, &engine::VisionLayerWeights::out,
                          &engine::VisionLayerWeights::fc1, &engine::VisionLayerWeights::fc2})
            check_equal(x.*part, y.*part);
    }
    for (auto part : {&engine::VisionWeights::project1, &engine::VisionWeights::project2,
                      &engine::VisionWeights::merge1, &engine::VisionWeights::merge2})
        check_equal(a.*part, b.*part);
}

std::vector<WrittenTensor> filled() {
    std::vector<WrittenTensor> tensors = release_tensors(Sizes::small());
    fill(tensors);
    return tensors;
}

// The file whose map holds this address.
std::string mapped_from(const std::byte* at) {
    std::ifstream maps("/proc/self/maps");
    auto address = reinterpret_cast<std::uintptr_t>(at);
    for (std::string line; std::getline(maps, line);) {
        std::size_t dash = line.find('-');
        std::uintptr_t begin = std::stoull(line.substr(0, dash), nullptr, 16);
        std::uintptr_t end = std::stoull(line.substr(dash + 1), nullptr, 16);
        if (begin <= address && address < end) return line.substr(line.find_last_of(' ') + 1);
    }
    return "";
}

const Path kData = Path(ASSAY_TEST_DATA) / "m3";

} // namespace

TEST_CASE("the three mixes of config and names are one model") {
    std::vector<WrittenTensor> release = filled();
    Sizes sizes = Sizes::small();
    auto nested = Folder(nested_config(sizes), release);
    auto flat = Folder(flat_config(sizes), release);
    auto stacked = Folder(flat_config(sizes), as_transformers(release, sizes));
    auto a = nested.open(), b = flat.open(), c = stacked.open();
    CHECK(a->config().shape == "nested");
    CHECK(b->config().shape == "flat");
    CHECK(a->parameters() == c->parameters());
    CHECK(a->bytes() == c->bytes());
    CHECK(a->fingerprint() != b->fingerprint());
    check_equal(a->weights().text, b->weights().text);
    check_equal(a->weights().text, c->weights().text);
    REQUIRE((a->weights().vision && b->weights().vision && c->weights().vision));
    check_equal(*a->weights().vision, *b->weights().vision);
    check_equal(*a->weights().vision, *c->weights().vision);
    a->check_values();
}

TEST_CASE("weights are what the file has, 1 is added to the norms of the text alone") {
    auto folder = Folder();
    auto checkpoint = folder.open();
    std::vector<WrittenTensor> tensors = filled();
    auto stored = [&](const std::string& name) {
        const std::string& data = tensor_named(tensors, name).data;
        std::vector<float> out;
        for (std::size_t i = 0; i + 1 < data.size(); i += 2) {
            std::uint32_t bits = static_cast<std::uint8_t>(data[i]) << 16 |
                                 std::uint32_t{static_cast<std::uint8_t>(data[i + 1])} << 24;
            float value = 0;
            std::memcpy(&value, &bits, sizeof value);
            out.push_back(value);
        }
        return out;
    };
    const engine::LayerWeights& layer = checkpoint->weights().text.layers[1];
    const std::string at = "language_model.model.layers.1.";
    CHECK(values(layer.experts[2].gate) == stored(at + "block_sparse_moe.experts.2.w1.weight"));
    CHECK(values(layer.experts[2].up) == stored(at + "block_sparse_moe.experts.2.w3.weight"));
    CHECK(values(layer.experts[2].down) == stored(at + "block_sparse_moe.experts.2.w2.weight"));
    std::vector<float> norm = stored(at + "input_layernorm.weight");
    for (float& value : norm) value += 1;
    CHECK(layer.input_norm == norm);
    CHECK(checkpoint->weights().vision->pre_norm.weight ==
          stored("vision_tower.vision_model.pre_layrnorm.weight"));
}

TEST_CASE("prefixes, stripped text models and tied embeddings") {
    std::vector<WrittenTensor> release = filled();
    Sizes sizes = Sizes::small();
    auto reference = Folder(nested_config(sizes), release);
    auto expected = reference.open();
    Json config = Json::parse(nested_config(sizes));
    SECTION("a text model on its own, with its config on its own") {
        std::vector<WrittenTensor> text;
        for (WrittenTensor tensor : release)
            if (tensor.name.starts_with("language_model.")) {
                tensor.name = tensor.name.substr(15);
                text.push_back(tensor);
            }
        auto folder = Folder(config["text_config"].dump(), text);
        auto found = folder.open();
        CHECK_FALSE(found->weights().vision);
        check_equal(found->weights().text, expected->weights().text);
        // The config may still speak of pictures.
        auto other = Folder(config.dump(), text);
        CHECK_FALSE(other.open()->weights().vision);
    }
    SECTION("all below model.") {
        for (WrittenTensor& tensor : release)
            tensor.name = tensor.name == "language_model.lm_head.weight" ? "lm_head.weight"
                          : tensor.name.starts_with("language_model.model.")
                              ? "model.language_model." + tensor.name.substr(21)
                              : "model." + tensor.name;
        auto folder = Folder(config.dump(), release);
        auto found = folder.open();
        check_equal(found->weights().text, expected->weights().text);
        check_equal(*found->weights().vision, *expected->weights().vision);
    }
    SECTION("tied") {
        config["text_config"]["tie_word_embeddings"] = true;
        auto with_copy = Folder(config.dump(), release);
        CHECK(with_copy.open()->inventory().ignored ==
              std::vector<std::string>{"language_model.lm_head.weight"});
        std::erase_if(release, [](const WrittenTensor& tensor) {
            return tensor.name.ends_with("lm_head.weight");
        });
        auto folder = Folder(config.dump(), release);
        auto found = folder.open();
        CHECK(found->weights().text.head.data == found->weights().text.embedding.data);
    }
    SECTION("no routing bias") {
        config["text_config"]["use_routing_bias"] = false;
        std::erase_if(release, [](const WrittenTensor& tensor) {
            return tensor.name.ends_with("e_score_correction_bias");
        });
        auto folder = Folder(config.dump(), release);
        CHECK(folder.open()->weights().text.layers[1].routing_bias.empty());
    }
}

TEST_CASE("our random checkpoints open, and nothing big is copied") {
    auto a = engine::Checkpoint::open(kData / "tiny-a");
    CHECK(a->config().shape == "nested");
    CHECK(a->config().text.layers.size() == 5);
    a->check_values();
    auto b = engine::Checkpoint::open(kData / "tiny-b");
    CHECK(b->config().shape == "flat");
    CHECK(b->config().text.local_blocks == 2);
    CHECK(b->config().text.index_dim == 24);
    CHECK(b->config().text.rotary_dim == 8);
    b->check_values();
    CHECK(a->fingerprint() == engine::Checkpoint::open(kData / "tiny-a")->fingerprint());
    CHECK(a->fingerprint() != b->fingerprint());

    const engine::TextWeights &first = a->weights().text, &second = b->weights().text;
    for (const Matrix* matrix :
         {&first.embedding, &first.head, &first.layers[0].dense.down,
          &first.layers[2].experts[7].up, &first.layers[2].router, &a->weights().vision->patch})
        CHECK_THAT(mapped_from(matrix->data), Catch::EndsWith("-of-00002.safetensors"));
    for (const Matrix* matrix : {&second.layers[0].dense.up, &second.layers[1].experts[3].up,
                                 &second.layers[3].shared.gate})
        CHECK_THAT(mapped_from(matrix->data), Catch::EndsWith("tiny-b/model.safetensors"));
    const MlpWeights& expert = second.layers[1].experts[1]; // 40 wide, of 64 values
    CHECK(expert.up.data - expert.gate.data == 40 * 64 * 2);
    CHECK(expert.gate.data - second.layers[1].experts[0].gate.data == 80 * 64 * 2);
}
