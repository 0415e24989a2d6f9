// The operations of a vision layer that the text model does not have. Rows are shared out among the
// workers; the result of a row depends on it alone.
#pragma once

#include "assay/engine/forward.h"
#include "assay/engine/weights.h"
#include "model/ops.h"

namespace assay::engine {

// out = (x - mean) / sqrt(variance + epsilon) * weight + bias over rows of weight.size() values;
// may be in place. Mean and variance are sums in 16 lanes (value i in lane i % 16, ascending),
// folded in halves; the variance is of the differences from the mean.
void layer_norm(Workers& workers, const LayerNormWeights& weights, float epsilon, Compute compute,
                const float* x, std::int64_t rows, float* out);

// y = W x + b
void affine(Workers& workers, const Affine& weights, Compute compute, const float* x,
            std::int64_t rows, float* y);

// x (1 + erf(x / sqrt 2)) / 2, in place.
void gelu(Workers& workers, Compute compute, std::int64_t count, float* x);

// A quotient of polynomials, within 5e-7 of erf; the C library's is not the same everywhere.
float error_function(float x);

} // namespace assay::engine
