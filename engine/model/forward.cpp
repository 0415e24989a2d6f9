#include "assay/engine/forward.h"

#include "assay/base/error.h"
#include "assay/kernels/block_attention.h"
#include "assay/kernels/elementwise.h"
#include "assay/kernels/rms_norm.h"
#include "step.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay::engine {

Forward::Forward(const TextConfig& config, const TextWeights& weights, Compute compute, int threads)
    : parts_(new Parts{config, weights, compute, Workers(threads),
                       Rotation(config.rotary_dim, config.rope_theta)}) {
    if (config.block > kernels::kMaxBlock || config.head_dim > kernels::kMaxHeadDim)
        throw Error(ErrorKind::Unsupported,
                    fmt::format("the kernels hold blocks of up to {} tokens and heads of up to {} "
                                "dimensions, the model has {} and {}",
                                kernels::kMaxBlock, kernels::kMaxHeadDim, config.block,
                                config.head_dim));
}

Forward::~Forward() = default;

Forward::Step::Step(Parts& parts, std::span<const Chunk> chunks, Probe* probe)
    : p_(parts)
    , b_(parts.buffers)
    , c_(parts.config)
    , probe_(probe) {
    for (const Chunk& chunk : chunks) add_rows(chunk);
    rows_ = static_cast<std::int64_t>(row_.size());
    group_rows();
}

std::vector<float> Forward::Step::run(const Cancel& cancel) {
    embed();
    if (probe_ != nullptr) probe_->embeddings(rows_, b_.hidden.at(0));
    for (int layer = 0; layer < static_cast<int>(c_.layers.size()); ++layer) {
        cancel.check();
        trace_ = {};
        attention(layer);
        mlp(layer);
        if (probe_ == nullptr) continue;
        trace_.rows = rows_;
        trace_.hidden = b_.hidden.at(0);
        trace_.attention = b_.attention.at(0);
        trace_.mlp = b_.mlp.at(0);
        probe_->layer(layer, trace_);
    }
    return logits();
}

void Forward::Step::add_rows(const Chunk& chunk) {
    const Sequence& sequence = *chunk.sequence;
    const auto end = sequence.length() + static_cast<std::int64_t>(chunk.tokens.size());
    if (end > c_.max_positions)
        throw Error(ErrorKind::Input, fmt::format("{} tokens do not fit the model's context of {}",
                                                  end, c_.max_positions));
    if (sequence.cache().bf16() && !bf16())
        throw Error(ErrorKind::Internal, "a forward pass in float has a cache of bf16");
    if (end > static_cast<std::int64_t>(sequence.pages().size()) * sequence.cache().block())
        throw Error(ErrorKind::Model, "the cache has no room for the tokens of a sequence");
    const auto first = static_cast<std::int64_t>(row_.size());
    for (const GivenRows& given : chunk.given) {
        const auto width = static_cast<std::size_t>(c_.hidden);
        if (given.first < 0 || given.rows.size() % width != 0 ||
            static_cast<std::size_t>(given.first) + given.rows.size() / width > chunk.tokens.size())
            throw Error(ErrorKind::Internal, "given embeddings lie outside their chunk");
        given_.push_back({first + given.first, given.rows});
    }
    for (std::size_t i = 0; i < chunk.tokens.size(); ++i) {
        std::int32_t token = chunk.tokens[i];
        if (token < 0 || token >= c_.vocab)
            throw Error(ErrorKind::Input,
                        fmt::format("token {} is not in the vocabulary of {}", token, c_.vocab));
        bool last = i + 1 == chunk.tokens.size();
        row_.push_back({chunk.sequence, sequence.length() + static_cast<std::int64_t>(i),
                        chunk.logits == Logits::All || (chunk.logits == Logits::Last && last)});
        token_.push_back(token);
    }
}

void Forward::Step::embed() {
    const auto half = static_cast<std::int64_t>(p_.rotation.frequencies.size());
    b_.hidden.fit(count(c_.hidden), false);
    b_.cos.fit(count(half), false);
    b_.sin.fit(count(half), false);
    in_pieces(p_.workers, rows_, 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) {
            auto at = static_cast<std::size_t>(r);
            dequantise(p_.weights.embedding, token_[at], token_[at] + 1,
                       b_.hidden.at(r * c_.hidden));
            p_.rotation.angles(row_[at].position, b_.cos.at(r * half), b_.sin.at(r * half));
        }
    });
    for (const auto& [first, rows] : given_)
        std::copy(rows.begin(), rows.end(), b_.hidden.at(first * c_.hidden));
}

void Forward::Step::normalise(const Vector& weight, std::int64_t rows, const float* x, Rows& out) {
    const auto columns = static_cast<std::int64_t>(weight.size());
    out.fit(rows * columns, bf16());
    in_pieces(p_.workers, rows, std::max<std::int64_t>(1, kTaskValues / columns),
              [&](std::int64_t begin, std::int64_t end) {
                  float* to = out.at(begin * columns);
                  kernels::rms_norm_best(false)->run({x + begin * columns, weight.data(), to,
                                                      end - begin, columns, c_.norm_epsilon},
                                                     nullptr);
                  if (bf16())
                      kernels::elementwise_best().round(to, out.narrow_at(begin * columns),
                                                        (end - begin) * columns);
              });
}

Product Forward::Step::product(const Matrix& w, Rows& x, Rows& y) {
    y.fit(count(w.rows), bf16());
    return {&w, x.at(0), bf16() ? x.narrow_at(0) : nullptr, nullptr, rows_, y.at(0), bf16()};
}

void Forward::Step::multiply(std::span<const Product> products) {
    for (const Product& one : products) p_.weight_bytes += one.w->bytes();
    linear(p_.workers, products);
}

std::vector<float> Forward::Step::logits() {
    std::int64_t rows = 0;
    for (const Row& row : row_) rows += row.logits;
    if (rows == 0) return {};
    b_.last.fit(rows * c_.hidden, bf16());
    float* to = b_.last.at(0);
    for (std::size_t r = 0; r < row_.size(); ++r)
        if (row_[r].logits)
            to = std::copy_n(b_.hidden.at(static_cast<std::int64_t>(r) * c_.hidden), c_.hidden, to);
    normalise(p_.weights.norm, rows, b_.last.at(0), b_.last);
    if (probe_ != nullptr) probe_->final_norm(rows, b_.last.at(0));
    std::vector<float> out(static_cast<std::size_t>(rows * c_.vocab));
    const Product head{
        &p_.weights.head, b_.last.at(0), bf16() ? b_.last.narrow_at(0) : nullptr, nullptr, rows,
        out.data(),       false};
    multiply({&head, 1});
    return out;
}

ForwardWork Forward::work() const {
    return {parts_->weight_bytes, parts_->blocks};
}

std::vector<float> Forward::run(std::span<const Chunk> chunks, const Cancel& cancel, Probe* probe) {
    Step step(*parts_, chunks, probe);
    std::vector<float> out = step.run(cancel);
    for (const Chunk& chunk : chunks)
        chunk.sequence->advance(static_cast<std::int64_t>(chunk.tokens.size()));
    return out;
}

} // namespace assay::engine
