#include "mapping.h"

#include "binder.h"

#include <fmt/format.h>

namespace assay::engine {

namespace {

class Mapper {
  public:
    Mapper(const ModelConfig& config, const std::vector<Tensor>& tensors)
        : config_(config)
        , text_(config.text)
        , names_(find_names(tensors))
        , binder_(tensors) {}

    Mapping map(const std::string& where);

  private:
    Vector norm(const std::string& name, std::int64_t size) {
        return binder_.vector("norms", name + ".weight", size, 1); // stored around 0
    }
    void map_text();
    void map_attention(const std::string& at, LayerWeights& out);
    void map_indexer(const std::string& at, LayerWeights& out);
    void map_experts(const std::string& at, LayerWeights& out);
    MlpWeights mlp(std::string_view kind, const std::string& at, std::int64_t width);
    std::vector<MlpWeights> stacked(const std::string& at);
    void map_vision(const VisionConfig& vision);
    Affine affine(const std::string& name, std::int64_t out, std::int64_t in);
    LayerNormWeights layer_norm(const std::string& name, std::int64_t size);

    const ModelConfig& config_;
    const TextConfig& text_;
    Names names_;
    Binder binder_;
    Weights weights_;
};

Mapping Mapper::map(const std::string& where) {
    map_text();
    if (config_.vision && names_.vision) map_vision(*config_.vision);
    Mapping out;
    out.inventory = binder_.finish(names_, where);
    out.used = binder_.used();
    out.weights = std::move(weights_);
    return out;
}

void Mapper::map_text() {
    TextWeights& out = weights_.text;
    Shape table = {text_.vocab, text_.hidden};
    out.embedding = binder_.linear("embeddings", names_.text + "embed_tokens.weight", table);
    if (text_.tied_embeddings) {
        out.head = out.embedding;
        binder_.ignore(names_.head);
    } else {
        out.head = binder_.linear("embeddings", names_.head, table);
    }
    out.norm = norm(names_.text + "norm", text_.hidden);
    for (std::size_t i = 0; i < text_.layers.size(); ++i) {
        LayerWeights& layer = out.layers.emplace_back();
        std::string at = fmt::format("{}layers.{}.", names_.text, i);
        layer.input_norm = norm(at + "input_layernorm", text_.hidden);
        layer.post_norm = norm(at + "post_attention_layernorm", text_.hidden);
        map_attention(at + "self_attn.", layer);
        if (text_.layers[i].sparse) map_indexer(at + names_.index, layer);
        if (text_.layers[i].experts)
            map_experts(at + names_.moe, layer);
        else
            layer.dense = mlp("dense MLP", at + "mlp.", text_.dense_width);
    }
}

void Mapper::map_attention(const std::string& at, LayerWeights& out) {
    std::int64_t heads = std::int64_t{text_.heads} * text_.head_dim;
    std::int64_t kv_heads = std::int64_t{text_.kv_heads} * text_.head_dim;
    auto linear = [&](const char* name, std::int64_t rows, std::int64_t columns) {
        return binder_.linear("attention", at + name, {rows, columns});
    };
    out.q = linear("q_proj.weight", heads, text_.hidden);
    out.k = linear("k_proj.weight", kv_heads, text_.hidden);
    out.v = linear("v_proj.weight", kv_heads, text_.hidden);
    out.o = linear("o_proj.weight", text_.hidden, heads);
    out.q_norm = norm(at + "q_norm", text_.head_dim);
    out.k_norm = norm(at + "k_norm", text_.head_dim);
}

void Mapper::map_indexer(const std::string& at, LayerWeights& out) {
    std::int64_t heads = std::int64_t{text_.index_heads} * text_.index_dim;
    out.index_q = binder_.linear("indexer", at + "q_proj.weight", {heads, text_.hidden});
    out.index_k = binder_.linear("indexer", at + "k_proj.weight", {text_.index_dim, text_.hidden});
    out.index_q_norm = norm(at + "q_norm", text_.index_dim);
    out.index_k_norm = norm(at + "k_norm", text_.index_dim);
}

MlpWeights Mapper::mlp(std::string_view kind, const std::string& at, std::int64_t width) {
    MlpWeights out;
    if (names_.fused) {
        Matrix both = binder_.linear(kind, at + "gate_up_proj.weight", {2 * width, text_.hidden});
        out.gate = both.slice(0, width);
        out.up = both.slice(width, width);
    } else {
        out.gate = binder_.linear(kind, at + "gate_proj.weight", {width, text_.hidden});
        out.up = binder_.linear(kind, at + "up_proj.weight", {width, text_.hidden});
    }
    out.down = binder_.linear(kind, at + "down_proj.weight", {text_.hidden, width});
    return out;
}

std::vector<MlpWeights> Mapper::stacked(const std::string& at) {
    std::int64_t width = text_.expert_width, hidden = text_.hidden;
    Matrix both =
        binder_.linear("experts", at + "gate_up_proj", {text_.experts, 2 * width, hidden});
    Matrix down = binder_.linear("experts", at + "down_proj", {text_.experts, hidden, width});
    std::vector<MlpWeights> out;
    for (std::int64_t e = 0; e < text_.experts; ++e)
        out.push_back({.gate = both.slice(2 * e * width, width),
                       .up = both.slice((2 * e + 1) * width, width),
                       .down = down.slice(e * hidden, hidden)});
    return out;
}

void Mapper::map_experts(const std::string& at, LayerWeights& out) {
    std::int64_t width = text_.expert_width;
    out.router = binder_.plain("router", at + "gate.weight", {text_.experts, text_.hidden});
    if (text_.routing_bias)
        out.routing_bias = binder_.vector("router", at + names_.routing_bias, text_.experts);
    if (names_.stacked) {
        out.experts = stacked(at + "experts.");
    } else {
        for (int e = 0; e < text_.experts; ++e) {
            auto linear = [&](const std::string& name, std::int64_t rows, std::int64_t columns) {
                return binder_.linear("experts", fmt::format("{}experts.{}.{}.weight", at, e, name),
                                      {rows, columns});
            };
            out.experts.push_back({.gate = linear(names_.gate, width, text_.hidden),
                                   .up = linear(names_.up, width, text_.hidden),
                                   .down = linear(names_.down, text_.hidden, width)});
        }
    }
    if (text_.shared_experts > 0)
        out.shared = mlp("shared expert", at + "shared_experts.", text_.shared_width);
}

Affine Mapper::affine(const std::string& name, std::int64_t out, std::int64_t in) {
    return {.weight = binder_.plain("vision", name + ".weight", {out, in}),
            .bias = binder_.vector("vision", name + ".bias", out)};
}

LayerNormWeights Mapper::layer_norm(const std::string& name, std::int64_t size) {
    return {.weight = binder_.vector("vision", name + ".weight", size),
            .bias = binder_.vector("vision", name + ".bias", size)};
}

void Mapper::map_vision(const VisionConfig& vision) {
    VisionWeights& out = weights_.vision.emplace();
    std::int64_t size = vision.hidden, width = vision.width, text = text_.hidden;
    out.patch =
        binder_.plain("vision", names_.tower + names_.patch,
                      {size, vision.channels, vision.temporal_patch, vision.patch, vision.patch});
    out.pre_norm = layer_norm(names_.tower + "pre_layrnorm", size); // spelt so in the release
    for (int i = 0; i < vision.layers; ++i) {
        std::string at = fmt::format("{}{}{}.", names_.tower, names_.tower_layers, i);
        VisionLayerWeights& layer = out.layers.emplace_back();
        layer.norm1 = layer_norm(at + "layer_norm1", size);
        layer.norm2 = layer_norm(at + "layer_norm2", size);
        layer.q = affine(at + "self_attn.q_proj", size, size);
        layer.k = affine(at + "self_attn.k_proj", size, size);
        layer.v = affine(at + "self_attn.v_proj", size, size);
        layer.out = affine(at + "self_attn.out_proj", size, size);
        layer.fc1 = affine(at + "mlp.fc1", width, size);
        layer.fc2 = affine(at + "mlp.fc2", size, width);
    }
    std::int64_t merged = text * vision.merge * vision.merge;
    out.project1 = affine(names_.projector + "1", vision.projector_width, size);
    out.project2 = affine(names_.projector + "2", text, vision.projector_width);
    out.merge1 = affine(names_.merge + "1", vision.projector_width, merged);
    out.merge2 = affine(names_.merge + "2", text, vision.projector_width);
}

} // namespace

Mapping map_tensors(const ModelConfig& config, const std::vector<Tensor>& tensors,
                    const std::string& where) {
    return Mapper(config, tensors).map(where);
}

} // namespace assay::engine
