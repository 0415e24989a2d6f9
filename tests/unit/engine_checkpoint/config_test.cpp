// config.json in all its shapes; what contradicts itself, is absurd, or would be computed wrongly
// is refused by the name of its key.
#include "assay/base/error.h"
#include "catch.h"
#include "release.h"

#include <nlohmann/json.hpp>

using namespace assay;
using namespace assay::test;
using engine::ModelConfig;
using Json = nlohmann::json;

namespace {

Json nested() {
    return Json::parse(nested_config(Sizes::small()));
}
Json flat() {
    return Json::parse(flat_config(Sizes::small()));
}
ModelConfig parse(const Json& config) {
    return engine::parse_config(config.dump(), "config.json");
}

Json with(Json config, const std::string& pointer, const Json& value) {
    config[Json::json_pointer(pointer)] = value;
    return config;
}
Json without(Json config, const std::string& pointer) {
    auto at = Json::json_pointer(pointer);
    config[at.parent_pointer()].erase(at.back());
    return config;
}
std::string refused(const Json& config) {
    return error_of([&] { parse(config); });
}

} // namespace

TEST_CASE("the release's config") {
    ModelConfig config = engine::parse_config(nested_config(Sizes{}), "config.json");
    const engine::TextConfig& text = config.text;
    CHECK(config.shape == "nested");
    CHECK(text.layers.size() == 60);
    CHECK_FALSE(text.layers[2].sparse);
    CHECK_FALSE(text.layers[2].experts);
    CHECK(text.layers[3].sparse);
    CHECK(text.layers[59].experts);
    CHECK(text.rotary_dim == 64);
    CHECK(text.rope_theta == 5e6);
    CHECK(text.max_positions == 1'048'576);
    CHECK(text.expert_width == 3072);
    CHECK(text.dense_width == 12288);
    CHECK(text.swiglu_alpha == 1.702F);
    CHECK(text.routed_scale == 2);
    CHECK(text.init_blocks == 0);
    CHECK(text.local_blocks == 1);
    REQUIRE(config.vision);
    CHECK(config.vision->merge == 2);
    CHECK(config.vision->segment_frames == 4);
}

TEST_CASE("the flat config of transformers 5 says the same, whatever it calls the activation") {
    ModelConfig a = parse(nested()), b = parse(flat());
    CHECK(b.shape == "flat");
    for (std::size_t i = 0; i < a.text.layers.size(); ++i) {
        CHECK(a.text.layers[i].sparse == b.text.layers[i].sparse);
        CHECK(a.text.layers[i].experts == b.text.layers[i].experts);
    }
    CHECK(a.text.rope_theta == b.text.rope_theta);
    CHECK(a.text.rotary_dim == b.text.rotary_dim);
    CHECK(a.text.top_blocks == b.text.top_blocks);
    CHECK(a.text.swiglu_limit == b.text.swiglu_limit);
}

TEST_CASE("lists of layers: absent ones, and the keys of M3.1") {
    ModelConfig none =
        parse(without(without(flat(), "/text_config/layer_types"), "/text_config/mlp_layer_types"));
    for (const engine::LayerKind& kind : none.text.layers) {
        CHECK_FALSE(kind.sparse);
        CHECK(kind.experts);
    }
    Json newer = nested();
    newer["text_config"]["num_experts_per_tok"] = 4;
    newer["text_config"]["sparse_attention_config"]["sparse_attention_freq"] = {1, 1, 1};
    newer["text_config"]["sparse_attention_config"]["sparse_disable_index_value"] = {1, 1, 1};
    newer["text_config"]["sparse_attention_config"]["sparse_init_block"] = 1;
    ModelConfig config = parse(newer);
    CHECK(config.text.layers[0].sparse);
    CHECK(config.text.init_blocks == 1);
    CHECK(config.text.experts_per_token == 4);

    const std::string sparse = "/text_config/sparse_attention_config";
    ModelConfig off = parse(with(nested(), sparse + "/use_sparse_attention", false));
    CHECK_FALSE(off.text.layers[1].sparse);
    CHECK_THAT(refused(without(nested(), sparse + "/sparse_attention_freq")),
               Catch::Contains("sparse_attention_freq is missing"));
}

