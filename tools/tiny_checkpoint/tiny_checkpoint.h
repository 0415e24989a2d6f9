// A whole checkpoint with random weights, small enough for any test: release layout, tokenizer and
// chat template of tests/data/m3, vision tower. The same seed gives the same bytes.
#pragma once

#include "assay/base/fs.h"
#include "assay/kernels/bf16.h"
#include "written_tensors.h"

#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace assay::test {

struct TinyCheckpoint {
    int hidden = 64, layers = 3, vocab = 1088;
    int block = 16, top_blocks = 4;
    int experts = 4, max_positions = 65536;
    unsigned seed = 1;
    // Of the text model's linear layers. Expanded: what the quantised values are, as F32.
    enum class Format { Bf16, Mxfp8, Nvfp4ModelOpt, Nvfp4Compressed } format = Format::Bf16;
    bool expanded = false;

    void write(const Path& folder) {
        random_.seed(seed);
        RealFileSystem files;
        files.make_folders(folder);
        const Path data = ASSAY_MODEL_DATA;
        files.write(folder / "config.json", config());
        files.write(folder / "generation_config.json", R"({"eos_token_id": 1020})");
        files.write(folder / "tokenizer.json", files.read(data / "tokenizer/plain.json"));
        files.write(folder / "chat_template.jinja", files.read(data / "tiny/chat_template.jinja"));
        text();
        vision();
        files.write(folder / "model.safetensors", safetensors_bytes(tensors_));
    }

  private:
    std::string flags(int first) const {
        std::string out;
        for (int i = 0; i < layers; ++i) out += (i > 0 ? "," : "") + std::to_string(i >= first);
        return "[" + out + "]";
    }

