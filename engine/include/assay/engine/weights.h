// A checkpoint's tensors by their place in the model, whatever they are called and however they are
// packed in the files. Everything points into the map of the files: nothing is copied but what has
// to be (norms with their +1, biases).
#pragma once

#include "assay/engine/config.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace assay::engine {

enum class Format : std::uint8_t { F32, Bf16, Mxfp8, Nvfp4 };
std::string_view to_string(Format format);

// y = W x. Rows are outputs; row-major without gaps.
//   Mxfp8: e4m3 [rows, columns], scales e8m0 [rows, columns / 32], which multiply
//   Nvfp4: e2m1 [rows, columns / 2], low nibble first, scales e4m3 [rows, columns / 16]; `scale`
//          multiplies (the inverse of a global scale that divides)
struct Matrix {
    Format format = Format::F32;
    std::int64_t rows = 0, columns = 0;
    const std::byte* data = nullptr;
    const std::byte* scales = nullptr;
    float scale = 1;

    bool empty() const { return data == nullptr; }
    std::uint64_t bytes() const; // in the file, the scales of blocks included
    Matrix slice(std::int64_t begin, std::int64_t count) const; // some of the rows
};

// Exact: BF16 and MXFP8 values are floats; an NVFP4 value is e2m1 * (e4m3 * scale), each product
// rounded once. `out` has (end - begin) * columns values.
void dequantise(const Matrix& matrix, std::int64_t begin, std::int64_t end, float* out);

using Vector = std::vector<float>;

struct MlpWeights {
    Matrix gate, up, down;
};

struct LayerWeights {
    Vector input_norm, post_norm, q_norm, k_norm; // 1 is added
    Matrix q, k, v, o;
    Vector index_q_norm, index_k_norm; // sparse layers
    Matrix index_q, index_k;
    MlpWeights dense; // without experts
    Matrix router;    // F32 or BF16 in the file
    Vector routing_bias;
    std::vector<MlpWeights> experts;
    MlpWeights shared;
};

struct TextWeights {
    Matrix embedding, head; // the same matrix if tied
    Vector norm;
    std::vector<LayerWeights> layers;
};

struct Affine { // W x + b
    Matrix weight;
    Vector bias; // empty: none
};
struct LayerNormWeights {
    Vector weight, bias;
};

struct VisionLayerWeights {
    LayerNormWeights norm1, norm2;
    Affine q, k, v, out, fc1, fc2;
};

struct VisionWeights {
    Matrix patch; // [hidden, channels * time * row * column]
    LayerNormWeights pre_norm;
    std::vector<VisionLayerWeights> layers;
    Affine project1, project2, merge1, merge2;
};

struct Weights {
    TextWeights text;
    std::optional<VisionWeights> vision;
};

} // namespace assay::engine
