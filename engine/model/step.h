// One pass over the layers, in parts: forward.cpp has the frame, attention.cpp and experts.cpp the
// halves of a layer.
#pragma once

#include "assay/engine/forward.h"
#include "ops.h"

#include <string>

namespace assay::engine {

// Activations of rows: floats, and the same as bf16 where weights in BF16 are multiplied.
struct Rows {
    std::vector<float> wide;
    std::vector<kernels::Bf16Bits> narrow;

    void fit(std::int64_t values, bool both) { // never shrinks: it is used again
        const auto size = static_cast<std::size_t>(values);
        if (wide.size() < size) wide.resize(size);
        if (both && narrow.size() < size) narrow.resize(size);
    }
    float* at(std::int64_t value) { return wide.data() + value; }
    kernels::Bf16Bits* narrow_at(std::int64_t value) {
        return narrow.empty() ? nullptr : narrow.data() + value;
    }
};

// Kept from pass to pass, so that memory is touched once.
struct Buffers {
    Rows hidden, x, q, k, v, index_q, index_k, mixed, attention, mlp;
    Rows gate, up, router, expert_out;
    Rows cos, sin, last;
    std::vector<std::int32_t> expert, slot, slot_row;
    std::vector<float> expert_weight;
};

struct Forward::Parts {
    const TextConfig& config;
    const TextWeights& weights;
    Compute compute;
    Workers workers;
    Rotation rotation;
    Buffers buffers{};
};

class Forward::Step {
  public:
    Step(Parts& parts, std::span<const Chunk> chunks, Probe* probe);
    std::vector<float> run(const Cancel& cancel);

  private:
    struct Row {
        Sequence* sequence;
        std::int64_t position;
        bool logits;
    };
    // A gated product of some rows: an expert, or the MLP of a layer without.
    struct Part {
        const MlpWeights* w;
        const std::int32_t* rows;   // of x, nullptr: all
        std::int64_t m, inner, out; // where its values begin in gate and up, and in expert_out
    };

    bool bf16() const { return p_.compute == Compute::Bf16; }
    std::int64_t count(std::int64_t columns) const { return rows_ * columns; }

    void add_rows(const Chunk& chunk);
    void embed();
    std::vector<float> logits();
    // Of rows of weight.size() values, rounded where the mode says so; may be in place.
    void normalise(const Vector& weight, std::int64_t rows, const float* x, Rows& out);
    Product product(const Matrix& w, Rows& x, Rows& y);

    void attention(int layer);
    void heads(int layer, const LayerWeights& w, std::int64_t r);
    void turn_heads(const Vector& weight, Rows& x, std::int64_t r, int number, int dim);
    void remember(int layer, std::int64_t r);
    void attend(int layer, bool sparse, std::int64_t r, int kv_head);
    void choose(int layer, const Row& row, std::int64_t r, int kv_head,
                std::vector<std::int32_t>& chosen);

    void mlp(int layer);
    void route(const LayerWeights& w);
    void sort_by_expert(const LayerWeights& w);
    void gated();
    void activate(const Part& part, std::int64_t begin, std::int64_t end);
    void sum_experts(bool shared, std::int64_t r);

    Parts& p_;
    Buffers& b_;
    const TextConfig& c_;
    Probe* probe_;
    std::vector<Row> row_;
    std::vector<std::int32_t> token_;
    std::vector<GivenRows> given_; // first: of the step's rows
    std::int64_t rows_ = 0;
    std::vector<Part> parts_;
    std::vector<std::vector<std::vector<std::int32_t>>> blocks_;
    std::vector<std::vector<std::vector<float>>> scores_;
    LayerTrace trace_;
};

} // namespace assay::engine
