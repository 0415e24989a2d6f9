// What config.json says of a MiniMax-M3 checkpoint, in one shape whatever shape the file has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::engine {

struct LayerKind {
    bool sparse = false;  // MSA, else full attention
    bool experts = false; // mixture of experts, else a dense MLP
};

struct TextConfig {
    int hidden = 0, vocab = 0;
    int heads = 0, kv_heads = 0, head_dim = 0;
    int rotary_dim = 0; // of main and index heads; the dims behind it pass through
    double rope_theta = 0;
    float norm_epsilon = 0;
    std::int64_t max_positions = 0;
    std::vector<LayerKind> layers;

    int dense_width = 0, expert_width = 0, shared_width = 0; // of the MLPs
    float swiglu_alpha = 0, swiglu_limit = 0;
    int experts = 0, experts_per_token = 0;
    int shared_experts = 0;   // 0 or 1
    float routed_scale = 1;   // on the sum of the routed experts, never on the shared one
    bool routing_bias = true; // for the choice alone

    int index_heads = 0, index_dim = 0;
    int block = 0, top_blocks = 0;         // tokens of a block, blocks of a query
    int init_blocks = 0, local_blocks = 0; // always chosen, counted in top_blocks
    bool tied_embeddings = false;
};

struct VisionConfig {
    int hidden = 0, layers = 0, heads = 0, width = 0; // width: of the MLP
    int patch = 0, temporal_patch = 0, merge = 0, channels = 0;
    double rope_theta = 0;
    float norm_epsilon = 0;
    int projector_width = 0; // between the two linear layers
    int segment_frames = 0;  // temporal patches that see one another
    int image_token = 0, video_token = 0;
};

struct ModelConfig {
    TextConfig text;
    std::optional<VisionConfig> vision;
    std::string shape; // "nested" or "flat": of the file
};

// `file` names it in errors. Throws Error(Input) that says which key is missing, absurd or
// contradicts another.
ModelConfig parse_config(std::string_view json, const std::string& file);

} // namespace assay::engine
