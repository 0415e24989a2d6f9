// What a checkpoint calls its tensors. Releases, files saved again by transformers 5 and stripped
// text models differ in prefixes, in the names of a few parts, and in whether matrices that are
// read together are one tensor (docs of the names: the release's index; transformers'
// minimax_m3_vl).
#pragma once

#include "safetensors.h"

#include <string>
#include <string_view>
#include <vector>

namespace assay::engine {

struct Names {
    std::string text = "language_model.model."; // before "layers.0."
    std::string head = "language_model.lm_head.weight";
    std::string index = "self_attn.index_"; // before "q_proj"
    std::string moe = "block_sparse_moe.";
    std::string routing_bias = "e_score_correction_bias"; // behind `moe`
    std::string gate = "w1", up = "w3", down = "w2";      // of one expert
    bool fused = false;                                   // gate and up of an MLP are one tensor
    bool stacked = false;                                 // so are those of all experts

    bool vision = false; // there are tensors of a vision tower
    std::string tower = "vision_tower.vision_model.";
    std::string tower_layers = "encoder.layers.";            // behind `tower`
    std::string patch = "embeddings.patch_embedding.weight"; // behind `tower`
    std::string projector = "multi_modal_projector.linear_";
    std::string merge = "patch_merge_mlp.linear_";

    // Known, but no part of what is computed: modules that predict further tokens (their layers
    // have numbers of their own), scales of activations and caches, constants.
    bool ignorable(std::string_view name) const;
};

Names find_names(const std::vector<Tensor>& tensors);

} // namespace assay::engine