    std::string config() const {
        return fmt::format(
            R"({{"architectures":["MiniMaxM3SparseForConditionalGeneration"],"model_type":"minimax_m3_vl",
"image_token_index":1025,"video_token_index":1026,"projector_hidden_act":"gelu","projector_hidden_size":16,
"torch_dtype":"bfloat16","img_token_compression_config":{{"image_token_compression_method":"patch_merge",
"spatial_merge_size":2,"temporal_patch_size":2}},
"text_config":{{"hidden_size":{0},"num_hidden_layers":{1},"num_attention_heads":4,"num_key_value_heads":2,
"head_dim":16,"intermediate_size":32,"dense_intermediate_size":96,"shared_intermediate_size":32,"vocab_size":{2},
"tie_word_embeddings":false,"rms_norm_eps":1e-06,"use_gemma_norm":true,"rope_theta":5000000.0,"rotary_dim":8,
"partial_rotary_factor":0.5,"max_position_embeddings":{3},"hidden_act":"swigluoai","swiglu_alpha":1.702,
"swiglu_beta":1.0,"swiglu_limit":7.0,"num_local_experts":{4},"num_experts_per_tok":2,"n_shared_experts":1,
"scoring_func":"sigmoid","use_routing_bias":true,"routed_scaling_factor":2.0,"moe_layer_freq":{5},
"use_qk_norm":true,"qk_norm_type":"per_head","attention_output_gate":false,
"sparse_attention_config":{{"use_sparse_attention":true,"sparse_attention_freq":{5},"sparse_num_index_heads":2,
"sparse_index_dim":16,"sparse_block_size":{6},"sparse_topk_blocks":{7},"sparse_init_block":0,
"sparse_local_block":1,"sparse_score_type":"max","sparse_disable_index_value":{5}}}}},
"vision_config":{{"model_type":"clip_vision_model","hidden_size":16,"num_hidden_layers":1,
"num_attention_heads":1,"intermediate_size":16,"patch_size":14,"image_size":2016,"num_channels":3,
"position_embedding_type":"rope","rope_mode":"3d","rope_theta":10000.0,"layer_norm_eps":1e-05,
"hidden_act":"gelu","projection_dim":{0},"vision_segment_max_frames":4,
"img_token_compression_config":{{"image_token_compression_method":"patch_merge","spatial_merge_size":2,
"temporal_patch_size":2}}}}}})",
            hidden, layers, vocab, max_positions, experts, flags(1), block, top_blocks);
    }

    double draw() { return static_cast<double>(random_()) / 2147483648.0 - 1; }

    void add(const std::string& name, const std::vector<std::int64_t>& shape, double size,
             double centre = 0, bool wide = false) {
        std::int64_t count = 1;
        for (std::int64_t side : shape) count *= side;
        std::vector<float> values;
        std::vector<kernels::Bf16Bits> bits;
        for (std::int64_t i = 0; i < count; ++i) {
            values.push_back(static_cast<float>(centre + draw() * size));
            bits.push_back(kernels::to_bf16(values.back()));
        }
        tensors_.push_back(
            {name, wide ? "F32" : "BF16", shape, wide ? bytes_of(values) : bytes_of(bits)});
    }
    void matrix(const std::string& name, int rows, int columns, bool wide = false) {
        add(name + ".weight", {rows, columns}, 1.7 / std::sqrt(columns), 0, wide);
    }

    static double e4m3(int code) { // without its specials
        const int exponent = (code >> 3) & 15, mantissa = code & 7;
        const double size =
            exponent == 0 ? mantissa / 8.0 / 64 : (1 + mantissa / 8.0) * std::exp2(exponent - 7);
        return (code & 128) != 0 ? -size : size;
    }
    static double e2m1(int code) {
        constexpr double sizes[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
        return (code & 8) != 0 ? -sizes[code & 7] : sizes[code & 7];
    }
    int code_e4m3(bool sign) { // of 1/4 to 15/8
        const auto bits = static_cast<int>(random_());
        return (sign ? bits & 128 : 0) | ((5 + (bits & 0xff00) / 0x100 % 3) << 3) | (bits & 7);
    }

    void linear(const std::string& name, int rows, int columns) {
        if (format == Format::Bf16) return matrix(name, rows, columns);
        const bool narrow = format != Format::Mxfp8;
        const int group = narrow ? 16 : 32;
        const double global = narrow ? 1.0 / 32 : 1;
        std::string weight, scales;
        std::vector<float> values;
        for (int r = 0; r < rows; ++r)
            for (int at = 0; at < columns; at += group) {
                const int code = narrow ? code_e4m3(false) : 123 + static_cast<int>(random_() % 3);
                const double scale = narrow ? e4m3(code) * global : std::exp2(code - 127);
                scales += static_cast<char>(code);
                add_group(group, narrow, scale, weight, values);
            }
        if (expanded)
            return tensors_.push_back({name + ".weight", "F32", {rows, columns}, bytes_of(values)});
        const std::vector<std::int64_t> blocks = {rows, columns / group};
        if (!narrow) {
            tensors_.push_back({name + ".weight", "F8_E4M3", {rows, columns}, weight});
            tensors_.push_back({name + ".weight_scale_inv", "U8", blocks, scales});
            return;
        }
        const bool packed = format == Format::Nvfp4Compressed;
        const auto factor = static_cast<float>(packed ? 1 / global : global);
        tensors_.push_back(
            {name + (packed ? ".weight_packed" : ".weight"), "U8", {rows, columns / 2}, weight});
        tensors_.push_back({name + ".weight_scale", "F8_E4M3", blocks, scales});
        tensors_.push_back({name + (packed ? ".weight_global_scale" : ".weight_scale_2"), "F32",
                            packed ? std::vector<std::int64_t>{1} : std::vector<std::int64_t>{},
                            bytes_of(std::vector<float>{factor})});
    }
    void add_group(int size, bool narrow, double scale, std::string& weight,
                   std::vector<float>& values) {
        for (int i = 0; i < size; i += 2) {
            const int low = narrow ? static_cast<int>(random_() % 16) : code_e4m3(true);
            const int high = narrow ? static_cast<int>(random_() % 16) : code_e4m3(true);
            for (int code : {low, high})
                values.push_back(static_cast<float>((narrow ? e2m1(code) : e4m3(code)) * scale));
            if (narrow) {
                weight += static_cast<char>(low | (high << 4)); // the low nibble is the first
            } else {
                weight += static_cast<char>(low);
                weight += static_cast<char>(high);
            }
        }
    }
    void norm(const std::string& name, int size) { add(name + ".weight", {size}, 0.3); }

    void text() {
        const std::string root = "language_model.model.";
        add(root + "embed_tokens.weight", {vocab, hidden}, 1);
        matrix("language_model.lm_head", vocab, hidden);
        norm(root + "norm", hidden);
        for (int i = 0; i < layers; ++i) layer(root + "layers." + std::to_string(i) + ".", i >= 1);
    }

    void layer(const std::string& at, bool sparse) {
        norm(at + "input_layernorm", hidden);
        norm(at + "post_attention_layernorm", hidden);
        const std::string attention = at + "self_attn.";
        linear(attention + "q_proj", 64, hidden);
        linear(attention + "k_proj", 32, hidden);
        linear(attention + "v_proj", 32, hidden);
        linear(attention + "o_proj", hidden, 64);
        norm(attention + "q_norm", 16);
        norm(attention + "k_norm", 16);
        if (!sparse) return mlp(at + "mlp.", 96, "gate_proj", "up_proj", "down_proj");
        linear(attention + "index_q_proj", 32, hidden);
        linear(attention + "index_k_proj", 16, hidden);
        norm(attention + "index_q_norm", 16);
        norm(attention + "index_k_norm", 16);
        const std::string moe = at + "block_sparse_moe.";
        matrix(moe + "gate", experts, hidden, true);
        add(moe + "e_score_correction_bias", {experts}, 0.1, 0, true);
        for (int e = 0; e < experts; ++e)
            mlp(moe + "experts." + std::to_string(e) + ".", 32, "w1", "w3", "w2");
        mlp(moe + "shared_experts.", 32, "gate_proj", "up_proj", "down_proj");
    }
    void mlp(const std::string& at, int width, const char* gate, const char* up, const char* down) {
        linear(at + gate, width, hidden);
        linear(at + up, width, hidden);
        linear(at + down, hidden, width);
    }

    void affine(const std::string& name, int rows, int columns) {
        matrix(name, rows, columns);
        add(name + ".bias", {rows}, 0.1);
    }
    void layer_norm(const std::string& name) {
        add(name + ".weight", {16}, 0.3, 1);
        add(name + ".bias", {16}, 0.1);
    }
    void vision() {
        const std::string root = "vision_tower.vision_model.";
        add(root + "embeddings.patch_embedding.weight", {16, 3, 2, 14, 14}, 0.05, 0, true);
        layer_norm(root + "pre_layrnorm");
        const std::string at = root + "encoder.layers.0.";
        layer_norm(at + "layer_norm1");
        layer_norm(at + "layer_norm2");
        for (const char* part : {"q_proj", "k_proj", "v_proj", "out_proj"})
            affine(at + "self_attn." + part, 16, 16);
        affine(at + "mlp.fc1", 16, 16);
        affine(at + "mlp.fc2", 16, 16);
        affine("multi_modal_projector.linear_1", 16, 16);
        affine("multi_modal_projector.linear_2", hidden, 16);
        affine("patch_merge_mlp.linear_1", 16, 4 * hidden);
        affine("patch_merge_mlp.linear_2", hidden, 16);
    }

    std::mt19937 random_;
    std::vector<WrittenTensor> tensors_;
};

} // namespace assay::test
