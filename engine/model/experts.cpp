// The second half of a layer: a gated product of all rows, or of the rows that chose each expert.
#include "assay/kernels/elementwise.h"
#include "assay/kernels/exponential.h"
#include "assay/kernels/select.h"
#include "step.h"

#include <algorithm>

namespace assay::engine {

void Forward::Step::mlp(int layer) {
    const LayerWeights& w = p_.weights.layers[static_cast<std::size_t>(layer)];
    normalise(w.post_norm, rows_, b_.hidden.at(0), b_.x);
    b_.mlp.fit(count(c_.hidden), false);
    parts_.clear();
    const bool experts = c_.layers[static_cast<std::size_t>(layer)].experts;
    const bool shared = experts && !w.shared.gate.empty();
    if (experts) {
        route(w);
        sort_by_expert(w);
        if (shared) parts_.push_back({&w.shared, nullptr, rows_, 0, 0});
    } else {
        parts_.push_back({&w.dense, nullptr, rows_, 0, 0});
    }
    gated();
    in_pieces(p_.workers, rows_, std::max<std::int64_t>(1, kTaskValues / c_.hidden),
              [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t r = begin; r < end; ++r) {
                      float* out = b_.mlp.at(r * c_.hidden);
                      if (experts)
                          sum_experts(shared, r);
                      else
                          std::copy_n(b_.expert_out.at(r * c_.hidden), c_.hidden, out);
                      kernels::elementwise_best().add(b_.hidden.at(r * c_.hidden), out, c_.hidden,
                                                      bf16());
                  }
              });
}

void Forward::Step::route(const LayerWeights& w) {
    const auto k = static_cast<std::int64_t>(c_.experts_per_token);
    Product router = product(w.router, b_.x, b_.router);
    router.narrow = nullptr; // in float in both modes
    router.round = false;
    multiply({&router, 1});
    b_.expert.resize(static_cast<std::size_t>(rows_ * k));
    b_.expert_weight.resize(static_cast<std::size_t>(rows_ * k));
    in_pieces(p_.workers, rows_, std::max<std::int64_t>(1, 2048 / c_.experts),
              [&](std::int64_t begin, std::int64_t end) {
                  thread_local std::vector<float> score;
                  score.resize(static_cast<std::size_t>(c_.experts));
                  for (std::int64_t r = begin; r < end; ++r) {
                      for (std::size_t e = 0; e < score.size(); ++e)
                          score[e] = kernels::logistic(b_.router.at(r * c_.experts)[e]);
                      std::int32_t* chosen = b_.expert.data() + r * k;
                      float* weight = b_.expert_weight.data() + r * k;
                      kernels::select_experts(score, w.routing_bias,
                                              {chosen, static_cast<std::size_t>(k)});
                      float sum = 0;
                      for (std::int64_t i = 0; i < k; ++i)
                          sum += score[static_cast<std::size_t>(chosen[i])];
                      for (std::int64_t i = 0; i < k; ++i)
                          weight[i] = score[static_cast<std::size_t>(chosen[i])] / sum;
                  }
              });
    trace_.experts = b_.expert.data();
    trace_.expert_weights = b_.expert_weight.data();
    trace_.router_logits = b_.router.at(0);
}

// Gives each choice of a row a slot, so that the slots of an expert lie side by side.
void Forward::Step::sort_by_expert(const LayerWeights& w) {
    std::vector<std::int32_t> next(w.experts.size() + 1, 0);
    for (std::int32_t e : b_.expert) ++next[static_cast<std::size_t>(e) + 1];
    for (std::size_t e = 1; e < next.size(); ++e) next[e] += next[e - 1];
    const std::vector<std::int32_t> first = next;
    b_.slot.resize(b_.expert.size());
    b_.slot_row.resize(b_.expert.size());
    for (std::size_t i = 0; i < b_.expert.size(); ++i) {
        b_.slot[i] = next[static_cast<std::size_t>(b_.expert[i])]++;
        b_.slot_row[static_cast<std::size_t>(b_.slot[i])] =
            static_cast<std::int32_t>(i) / c_.experts_per_token;
    }
    for (std::size_t e = 0; e < w.experts.size(); ++e)
        if (first[e] != first[e + 1])
            parts_.push_back(
                {&w.experts[e], b_.slot_row.data() + first[e], first[e + 1] - first[e], 0, 0});
}

