// Operations on rows of activations, shared out among the workers.
#pragma once

#include "assay/engine/forward.h"
#include "assay/kernels/bf16.h"
#include "workers.h"

namespace assay::engine {

// y [m, rows of W] = x [m, columns of W] W^T; quantised weights are widened a few rows at a time.
void linear(Workers& workers, const Matrix& w, const float* x, std::int64_t m, float* y);

void add(Workers& workers, Compute compute, const float* y, std::int64_t count, float* x); // x += y
void round(Workers& workers, Compute compute, std::int64_t count, float* x); // bf16 or nothing

// One of the products that an operation consists of.
struct Product {
    const Matrix* w = nullptr;
    const float* x = nullptr;
    const kernels::Bf16Bits* narrow = nullptr; // the same as x; nullptr: multiply floats
    const std::int32_t* rows = nullptr;        // of x, nullptr: 0 .. m - 1
    std::int64_t m = 0;
    float* y = nullptr; // [m, rows of W]
    bool round = false; // y to bf16
};

// All of them, shared out together. A product with `narrow` and weights in BF16 multiplies those;
// else the weights are widened to floats.
void linear(Workers& workers, std::span<const Product> products);

std::int64_t piece_of(const Matrix& w); // rows of W that a task takes
void linear_piece(const Product& product, std::int64_t begin, std::int64_t end); // rows of W

// body(begin, end) for pieces of 0 .. count.
void in_pieces(Workers& workers, std::int64_t count, std::int64_t piece,
               const std::function<void(std::int64_t, std::int64_t)>& body);

inline constexpr std::int64_t kTaskValues = 1 << 14; // of activations that a task takes

// Angles of the rotation at a position: cos and sin, rotary_dim / 2 each. Frequency and angle are
// floats, as in the reference: at position 2,600 exact ones would differ by 1e-4.
struct Rotation {
    Rotation(int rotary_dim, double theta);
    void angles(std::int64_t position, float* cosines, float* sines) const;
    std::vector<float> frequencies;
};

} // namespace assay::engine
