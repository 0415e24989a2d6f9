// One pass over the layers, in parts: forward.cpp has the frame, attention.cpp and experts.cpp the
// halves of a layer.
#pragma once

#include "assay/engine/forward.h"
#include "assay/kernels/fold_block.h"
#include "ops.h"

#include <atomic>

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
    Rows state, best; // of attention: maxima and sums; block maxima of the indexer
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
    std::uint64_t weight_bytes = 0;
    std::atomic<std::uint64_t> blocks = 0;
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
    // Consecutive rows of one sequence, whose attention is computed together.
    struct Group {
        const Sequence* sequence;
        std::int64_t first, rows, position; // position: of the first row
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
    void multiply(std::span<const Product> products);

    void attention(int layer);
    void begin_trace();
    void heads(int layer, const LayerWeights& w, std::int64_t r);
    void turn_heads(const Vector& weight, Rows& x, std::int64_t r, int number, int dim);
    void remember(int layer, std::int64_t r);
    void group_rows();
    std::int64_t visible(std::int64_t r) const; // blocks that a row sees
    bool ranked(std::int64_t r) const;          // whether the indexer's order matters to it
    void rank(int layer);
    void rank_block(int layer, const Group& group, std::int64_t b);
    void choose(const Group& group, int kv_head, std::vector<std::int32_t>& chosen);
    void attend(int layer, bool sparse, const Group& group, int kv_head);
    kernels::CachedBlock cached(const Group& group, int layer, std::int64_t b, int kv_head) const;
    static const void* query(const PageCache& cache, Rows& q, std::int64_t value);

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
    std::vector<Group> groups_;
    std::vector<std::int64_t> best_; // of each row: where its block maxima begin
    std::vector<std::vector<std::vector<std::int32_t>>> blocks_;
    std::vector<std::vector<std::vector<float>>> scores_;
    LayerTrace trace_;
};

} // namespace assay::engine
