// Router and sum of the experts, bit for bit: each row once more, by the references of the kernels.
#include "assay/engine/forward.h"
#include "assay/kernels/elementwise.h"
#include "assay/kernels/linear.h"
#include "assay/kernels/rms_norm.h"
#include "catch.h"
#include "random_model.h"

#include <cstring>
#include <deque>
#include <functional>
#include <numeric>

using namespace assay;
using namespace assay::engine;

namespace {

using Values = std::vector<float>;
using Ids = std::vector<std::int32_t>;

Values multiplied(const Matrix& w, const Values& x) {
    Values y(static_cast<std::size_t>(w.rows));
    kernels::LinearArgs args{
        x.data(), nullptr, kernels::WeightType::F32, y.data(), 1, w.rows, w.columns, w.columns,
        w.rows,   nullptr};
    args.w = w.data;
    if (w.format == Format::Bf16) args.type = kernels::WeightType::Bf16;
    kernels::linear_reference(args);
    return y;
}

struct Model {
    Model() {
        config.experts_per_token = 4;
        for (LayerWeights& layer : random.weights.layers)
            if (!layer.router.empty()) narrow(layer.router);
    }

    void narrow(Matrix& w) { // to bf16, as in a checkpoint
        Values wide(static_cast<std::size_t>(w.rows * w.columns));
        dequantise(w, 0, w.rows, wide.data());
        std::vector<kernels::Bf16Bits>& bits = memory.emplace_back();
        for (float value : wide) bits.push_back(kernels::to_bf16(value));
        w.format = Format::Bf16;
        w.data = reinterpret_cast<const std::byte*>(bits.data());
    }

    Values part(const MlpWeights& w, const Values& x) const {
        Values gate = multiplied(w.gate, x);
        const Values up = multiplied(w.up, x);
        kernels::kElementwiseReference.swiglu({gate.data(), up.data(), gate.data(), w.gate.rows,
                                               config.swiglu_alpha, config.swiglu_limit, false});
        return multiplied(w.down, gate);
    }

    // `order`: of the chosen experts.
    Values sum(const LayerWeights& w, const Values& x, const std::int32_t* experts,
               const float* weights, const Ids& order) const {
        Values routed(x.size()), all = part(w.shared, x);
        const auto accumulate = kernels::kElementwiseReference.accumulate;
        for (std::int32_t i : order) {
            const Values one = part(w.experts[static_cast<std::size_t>(experts[i])], x);
            accumulate(routed.data(), weights[i], one.data(), config.hidden);
        }
        accumulate(all.data(), config.routed_scale, routed.data(), config.hidden);
        return all;
    }

    TextConfig config = engine::test::small_config();
    engine::test::RandomModel random{config};
    std::deque<std::vector<kernels::Bf16Bits>> memory{};
};

struct RowWithExperts {
    const LayerWeights& w;
    const Values& x; // what router and experts multiply
    const std::int32_t* experts;
    const float *weights, *router, *mlp;
};

// Calls `seen` for each row of each layer with experts.
class Rows final : public Probe {
  public:
    using Seen = std::function<void(const RowWithExperts&)>;

    Rows(const Model& model, Compute compute, Seen seen)
        : c_(model.config)
        , weights_(model.random.weights)
        , compute_(compute)
        , seen_(std::move(seen)) {}

    void embeddings(std::int64_t count, const float* hidden) override { keep(count, hidden); }
    void final_norm(std::int64_t, const float*) override {}
    void layer(int layer, const LayerTrace& trace) override {
        const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer)];
        for (std::int64_t r = 0; trace.experts != nullptr && r < trace.rows; ++r) {
            const std::int64_t at = r * c_.hidden;
            Values x(before_.begin() + at, before_.begin() + at + c_.hidden);
            const auto& op = kernels::kElementwiseReference;
            op.add(x.data(), trace.attention + at, c_.hidden, compute_ == Compute::Bf16);
            kernels::rms_norm_reference(
                {x.data(), w.post_norm.data(), x.data(), 1, c_.hidden, c_.norm_epsilon}, nullptr);
            if (compute_ == Compute::Bf16) op.round(x.data(), nullptr, c_.hidden);
            const std::int64_t k = c_.experts_per_token;
            seen_({w, x, trace.experts + k * r, trace.expert_weights + k * r,
                   trace.router_logits + c_.experts * r, trace.mlp + at});
        }
        keep(trace.rows, trace.hidden);
    }

  private:
    void keep(std::int64_t count, const float* hidden) {
        before_.assign(hidden, hidden + count * c_.hidden);
    }

    const TextConfig& c_;
    const TextWeights& weights_;
    const Compute compute_;
    const Seen seen_;
    Values before_;
};

void for_each_row(const Model& model, Compute compute, const Rows::Seen& seen) {
    Forward forward(model.config, model.random.weights, compute, 2);
    PageCache cache(model.config, 20 * PageCache::bytes_of_page(model.config));
    Ids ids(30);
    std::iota(ids.begin(), ids.end(), 1);
    Sequence sequence(cache);
    REQUIRE(sequence.reserve(30));
    const Chunk chunk{&sequence, ids, Logits::None};
    Rows rows(model, compute, seen);
    forward.run({&chunk, 1}, Cancel(), &rows);
}

bool same_bits(const Values& want, const float* got) {
    return std::memcmp(want.data(), got, want.size() * sizeof(float)) == 0;
}

} // namespace

TEST_CASE("experts are summed in ascending order, then scaled and added to the shared one") {
    const Model model;
    int rows = 0, equal = 0, descending = 0;
    for_each_row(model, Compute::F32, [&](const RowWithExperts& row) {
        auto sum = [&](const Ids& order) {
            return model.sum(row.w, row.x, row.experts, row.weights, order);
        };
        ++rows;
        equal += same_bits(sum({0, 1, 2, 3}), row.mlp);
        descending += same_bits(sum({3, 2, 1, 0}), row.mlp);
    });
    CHECK(rows == 60); // of two layers
    CHECK(equal == 60);
    CHECK(descending < 30); // another order is noticed
}

TEST_CASE("the router computes in float, in a pass of bf16 too") {
    const Model model;
    int equal = 0, rounded = 0;
    for_each_row(model, Compute::Bf16, [&](const RowWithExperts& row) {
        Values want = multiplied(row.w.router, row.x);
        equal += same_bits(want, row.router);
        kernels::kElementwiseReference.round(want.data(), nullptr, std::ssize(want));
        rounded += same_bits(want, row.router);
    });
    CHECK(equal == 60);
    CHECK(rounded == 0);
}
