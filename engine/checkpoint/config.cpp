#include "assay/engine/config.h"

#include "assay/base/error.h"
#include "assay/base/json.h"
#include "config_reader.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace assay::engine {

using Json = nlohmann::json;

namespace {

// Far above any release, far below what overflows a product of three of them.
constexpr int kMostLayers = 1024, kMostHeads = 4096, kMostHeadDim = 4096;
constexpr int kMostWidth = 1 << 20, kMostVocab = 1 << 24, kMostExperts = 1024;
constexpr int kMostBlock = 1 << 16;
constexpr std::int64_t kMostPositions = std::int64_t{1} << 32;
constexpr double kMostTheta = 1e15;

struct Sections {
    Section root, text, sparse, rope; // sparse_attention_config, rope_parameters
};

// transformers counts a lack of the list as the same for all layers.
std::vector<bool> layer_flags(const ConfigReader& reader, const Found& found, std::size_t layers,
                              const Json& yes, const Json& no, bool otherwise) {
    if (!found) return std::vector<bool>(layers, otherwise);
    if (!found.value->is_array() || found.value->size() != layers)
        reader.refuse(found.name + " has no entry for each layer",
                      fmt::format("num_hidden_layers is {}", layers));
    std::vector<bool> flags;
    for (const Json& entry : *found.value) {
        if (entry != yes && entry != no)
            reader.refuse(fmt::format("{} of layer {} is unknown", found.name, flags.size()),
                          fmt::format("it may be {} or {}", yes.dump(), no.dump()));
        flags.push_back(entry == yes);
    }
    return flags;
}

std::vector<bool> merged(const ConfigReader& reader, const Found& nested, const Found& flat,
                         std::vector<bool> of_nested, std::vector<bool> of_flat) {
    if (nested && flat && of_nested != of_flat)
        reader.refuse(nested.name + " and " + flat.name + " contradict each other",
                      "take out the wrong one");
    return nested ? std::move(of_nested) : std::move(of_flat);
}

std::vector<LayerKind> read_layers(const ConfigReader& reader, const Sections& in) {
    int count = reader.small(reader.find({{in.text, "num_hidden_layers"}}), 1, kMostLayers);
    auto flags = [&](const Found& found, const Json& yes, const Json& no, bool otherwise) {
        return layer_flags(reader, found, static_cast<std::size_t>(count), yes, no, otherwise);
    };
    Found moe = reader.find({{in.text, "moe_layer_freq"}});
    Found mlp_types = reader.find({{in.text, "mlp_layer_types"}});
    std::vector<bool> experts = merged(reader, moe, mlp_types, flags(moe, 1, 0, true),
                                       flags(mlp_types, "sparse", "dense", true));

    Found frequency = reader.find({{in.sparse, "sparse_attention_freq"}});
    Found types = reader.find({{in.text, "layer_types"}});
    std::vector<bool> sparse = merged(reader, frequency, types, flags(frequency, 1, 0, false),
                                      flags(types, "minimax_m3_sparse", "full_attention", false));
    bool used = reader.flag(reader.find({{in.sparse, "use_sparse_attention"}}),
                            in.sparse.object != nullptr);
    if (in.sparse.object != nullptr && !used) sparse.assign(sparse.size(), false);
    if (used && !frequency && !types)
        reader.refuse(frequency.name + " is missing",
                      "without it nobody can tell which layers are sparse");

    std::vector<LayerKind> layers;
    for (std::size_t i = 0; i < sparse.size(); ++i) layers.push_back({sparse[i], experts[i]});
    return layers;
}

// §1.2 3: tokens may stand in for blocks; the query's own, incomplete block comes on top.
int blocks(const ConfigReader& reader, const Found& in_blocks, const Found& in_tokens, int block,
           int own, int otherwise) {
    std::optional<int> from_tokens;
    if (in_tokens) from_tokens = (reader.small(in_tokens, 0, 1 << 30) + block - 1) / block + own;
    int count = reader.small(in_blocks, own, kMostBlock, from_tokens.value_or(otherwise));
    if (from_tokens && *from_tokens != count)
        reader.refuse(in_blocks.name + " and " + in_tokens.name + " contradict each other",
                      "take out the wrong one");
    return count;
}

void read_sparse(const ConfigReader& reader, const Sections& in, TextConfig& out) {
    auto find = [&](const char* nested, const char* flat) {
        return reader.find({{in.sparse, nested}, {in.text, flat}});
    };
    out.index_heads = reader.small(find("sparse_num_index_heads", "index_n_heads"), 1, kMostHeads);
    out.index_dim = reader.small(find("sparse_index_dim", "index_head_dim"), 2, kMostHeadDim);
    out.block = reader.small(find("sparse_block_size", "index_block_size"), 1, kMostBlock);
    out.top_blocks = reader.small(find("sparse_topk_blocks", "index_topk_blocks"), 1, kMostBlock);
    out.init_blocks = blocks(reader, find("sparse_init_block", "index_init_blocks"),
                             reader.find({{in.sparse, "sparse_init_tokens"}}), out.block, 0, 0);
    out.local_blocks = blocks(reader, find("sparse_local_block", "index_local_blocks"),
                              reader.find({{in.sparse, "sparse_local_tokens"}}), out.block, 1, 1);
    if (out.index_heads != out.kv_heads)
        reader.refuse(
            fmt::format("{} index heads, but {} key-value heads", out.index_heads, out.kv_heads),
            "every key-value head has an index head of its own that selects its blocks");
    if (out.init_blocks + out.local_blocks > out.top_blocks)
        reader.refuse("more blocks are always chosen than a query may have",
                      fmt::format("{} initial, {} local, {} in all", out.init_blocks,
                                  out.local_blocks, out.top_blocks));
    if (out.rotary_dim > out.index_dim)
        reader.refuse(fmt::format("{} dims are rotated, but index heads have {}", out.rotary_dim,
                                  out.index_dim),
                      "index heads are rotated as the others are");
    reader.must_be(reader.find({{in.sparse, "sparse_score_type"}}), "max");
    Found no_value = reader.find({{in.sparse, "sparse_disable_index_value"}});
    std::vector<bool> disabled = layer_flags(reader, no_value, out.layers.size(), 1, 0, true);
    for (std::size_t i = 0; i < disabled.size(); ++i)
        if (out.layers[i].sparse && !disabled[i])
            reader.refuse(fmt::format("{} of layer {} is 0", no_value.name, i),
                          "the engine knows no index values");
}

void read_rotation(const ConfigReader& reader, const Sections& in, TextConfig& out) {
    out.rope_theta = reader.number(reader.find({{in.rope, "rope_theta"}, {in.text, "rope_theta"}}),
                                   1, kMostTheta);
    Found width = reader.find({{in.text, "rotary_dim"}});
    Found share =
        reader.find({{in.rope, "partial_rotary_factor"}, {in.text, "partial_rotary_factor"}});
    double from_share = out.head_dim * reader.number(share, 0, 1, 1);
    if (!width && from_share != std::floor(from_share))
        reader.refuse(fmt::format("{} gives {} rotated dims", share.name, from_share),
                      "head_dim times it must be a whole number");
    out.rotary_dim = reader.small(width, 2, out.head_dim, static_cast<int>(from_share));
    // transformers reads the factor alone, other engines the width.
    if (width && share && out.rotary_dim != from_share)
        reader.refuse(fmt::format("{} is {}, but {} gives {}", width.name, out.rotary_dim,
                                  share.name, from_share),
                      "take out the wrong one");
    if (out.rotary_dim < 2 || out.rotary_dim % 2 != 0)
        reader.refuse(fmt::format("{} rotated dims", out.rotary_dim), "they are turned in pairs");
    Section scaling = reader.section(in.text, "rope_scaling");
    for (const Section& section : {std::as_const(scaling), in.rope}) {
        reader.must_be(reader.find({{section, "rope_type"}, {section, "type"}}), "default");
        reader.must_be(reader.find({{section, "factor"}}), 1);
    }
}

void read_experts(const ConfigReader& reader, const Sections& in, TextConfig& out) {
    out.expert_width = reader.small(reader.find({{in.text, "intermediate_size"}}), 1, kMostWidth);
    out.experts = reader.small(reader.find({{in.text, "num_local_experts"}}), 1, kMostExperts);
    out.experts_per_token =
        reader.small(reader.find({{in.text, "num_experts_per_tok"}}), 1, out.experts);
    out.shared_experts = reader.small(reader.find({{in.text, "n_shared_experts"}}), 0, 1);
    if (out.shared_experts > 0)
        out.shared_width =
            reader.small(reader.find({{in.text, "shared_intermediate_size"}}), 1, kMostWidth);
    out.routed_scale = static_cast<float>(
        reader.number(reader.find({{in.text, "routed_scaling_factor"}}), 1e-6, 1e6));
    out.routing_bias = reader.flag(reader.find({{in.text, "use_routing_bias"}}), true);
    reader.must_be(reader.find({{in.text, "scoring_func"}}), "sigmoid");
    reader.must_be(reader.find({{in.text, "norm_topk_prob"}}), true);
}

// hidden_act says "silu" in files of transformers 5: these keys decide (§1.2 2).
void read_activation(const ConfigReader& reader, const Sections& in, TextConfig& out) {
    Found alpha = reader.find({{in.text, "swiglu_alpha"}});
    Found limit = reader.find({{in.text, "swiglu_limit"}});
    if (!alpha || !limit)
        reader.refuse((alpha ? limit : alpha).name + " is missing",
                      "without it the activation would be plain SiLU, which no M3 has");
    out.swiglu_alpha = static_cast<float>(reader.number(alpha, 1e-3, 1e3));
    out.swiglu_limit = static_cast<float>(reader.number(limit, 1e-3, 1e6));
    reader.must_be(reader.find({{in.text, "swiglu_beta"}}), 1);
}

void refuse_other_models(const ConfigReader& reader, const Sections& in) {
    Found type = reader.find({{in.root, "model_type"}});
    if (type && (!type.value->is_string() ||
                 !type.value->get_ref<const std::string&>().starts_with("minimax_m3")))
        reader.refuse("model_type is " +
                          type.value->dump(-1, ' ', true, Json::error_handler_t::replace),
                      "the engine runs minimax_m3_vl and its text model alone");
    reader.must_be(reader.find({{in.text, "use_gemma_norm"}}), true);
    reader.must_be(reader.find({{in.text, "use_qk_norm"}}), true);
    reader.must_be(reader.find({{in.text, "qk_norm_type"}}), "per_head");
    reader.must_be(reader.find({{in.text, "attention_output_gate"}}), false);
    reader.must_be(reader.find({{in.text, "attention_bias"}}), false);
}

TextConfig read_text(const ConfigReader& reader, const Sections& in) {
    TextConfig out;
    auto small = [&](const char* key, int least, int most) {
        return reader.small(reader.find({{in.text, key}}), least, most);
    };
    out.hidden = small("hidden_size", 1, kMostWidth);
    out.vocab = small("vocab_size", 1, kMostVocab);
    out.heads = small("num_attention_heads", 1, kMostHeads);
    out.kv_heads = small("num_key_value_heads", 1, out.heads);
    out.head_dim = small("head_dim", 2, kMostHeadDim);
    if (out.heads % out.kv_heads != 0)
        reader.refuse(fmt::format("{} attention heads cannot share {} key-value heads", out.heads,
                                  out.kv_heads),
                      "num_attention_heads must be a multiple of num_key_value_heads");
    out.norm_epsilon =
        static_cast<float>(reader.number(reader.find({{in.text, "rms_norm_eps"}}), 1e-12, 0.1));
    out.max_positions =
        reader.whole(reader.find({{in.text, "max_position_embeddings"}}), 1, kMostPositions);
    out.tied_embeddings = reader.flag(
        reader.find({{in.text, "tie_word_embeddings"}, {in.root, "tie_word_embeddings"}}), false);
    out.layers = read_layers(reader, in);
    bool any_sparse = false, any_experts = false, any_dense = false;
    for (const LayerKind& kind : out.layers) {
        any_sparse |= kind.sparse;
        (kind.experts ? any_experts : any_dense) = true;
    }
    read_rotation(reader, in, out);
    read_activation(reader, in, out);
    if (any_dense) out.dense_width = small("dense_intermediate_size", 1, kMostWidth);
    if (any_experts) read_experts(reader, in, out);
    if (any_sparse) read_sparse(reader, in, out);
    return out;
}

VisionConfig read_vision(const ConfigReader& reader, const Sections& in, const Section& vision,
                         int vocab) {
    VisionConfig out;
    auto small = [&](const char* key, int least, int most) {
        return reader.small(reader.find({{vision, key}}), least, most);
    };
    out.hidden = small("hidden_size", 1, kMostWidth);
    out.layers = small("num_hidden_layers", 1, kMostLayers);
    out.heads = small("num_attention_heads", 1, kMostHeads);
    out.width = small("intermediate_size", 1, kMostWidth);
    out.patch = small("patch_size", 1, 1024);
    out.channels = small("num_channels", 1, 16);
    out.segment_frames = small("vision_segment_max_frames", 1, 1 << 20);
    if (out.hidden % out.heads != 0)
        reader.refuse("vision_config: hidden_size is no multiple of num_attention_heads",
                      "take the file of the release");
    out.norm_epsilon =
        static_cast<float>(reader.number(reader.find({{vision, "layer_norm_eps"}}), 1e-12, 0.1));
    Section rope = reader.section(vision, "rope_parameters");
    out.rope_theta =
        reader.number(reader.find({{rope, "rope_theta"}, {vision, "rope_theta"}}), 1, kMostTheta);
    Section compression = reader.section(vision, "img_token_compression_config");
    Section outer = reader.section(in.root, "img_token_compression_config");
    auto compressed = [&](const char* key) {
        return reader.small(reader.find({{compression, key}, {outer, key}, {vision, key}}), 1, 64);
    };
    out.temporal_patch = compressed("temporal_patch_size");
    out.merge = compressed("spatial_merge_size");
    out.projector_width =
        reader.small(reader.find({{in.root, "projector_hidden_size"}}), 1, kMostWidth);
    auto token = [&](const char* index, const char* id) {
        return reader.small(reader.find({{in.root, index}, {in.root, id}}), 0, vocab - 1);
    };
    out.image_token = token("image_token_index", "image_token_id");
    out.video_token = token("video_token_index", "video_token_id");

    reader.must_be(reader.find({{compression, "image_token_compression_method"},
                                {outer, "image_token_compression_method"}}),
                   "patch_merge");
    reader.must_be(reader.find({{rope, "rope_type"}}), "axial");
    reader.must_be(reader.find({{vision, "rope_mode"}}), "3d");
    reader.must_be(reader.find({{vision, "position_embedding_type"}}), "rope");
    reader.must_be(reader.find({{vision, "hidden_act"}}), "gelu");
    reader.must_be(reader.find({{in.root, "projector_hidden_act"}}), "gelu");
    reader.must_be(reader.find({{in.root, "multimodal_projector_bias"}}), true);
    reader.must_be(reader.find({{in.root, "vision_feature_layer"}}), -1);
    reader.must_be(reader.find({{in.root, "vision_feature_select_strategy"}}), "full");
    return out;
}

} // namespace

ModelConfig parse_config(std::string_view json, const std::string& file) {
    ConfigReader reader(file);
    auto root = parse_json<Json>(json);
    if (!root.is_object()) reader.refuse("no JSON object", "take the file of the release");
    Sections in;
    in.root = {&root, ""};
    in.text = reader.section(in.root, "text_config");
    if (in.text.object == nullptr) in.text = in.root; // a text model on its own
    in.sparse = reader.section(in.text, "sparse_attention_config");
    in.rope = reader.section(in.text, "rope_parameters");

    ModelConfig out;
    refuse_other_models(reader, in);
    out.text = read_text(reader, in);
    Section vision = reader.section(in.root, "vision_config");
    if (vision.object != nullptr) out.vision = read_vision(reader, in, vision, out.text.vocab);
    out.shape = in.sparse.object != nullptr ? "nested" : "flat";
    return out;
}

} // namespace assay::engine