TEST_CASE("tokens may stand in for blocks") {
    const std::string sparse = "/text_config/sparse_attention_config";
    Json config =
        without(without(nested(), sparse + "/sparse_init_block"), sparse + "/sparse_local_block");
    CHECK(parse(config).text.local_blocks == 1);
    config =
        with(with(config, sparse + "/sparse_init_tokens", 9), sparse + "/sparse_local_tokens", 8);
    CHECK(parse(config).text.init_blocks == 2);  // of 8 tokens
    CHECK(parse(config).text.local_blocks == 2); // the query's own on top
    CHECK(parse(with(config, sparse + "/sparse_local_tokens", 0)).text.local_blocks == 1);
    CHECK_THAT(refused(with(nested(), sparse + "/sparse_init_tokens", 1)),
               Catch::Contains("sparse_init_block") &&
                   Catch::Contains("sparse_init_tokens contradict"));
}

TEST_CASE("rotated dims: by width, by share, by neither, never by two that differ") {
    Json config = nested();
    CHECK(parse(without(config, "/text_config/rotary_dim")).text.rotary_dim == 16);
    CHECK(parse(without(config, "/text_config/partial_rotary_factor")).text.rotary_dim == 16);
    CHECK(parse(without(without(config, "/text_config/rotary_dim"),
                        "/text_config/partial_rotary_factor"))
              .text.rotary_dim == 32);
    CHECK_THAT(refused(with(config, "/text_config/partial_rotary_factor", 1.0)),
               Catch::Contains(
                   "text_config.rotary_dim is 16, but text_config.partial_rotary_factor gives 32"));
    CHECK_THAT(refused(with(flat(), "/text_config/rotary_dim", 8)),
               Catch::Contains("rope_parameters.partial_rotary_factor gives 16"));
    CHECK_THAT(refused(without(with(config, "/text_config/partial_rotary_factor", 0.33),
                               "/text_config/rotary_dim")),
               Catch::Contains("rotated dims"));
}

TEST_CASE("what the engine would compute wrongly is refused by name") {
    const std::string text = "/text_config/", sparse = "/text_config/sparse_attention_config/";
    struct Case {
        std::string pointer;
        Json value;
    };
    for (const Case& one : {
             Case{"/model_type", "llama"},
             Case{"/model_type", 7},
             Case{text + "use_gemma_norm", false},
             Case{text + "use_qk_norm", false},
             Case{text + "qk_norm_type", "full"},
             Case{text + "attention_output_gate", true},
             Case{text + "scoring_func", "softmax"},
             Case{text + "swiglu_beta", 0.0},
             Case{text + "rope_scaling", {{"rope_type", "yarn"}, {"factor", 2.0}}},
             Case{text + "rope_scaling", {{"type", "linear"}}},
             Case{text + "rope_scaling", {{"factor", 2.0}}},
             Case{text + "rope_parameters", {{"rope_type", "yarn"}}},
             Case{text + "n_shared_experts", 2},
             Case{sparse + "sparse_score_type", "lse"},
             Case{sparse + "sparse_disable_index_value", {0, 0, 1}},
             Case{sparse + "sparse_num_index_heads", 1},
             Case{"/vision_config/rope_mode", "2d"},
             Case{"/vision_config/hidden_act", "quick_gelu"},
             Case{"/vision_feature_layer", -2},
             Case{"/img_token_compression_config/image_token_compression_method", "pool"},
         }) {
        INFO(one.pointer);
        std::string key = one.pointer.substr(one.pointer.rfind('/') + 1);
        if (key == "sparse_num_index_heads") key = "index heads";
        CHECK_THAT(refused(with(nested(), one.pointer, one.value)), Catch::Contains(key));
    }
    for (const char* key : {"swiglu_alpha", "swiglu_limit"}) // plain SiLU
        CHECK_THAT(refused(without(nested(), text + key)),
                   Catch::Contains(std::string(key) + " is missing"));
    parse(with(nested(), text + "rope_scaling", nullptr));
    parse(with(nested(), text + "rope_scaling", {{"rope_type", "default"}}));
}

