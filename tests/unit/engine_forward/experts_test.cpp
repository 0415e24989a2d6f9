// The sum of the experts, bit for bit: each row once more, by the references of the kernels.
#include "assay/engine/forward.h"
#include "assay/kernels/elementwise.h"
#include "assay/kernels/linear.h"
#include "assay/kernels/rms_norm.h"
#include "catch.h"
#include "random_model.h"

#include <cstring>
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
    Model() { config.experts_per_token = 4; }

    Values part(const MlpWeights& w, const Values& x) const {
        Values gate = multiplied(w.gate, x);
        const Values up = multiplied(w.up, x);
        kernels::kElementwiseReference.swiglu({gate.data(), up.data(), gate.data(), w.gate.rows,
                                               config.swiglu_alpha, config.swiglu_limit, false});
        return multiplied(w.down, gate);
    }

    // `order`: of the chosen experts.
    Values sum(const LayerWeights& w, Values x, const std::int32_t* experts, const float* weights,
               const Ids& order) const {
        kernels::rms_norm_reference(
            {x.data(), w.post_norm.data(), x.data(), 1, config.hidden, config.norm_epsilon},
            nullptr);
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
};

// Counts the rows whose sum has the bits of one in a given order.
class Sums final : public Probe {
  public:
    Sums(const Model& model, Ids order)
        : model_(model)
        , order_(std::move(order)) {}

    void embeddings(std::int64_t count, const float* hidden) override { keep(count, hidden); }
    void final_norm(std::int64_t, const float*) override {}
    void layer(int layer, const LayerTrace& trace) override {
        const std::int64_t width = model_.config.hidden;
        for (std::int64_t r = 0; trace.experts != nullptr && r < trace.rows; ++r) {
            Values x(before_.begin() + r * width, before_.begin() + (r + 1) * width);
            for (std::size_t i = 0; i < x.size(); ++i)
                x[i] += trace.attention[static_cast<std::size_t>(r * width) + i];
            const Values want =
                model_.sum(model_.random.weights.layers[static_cast<std::size_t>(layer)], x,
                           trace.experts + 4 * r, trace.expert_weights + 4 * r, order_);
            ++rows;
            equal +=
                std::memcmp(want.data(), trace.mlp + r * width, want.size() * sizeof(float)) == 0;
        }
        keep(trace.rows, trace.hidden);
    }

    int rows = 0, equal = 0;

  private:
    void keep(std::int64_t count, const float* hidden) {
        before_.assign(hidden, hidden + count * model_.config.hidden);
    }

    const Model& model_;
    const Ids order_;
    Values before_;
};

} // namespace

TEST_CASE("experts are summed in ascending order, then scaled and added to the shared one") {
    const Model model;
    Forward forward(model.config, model.random.weights, Compute::F32, 2);
    PageCache cache(model.config, 20 * PageCache::bytes_of_page(model.config));
    Ids ids(30);
    std::iota(ids.begin(), ids.end(), 1);
    auto sums = [&](const Ids& order) {
        Sequence sequence(cache);
        sequence.reserve(30);
        const Chunk chunk{&sequence, ids, Logits::None};
        Sums out(model, order);
        forward.run({&chunk, 1}, Cancel(), &out);
        return out;
    };
    const Sums right = sums({0, 1, 2, 3});
    CHECK(right.rows == 60); // of two layers
    CHECK(right.equal == 60);
    CHECK(sums({3, 2, 1, 0}).equal < 30); // another order is noticed
}
