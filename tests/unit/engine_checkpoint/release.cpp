#include "release.h"

#include "assay/base/error.h"
#include "catch.h"

#include <nlohmann/json.hpp>

#include <bit>
#include <random>

namespace assay::test {

using Json = nlohmann::ordered_json;

Sizes Sizes::small() {
    return {.hidden = 64,
            .vocab = 96,
            .layers = 3,
            .dense_layers = 1,
            .heads = 4,
            .kv_heads = 2,
            .head_dim = 32,
            .rotary = 16,
            .expert = 32,
            .dense = 64,
            .experts = 4,
            .per_token = 2,
            .index_dim = 32,
            .block = 8,
            .top_blocks = 4,
            .vision = 16,
            .vision_layers = 1,
            .vision_heads = 1,
            .vision_width = 16,
            .projector = 16};
}

std::vector<WrittenTensor> release_tensors(const Sizes& s) {
    std::vector<WrittenTensor> out;
    auto add = [&](const std::string& name, std::vector<std::int64_t> shape,
                   const char* dtype = "BF16") { out.push_back({name, dtype, shape, ""}); };
    const std::string text = "language_model.";
    add(text + "model.embed_tokens.weight", {s.vocab, s.hidden});
    add(text + "lm_head.weight", {s.vocab, s.hidden});
    add(text + "model.norm.weight", {s.hidden});
    for (int i = 0; i < s.layers; ++i) {
        std::string at = fmt::format("{}model.layers.{}.", text, i);
        add(at + "input_layernorm.weight", {s.hidden});
        add(at + "post_attention_layernorm.weight", {s.hidden});
        add(at + "self_attn.q_proj.weight", {s.heads * s.head_dim, s.hidden});
        add(at + "self_attn.k_proj.weight", {s.kv_heads * s.head_dim, s.hidden});
        add(at + "self_attn.v_proj.weight", {s.kv_heads * s.head_dim, s.hidden});
        add(at + "self_attn.o_proj.weight", {s.hidden, s.heads * s.head_dim});
        add(at + "self_attn.q_norm.weight", {s.head_dim});
        add(at + "self_attn.k_norm.weight", {s.head_dim});
        if (i < s.dense_layers) {
            add(at + "mlp.gate_proj.weight", {s.dense, s.hidden});
            add(at + "mlp.up_proj.weight", {s.dense, s.hidden});
            add(at + "mlp.down_proj.weight", {s.hidden, s.dense});
            continue;
        }
        add(at + "self_attn.index_q_proj.weight", {s.kv_heads * s.index_dim, s.hidden});
        add(at + "self_attn.index_k_proj.weight", {s.index_dim, s.hidden});
        add(at + "self_attn.index_q_norm.weight", {s.index_dim});
        add(at + "self_attn.index_k_norm.weight", {s.index_dim});
        std::string moe = at + "block_sparse_moe.";
        add(moe + "gate.weight", {s.experts, s.hidden}, "F32");
        add(moe + "e_score_correction_bias", {s.experts}, "F32");
        for (int e = 0; e < s.experts; ++e) {
            std::string expert = fmt::format("{}experts.{}.", moe, e);
            add(expert + "w1.weight", {s.expert, s.hidden});
            add(expert + "w3.weight", {s.expert, s.hidden});
            add(expert + "w2.weight", {s.hidden, s.expert});
        }
        add(moe + "shared_experts.gate_proj.weight", {s.expert, s.hidden});
        add(moe + "shared_experts.up_proj.weight", {s.expert, s.hidden});
        add(moe + "shared_experts.down_proj.weight", {s.hidden, s.expert});
    }
    const std::string tower = "vision_tower.vision_model.";
    auto both = [&](const std::string& name, std::int64_t rows, std::int64_t columns) {
        if (columns == 0)
            add(name + ".weight", {rows});
        else
            add(name + ".weight", {rows, columns});
        add(name + ".bias", {rows});
    };
    add(tower + "embeddings.patch_embedding.weight", {s.vision, 3, 2, 14, 14}, "F32");
    both(tower + "pre_layrnorm", s.vision, 0);
    for (int i = 0; i < s.vision_layers; ++i) {
        std::string at = fmt::format("{}encoder.layers.{}.", tower, i);
        both(at + "layer_norm1", s.vision, 0);
        both(at + "layer_norm2", s.vision, 0);
        for (const char* name : {"q", "k", "v", "out"})
            both(at + "self_attn." + name + "_proj", s.vision, s.vision);
        both(at + "mlp.fc1", s.vision_width, s.vision);
        both(at + "mlp.fc2", s.vision, s.vision_width);
    }
    both("multi_modal_projector.linear_1", s.projector, s.vision);
    both("multi_modal_projector.linear_2", s.hidden, s.projector);
    both("patch_merge_mlp.linear_1", s.projector, 4 * std::int64_t{s.hidden});
    both("patch_merge_mlp.linear_2", s.hidden, s.projector);
    return out;
}

namespace {

Json common_text(const Sizes& s) {
    return {{"hidden_size", s.hidden},
            {"num_hidden_layers", s.layers},
            {"num_attention_heads", s.heads},
            {"num_key_value_heads", s.kv_heads},
            {"head_dim", s.head_dim},
            {"intermediate_size", s.expert},
            {"dense_intermediate_size", s.dense},
            {"shared_intermediate_size", s.expert},
            {"vocab_size", s.vocab},
            {"tie_word_embeddings", false},
            {"rms_norm_eps", 1e-6},
            {"use_gemma_norm", true},
            {"rotary_dim", s.rotary},
            {"max_position_embeddings", 1048576},
            {"swiglu_alpha", 1.702},
            {"swiglu_beta", 1.0},
            {"swiglu_limit", 7.0},
            {"num_local_experts", s.experts},
            {"num_experts_per_tok", s.per_token},
            {"n_shared_experts", 1},
            {"scoring_func", "sigmoid"},
            {"use_routing_bias", true},
            {"routed_scaling_factor", 2.0},
            {"use_qk_norm", true},
            {"qk_norm_type", "per_head"},
            {"attention_output_gate", false}};
}

Json common_root(const Sizes& s) {
    Json compression = {{"image_token_compression_method", "patch_merge"},
                        {"spatial_merge_size", 2},
                        {"temporal_patch_size", 2}};
    return {{"model_type", "minimax_m3_vl"},
            {"image_token_index", s.vocab - 2},
            {"video_token_index", s.vocab - 1},
            {"projector_hidden_act", "gelu"},
            {"projector_hidden_size", s.projector},
            {"multimodal_projector_bias", true},
            {"vision_feature_layer", -1},
            {"img_token_compression_config", compression},
            {"vision_config",
             {{"hidden_size", s.vision},
              {"num_hidden_layers", s.vision_layers},
              {"num_attention_heads", s.vision_heads},
              {"intermediate_size", s.vision_width},
              {"patch_size", 14},
              {"num_channels", 3},
              {"position_embedding_type", "rope"},
              {"rope_mode", "3d"},
              {"rope_theta", 10000},
              {"layer_norm_eps", 1e-5},
              {"hidden_act", "gelu"},
              {"vision_segment_max_frames", 4}}}};
}

Json per_layer(const Sizes& s, const Json& first, const Json& rest) {
    Json out = Json::array();
    for (int i = 0; i < s.layers; ++i) out.push_back(i < s.dense_layers ? first : rest);
    return out;
}

} // namespace

std::string nested_config(const Sizes& s) {
    Json text = common_text(s);
    text["rope_theta"] = 5000000;
    text["partial_rotary_factor"] = static_cast<double>(s.rotary) / s.head_dim;
    text["hidden_act"] = "swigluoai";
    text["moe_layer_freq"] = per_layer(s, 0, 1);
    text["sparse_attention_config"] = {{"use_sparse_attention", true},
                                       {"sparse_attention_freq", per_layer(s, 0, 1)},
                                       {"sparse_num_index_heads", s.kv_heads},
                                       {"sparse_index_dim", s.index_dim},
                                       {"sparse_block_size", s.block},
                                       {"sparse_topk_blocks", s.top_blocks},
                                       {"sparse_init_block", 0},
                                       {"sparse_local_block", 1},
                                       {"sparse_score_type", "max"},
                                       {"sparse_disable_index_value", per_layer(s, 0, 1)}};
    Json root = common_root(s);
    root["text_config"] = text;
    return root.dump();
}

std::string flat_config(const Sizes& s) {
    Json text = common_text(s);
    text["rope_parameters"] = {
        {"rope_theta", 5000000.0},
        {"rope_type", "default"},
        {"partial_rotary_factor", static_cast<double>(s.rotary) / s.head_dim}};
    text["hidden_act"] = "silu";
    text["layer_types"] = per_layer(s, "full_attention", "minimax_m3_sparse");
    text["mlp_layer_types"] = per_layer(s, "dense", "sparse");
    text["index_n_heads"] = s.kv_heads;
    text["index_head_dim"] = s.index_dim;
    text["index_block_size"] = s.block;
    text["index_topk_blocks"] = s.top_blocks;
    text["index_local_blocks"] = 1;
    Json root = common_root(s);
    root["text_config"] = text;
    return root.dump();
}

std::string header_list(const std::vector<WrittenTensor>& tensors) {
    std::string out;
    for (const WrittenTensor& tensor : tensors)
        out += fmt::format("{}{}:{{\"dtype\":\"{}\",\"shape\":[{}]}}", out.empty() ? "{" : ",",
                           json_quote(tensor.name), tensor.dtype, fmt::join(tensor.shape, ","));
    return out + "}";
}

void fill(std::vector<WrittenTensor>& tensors) {
    std::mt19937 random(7);
    for (WrittenTensor& tensor : tensors) {
        if (!tensor.data.empty()) continue;
        std::int64_t count = 1;
        for (std::int64_t dim : tensor.shape) count *= dim;
        std::vector<std::uint32_t> bits;
        for (std::int64_t i = 0; i < count; ++i)
            bits.push_back(std::bit_cast<std::uint32_t>(
                static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 1000));
        if (tensor.dtype == "F32") {
            tensor.data = bytes_of(bits);
        } else {
            std::vector<std::uint16_t> upper;
            for (std::uint32_t one : bits) upper.push_back(static_cast<std::uint16_t>(one >> 16));
            tensor.data = bytes_of(upper);
        }
    }
}

WrittenTensor& tensor_named(std::vector<WrittenTensor>& tensors, const std::string& name) {
    for (WrittenTensor& tensor : tensors)
        if (tensor.name == name) return tensor;
    throw std::out_of_range(name);
}

std::vector<WrittenTensor> as_transformers(const std::vector<WrittenTensor>& tensors,
                                           const Sizes& s) {
    std::vector<WrittenTensor> out, in = tensors;
    auto data = [&](const std::string& name) { return tensor_named(in, name).data; };
    auto renamed = [](std::string name) {
        for (auto [from, to] : std::vector<std::pair<std::string, std::string>>{
                 {"language_model.lm_head", "lm_head"},
                 {"language_model.model.", "model.language_model."},
                 {"vision_tower.vision_model.encoder.", "model.vision_tower."},
                 {"vision_tower.vision_model.", "model.vision_tower."},
                 {"patch_embedding", "proj"},
                 {"multi_modal_projector.linear", "model.multi_modal_projector.linear"},
                 {"patch_merge_mlp.linear", "model.multi_modal_projector.merge_linear"},
                 {"self_attn.index_", "self_attn.indexer."},
                 {"block_sparse_moe.e_score", "block_sparse_moe.gate.e_score"},
                 {"block_sparse_moe.", "mlp."}})
            name = replace_all(name, from, to);
        return name;
    };
    for (const WrittenTensor& tensor : in) {
        std::string at = tensor.name.substr(0, tensor.name.rfind("gate_proj"));
        if (tensor.name.find(".experts.") != std::string::npos ||
            tensor.name.ends_with(".up_proj.weight"))
            continue;
        if (tensor.name.ends_with(".gate_proj.weight"))
            out.push_back({renamed(at + "gate_up_proj.weight"),
                           tensor.dtype,
                           {2 * tensor.shape[0], tensor.shape[1]},
                           tensor.data + data(at + "up_proj.weight")});
        else
            out.push_back({renamed(tensor.name), tensor.dtype, tensor.shape, tensor.data});
    }
    for (int i = s.dense_layers; i < s.layers; ++i) {
        std::string at = fmt::format("language_model.model.layers.{}.block_sparse_moe.experts.", i);
        std::string gate_up, down;
        for (int e = 0; e < s.experts; ++e) {
            gate_up += data(fmt::format("{}{}.w1.weight", at, e));
            gate_up += data(fmt::format("{}{}.w3.weight", at, e));
            down += data(fmt::format("{}{}.w2.weight", at, e));
        }
        out.push_back(
            {renamed(at + "gate_up_proj"), "BF16", {s.experts, 2 * s.expert, s.hidden}, gate_up});
        out.push_back({renamed(at + "down_proj"), "BF16", {s.experts, s.hidden, s.expert}, down});
    }
    return out;
}

Folder::Folder(const std::string& config, const std::vector<WrittenTensor>& tensors) {
    write("config.json", config);
    // As the library writes them: wide types first, so that all are aligned.
    std::vector<WrittenTensor> sorted;
    for (bool wide : {true, false})
        for (const WrittenTensor& tensor : tensors)
            if ((tensor.dtype == "F32") == wide) sorted.push_back(tensor);
    std::stable_partition(sorted.begin(), sorted.end(), [](const WrittenTensor& tensor) {
        return tensor.dtype != "U8" && !tensor.dtype.starts_with("F8");
    });
    write("model.safetensors", safetensors_bytes(sorted));
}

namespace {

std::vector<WrittenTensor> changed(const std::function<void(std::vector<WrittenTensor>&)>& change) {
    std::vector<WrittenTensor> tensors = release_tensors(Sizes::small());
    fill(tensors);
    if (change) change(tensors);
    return tensors;
}

} // namespace

Folder::Folder(const std::function<void(std::vector<WrittenTensor>&)>& change)
    : Folder(nested_config(Sizes::small()), changed(change)) {}

void Folder::write(const std::string& name, std::string_view data) const {
    RealFileSystem().write(path() / name, data);
}

std::string error_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& e) {
        CHECK(e.kind() == ErrorKind::Input);
        CHECK_FALSE(e.hint().empty());
        return e.message() + "\n" + e.hint();
    }
    FAIL_CHECK("no error");
    return "";
}

std::vector<float> values(const engine::Matrix& matrix) {
    std::vector<float> out(static_cast<std::size_t>(matrix.rows * matrix.columns));
    engine::dequantise(matrix, 0, matrix.rows, out.data());
    return out;
}

} // namespace assay::test