TEST_CASE("two places that contradict each other are refused") {
    CHECK_THAT(refused(with(nested(), "/text_config/index_block_size", 16)),
               Catch::Contains("sparse_block_size is 8, but text_config.index_block_size is 16"));
    CHECK_THAT(refused(with(flat(), "/text_config/rope_theta", 1e4)),
               Catch::Contains("rope_theta"));
    CHECK_THAT(refused(with(nested(), "/tie_word_embeddings", true)),
               Catch::Contains("tie_word_embeddings"));
    CHECK_THAT(refused(with(nested(), "/text_config/layer_types",
                            {"full_attention", "full_attention", "full_attention"})),
               Catch::Contains("contradict"));
    parse(with(nested(), "/text_config/mlp_layer_types", {"dense", "sparse", "sparse"}));
}

TEST_CASE("numbers that are absurd, of another kind or absent are refused by name") {
    const std::vector<Json> wrong = {
        -1, 0, 1e30, 2.5, "8", true, Json::array(), Json::object(), std::int64_t{1} << 62};
    const std::string text = "/text_config/", sparse = "/text_config/sparse_attention_config/";
    std::vector<std::string> keys = {sparse + "sparse_index_dim", sparse + "sparse_block_size",
                                     sparse + "sparse_topk_blocks"};
    for (const char* key :
         {"hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
          "head_dim", "intermediate_size", "dense_intermediate_size", "shared_intermediate_size",
          "vocab_size", "num_local_experts", "num_experts_per_tok", "max_position_embeddings"})
        keys.push_back(text + key);
    for (const char* key :
         {"hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
          "patch_size", "num_channels", "vision_segment_max_frames"})
        keys.push_back(std::string("/vision_config/") + key);
    keys.emplace_back("/projector_hidden_size");
    for (const std::string& key : keys) {
        std::string name = key.substr(key.rfind('/') + 1);
        for (const Json& value : wrong) {
            INFO(key << " = " << value);
            CHECK_THAT(refused(with(nested(), key, value)), Catch::Contains(name + " is "));
        }
        CHECK_THAT(refused(without(nested(), key)), Catch::Contains(name + " is missing"));
    }
    for (const char* key :
         {"rms_norm_eps", "rope_theta", "swiglu_alpha", "swiglu_limit", "routed_scaling_factor"})
        for (const Json& value : {Json(-1), Json(0), Json(1e300), Json("1"), Json(true)}) {
            INFO(key << " = " << value);
            CHECK_THAT(refused(with(nested(), text + key, value)),
                       Catch::Contains(std::string(key) + " is "));
        }
}

TEST_CASE("parts that do not fit one another, and texts that are no config") {
    const std::string text = "/text_config/", sparse = "/text_config/sparse_attention_config/";
    CHECK_THAT(refused(with(nested(), text + "num_key_value_heads", 3)),
               Catch::Contains("cannot share"));
    CHECK_THAT(refused(with(nested(), text + "num_experts_per_tok", 5)),
               Catch::Contains("num_experts_per_tok is 5"));
    CHECK_THAT(refused(with(with(nested(), sparse + "sparse_topk_blocks", 1),
                            sparse + "sparse_init_block", 1)),
               Catch::Contains("more blocks are always chosen"));
    CHECK_THAT(refused(with(nested(), sparse + "sparse_index_dim", 8)), Catch::Contains("rotated"));
    CHECK_THAT(refused(with(nested(), text + "moe_layer_freq", {0, 1})),
               Catch::Contains("moe_layer_freq has no entry for each layer"));
    CHECK_THAT(refused(with(nested(), text + "moe_layer_freq", {0, 1, 2})),
               Catch::Contains("moe_layer_freq of layer 2"));
    CHECK_THAT(refused(with(flat(), text + "layer_types", {"full_attention", "window", "window"})),
               Catch::Contains("layer_types of layer 1"));
    CHECK_THAT(refused(with(nested(), "/image_token_index", 96)),
               Catch::Contains("image_token_index is 96"));
    CHECK_THAT(refused(with(nested(), "/text_config", 1)),
               Catch::Contains("text_config is no object"));
    for (std::string_view json : {"", "[]", "{", "null", "\xff\xfe", "{\"hidden_size\":\"\xff\"}"})
        CHECK_FALSE(error_of([&] { engine::parse_config(json, "c.json"); }).empty());
    CHECK_FALSE(
        error_of([&] { engine::parse_config(std::string(1 << 20, '['), "c.json"); }).empty());
}
