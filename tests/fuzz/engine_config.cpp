// config.json comes with the weights: any text is a config whose numbers fit one another, or an
// Error.
#include "assay/base/error.h"
#include "assay/engine/config.h"

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

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        auto config = assay::engine::parse_config({reinterpret_cast<const char*>(data), size}, "f");
        check(config.text);
        if (config.vision)
            check(config.vision->heads > 0 && config.vision->hidden % config.vision->heads == 0 &&
                  config.vision->image_token < config.text.vocab);
    } catch (const assay::Error&) {
    }
    return 0;
}