// gate, up and swiglu of all parts together, then down of all.
void Forward::Step::gated() {
    std::int64_t inner = 0, out = 0;
    std::vector<Product> down;
    std::vector<std::int64_t> tasks = {0}; // of the parts before
    for (Part& part : parts_) {
        const Matrix& gate = part.w->gate;
        p_.weight_bytes += gate.bytes() + part.w->up.bytes();
        part.inner = inner;
        part.out = out;
        inner += part.m * gate.rows;
        out += part.m * c_.hidden;
        tasks.push_back(tasks.back() + (gate.rows + piece_of(gate) - 1) / piece_of(gate));
    }
    b_.gate.fit(inner, bf16());
    b_.up.fit(inner, false);
    b_.expert_out.fit(out, false);
    p_.workers.run(tasks.back(), [&](std::int64_t task) {
        const auto at = std::upper_bound(tasks.begin(), tasks.end(), task) - tasks.begin() - 1;
        const Part& part = parts_[static_cast<std::size_t>(at)];
        const Matrix& gate = part.w->gate;
        const std::int64_t begin = (task - tasks[static_cast<std::size_t>(at)]) * piece_of(gate);
        activate(part, begin, std::min(gate.rows, begin + piece_of(gate)));
    });
    for (const Part& part : parts_)
        down.push_back({&part.w->down, b_.gate.at(part.inner),
                        bf16() ? b_.gate.narrow_at(part.inner) : nullptr, nullptr, part.m,
                        b_.expert_out.at(part.out), bf16()});
    multiply(down);
}

// Columns begin .. end of a part's inner values.
void Forward::Step::activate(const Part& part, std::int64_t begin, std::int64_t end) {
    const kernels::Elementwise& op = kernels::elementwise_best();
    const std::int64_t width = part.w->gate.rows;
    const kernels::Bf16Bits* narrow = bf16() ? b_.x.narrow_at(0) : nullptr;
    linear_piece(
        {&part.w->gate, b_.x.at(0), narrow, part.rows, part.m, b_.gate.at(part.inner), bf16()},
        begin, end);
    linear_piece({&part.w->up, b_.x.at(0), narrow, part.rows, part.m, b_.up.at(part.inner), bf16()},
                 begin, end);
    for (std::int64_t i = 0; i < part.m; ++i) {
        const std::int64_t at = part.inner + i * width + begin;
        op.swiglu({b_.gate.at(at), b_.up.at(at), b_.gate.at(at), end - begin, c_.swiglu_alpha,
                   c_.swiglu_limit, bf16()});
        if (bf16()) op.round(b_.gate.at(at), b_.gate.narrow_at(at), end - begin);
    }
}

// In ascending order of the experts, then the shared one.
void Forward::Step::sum_experts(bool shared, std::int64_t r) {
    const kernels::Elementwise& op = kernels::elementwise_best();
    const auto k = static_cast<std::int64_t>(c_.experts_per_token);
    float* sum = b_.mlp.at(r * c_.hidden);
    std::fill_n(sum, c_.hidden, 0.0f);
    for (std::int64_t i = r * k; i < (r + 1) * k; ++i)
        op.accumulate(sum, b_.expert_weight[static_cast<std::size_t>(i)],
                      b_.expert_out.at(b_.slot[static_cast<std::size_t>(i)] * c_.hidden),
                      c_.hidden);
    thread_local std::vector<float> total;
    total.assign(static_cast<std::size_t>(c_.hidden), 0.0f);
    if (shared) std::copy_n(b_.expert_out.at((rows_ * k + r) * c_.hidden), c_.hidden, total.data());
    op.accumulate(total.data(), c_.routed_scale, sum, c_.hidden);
    if (bf16()) op.round(total.data(), nullptr, c_.hidden);
    std::copy(total.begin(), total.end(), sum);
}

} // namespace assay::engine
