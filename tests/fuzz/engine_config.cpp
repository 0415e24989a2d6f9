// config.json comes with the weights: any text is a config whose numbers fit one another, or an
// Error. The input is read as a config, and as changes to a good one, so that few bytes reach far.
#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/engine/config.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdlib>

namespace {

void check(bool holds) {
    if (!holds) std::abort();
}

void check(const assay::engine::TextConfig& text) {
    check(text.hidden > 0 && text.vocab > 0 && text.head_dim > 0 && !text.layers.empty());
    check(text.kv_heads > 0 && text.heads % text.kv_heads == 0);
    check(text.rotary_dim > 0 && text.rotary_dim % 2 == 0 && text.rotary_dim <= text.head_dim);
    check(text.norm_epsilon > 0 && text.rope_theta >= 1 && text.max_positions > 0);
    check(text.swiglu_alpha > 0 && text.swiglu_limit > 0);
    for (const assay::engine::LayerKind& kind : text.layers) {
        if (kind.experts)
            check(text.expert_width > 0 && text.experts_per_token > 0 &&
                  text.experts_per_token <= text.experts);
        else
            check(text.dense_width > 0);
        if (kind.sparse)
            check(text.block > 0 && text.index_heads == text.kv_heads && text.local_blocks > 0 &&
                  text.init_blocks + text.local_blocks <= text.top_blocks &&
                  text.rotary_dim <= text.index_dim);
    }
}

void check_config(std::string_view text) {
    try {
        auto config = assay::engine::parse_config(text, "f");
        check(config.text);
        if (config.vision)
            check(config.vision->heads > 0 && config.vision->hidden % config.vision->heads == 0 &&
                  config.vision->image_token < config.text.vocab);
    } catch (const assay::Error&) {
    }
}

using Json = nlohmann::json;

constexpr const char* kGood = R"({"hidden_size":8,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":8,"intermediate_size":8,"dense_intermediate_size":8,
"shared_intermediate_size":8,"vocab_size":16,"rms_norm_eps":1e-6,"rope_theta":100,"rotary_dim":4,
"max_position_embeddings":64,"swiglu_alpha":1.7,"swiglu_limit":7,"num_local_experts":4,
"num_experts_per_tok":2,"n_shared_experts":1,"routed_scaling_factor":2,"moe_layer_freq":[0,1],
"sparse_attention_config":{"sparse_attention_freq":[0,1],"sparse_num_index_heads":2,
"sparse_index_dim":8,"sparse_block_size":4,"sparse_topk_blocks":4,"sparse_init_block":1,
"sparse_local_block":1}})";

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    check_config(text);
    Json changes = assay::parse_json<Json>(text);
    if (changes.is_object()) {
        static const Json good = Json::parse(kGood);
        Json changed = good;
        changed.merge_patch(changes);
        check_config(changed.dump(-1, ' ', true, Json::error_handler_t::replace));
    }
    return 0;
}
