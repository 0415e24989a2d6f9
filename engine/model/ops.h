// Operations on rows of activations, shared out among the workers.
#pragma once

#include "assay/engine/forward.h"
#include "workers.h"

namespace assay::engine {

// y [m, rows of W] = x [m, columns of W] W^T; quantised weights are widened a few rows at a time.
void linear(Workers& workers, const Matrix& w, const float* x, std::int64_t m, float* y);

// out[r] = norm(x[r]) with `weight`, over groups of weight.size() values; may be in place.
void norm(Workers& workers, const Vector& weight, float epsilon, const float* x, std::int64_t rows,
          float* out);

// out = (up + 1) * (gate * logistic(alpha * gate)) with gate at most `limit` and up within it.
void swiglu(Workers& workers, float alpha, float limit, Compute compute, const float* gate,
            const float* up, std::int64_t count, float* out);

// x = x + y
void add(Workers& workers, Compute compute, const float* y, std::int64_t count, float* x);

void round(Workers& workers, Compute compute, std::int64_t count, float* x); // bf16 or nothing

// Angles of the rotation at a position: cos and sin, rotary_dim / 2 each. Frequency and angle are
// floats, as in the reference: at position 2,600 exact ones would differ by 1e-4.
struct Rotation {
    Rotation(int rotary_dim, double theta);
    void angles(std::int64_t position, float* cosines, float* sines) const;
    // Turns the first rotary_dim values of a head, pairs (j, j + rotary_dim / 2).
    void turn(const float* cosines, const float* sines, float* head) const;
    std::vector<float> frequencies;
};

} // namespace assay::engine
