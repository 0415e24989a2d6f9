#include "names.h"

#include <algorithm>
#include <unordered_set>

namespace assay::engine {

namespace {

using NameSet = std::unordered_set<std::string_view>;

void take_first(const NameSet& names, std::initializer_list<const char*> prefixes,
                std::initializer_list<const char*> probes, std::string& out) {
    for (const char* prefix : prefixes)
        for (const char* probe : probes)
            if (names.contains(std::string(prefix) + probe)) {
                out = prefix;
                return;
            }
}

} // namespace

bool Names::ignorable(std::string_view name) const {
    if (name.starts_with(text + "mtp.") || name.starts_with("mtp.")) return true;
    for (std::string_view end :
         {".input_scale", ".input_global_scale", ".k_scale", ".v_scale", ".rotary_emb.inv_freq"})
        if (name.ends_with(end)) return true;
    return false;
}

Names find_names(const std::vector<Tensor>& tensors) {
    Names out;
    NameSet names;
    auto any = [&](std::string_view part) {
        return std::any_of(tensors.begin(), tensors.end(), [&](const Tensor& tensor) {
            return tensor.name.find(part) != std::string::npos;
        });
    };
    for (const Tensor& tensor : tensors) names.insert(tensor.name);

    take_first(names,
               {"language_model.model.", "model.language_model.model.", "model.language_model.",
                "model.", ""},
               {"embed_tokens.weight", "norm.weight"}, out.text);
    if (out.text != "language_model.model.") out.head = "lm_head.weight";
    take_first(names, {"language_model.lm_head.", "model.language_model.lm_head.", "lm_head."},
               {"weight", "weight_packed"}, out.head);
    if (!out.head.ends_with("weight")) out.head += "weight";
    if (any(".self_attn.indexer.")) out.index = "self_attn.indexer.";
    if (!any(".block_sparse_moe.") && any(".mlp.experts.")) {
        out.moe = "mlp.";
        out.routing_bias = "gate.e_score_correction_bias";
    }
    if (any(".experts.0.gate_proj.")) {
        out.gate = "gate_proj";
        out.up = "up_proj";
        out.down = "down_proj";
    }
    out.fused = any(".gate_up_proj.weight");
    out.stacked = any(".experts.gate_up_proj");

    out.vision = any("vision_tower.");
    take_first(names,
               {"vision_tower.vision_model.", "model.vision_tower.vision_model.",
                "model.vision_tower.", "vision_tower."},
               {"pre_layrnorm.weight", "pre_layrnorm.bias"}, out.tower);
    if (any("vision_tower.layers.")) out.tower_layers = "layers.";
    take_first(names, {"multi_modal_projector.linear_", "model.multi_modal_projector.linear_"},
               {"1.weight", "2.weight"}, out.projector);
    take_first(names,
               {"patch_merge_mlp.linear_", "model.patch_merge_mlp.linear_",
                "model.multi_modal_projector.merge_linear_", "multi_modal_projector.merge_linear_"},
               {"1.weight", "2.weight"}, out.merge);
    if (names.contains(out.tower + "embeddings.proj.weight")) out.patch = "embeddings.proj.weight";
    return out;
}

} // namespace assay::engine
