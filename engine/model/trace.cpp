#include "assay/engine/trace.h"

#include "assay/base/error.h"
#include "safetensors_writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::engine {

std::string SafetensorsWriter::finish() {
    // The widest first: so every tensor begins at a multiple of its element's size, without gaps.
    std::sort(tensors_.begin(), tensors_.end(), [](const Tensor& a, const Tensor& b) {
        return a.element != b.element ? a.element > b.element : a.name < b.name;
    });
    std::string header, body;
    for (const Tensor& one : tensors_) {
        header +=
            fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                        header.empty() ? "{" : ",", one.name, one.dtype, fmt::join(one.shape, ","),
                        body.size(), body.size() + one.bytes.size());
        body += one.bytes;
    }
    header += '}';
    header.resize((header.size() + 7) / 8 * 8, ' ');
    std::string out;
    for (std::uint64_t size = header.size(), i = 0; i < 8; ++i)
        out += static_cast<char>(size >> (8 * i));
    return out + header + body;
}

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// [layers, rows, columns] that is filled layer by layer, chunk by chunk.
struct Stack {
    std::vector<std::vector<float>> layers;
    void add(std::size_t layer, const float* from, std::int64_t columns,
             const std::vector<std::int64_t>& rows) {
        if (layers.size() <= layer) layers.resize(layer + 1);
        for (std::int64_t row : rows)
            layers[layer].insert(layers[layer].end(), from + row * columns,
                                 from + (row + 1) * columns);
    }
    std::vector<float> flat() const {
        std::vector<float> out;
        for (const auto& layer : layers) out.insert(out.end(), layer.begin(), layer.end());
        return out;
    }
};

struct Recorder final : Probe {
    Recorder(const TextConfig& text, std::vector<std::int64_t> wanted, bool with_layers)
        : config(text)
        , rows(std::move(wanted))
        , keep_layers(with_layers) {}

    void begin_chunk(std::int64_t first, std::int64_t count) {
        offset = first;
        kept.clear();
        for (std::int64_t row : rows)
            if (row >= first && row < first + count) kept.push_back(row - first);
    }
    void embeddings(std::int64_t, const float* data) override {
        sparse_seen = experts_seen = 0;
        if (keep_layers) hidden.add(0, data, config.hidden, kept);
    }
    void layer(int number, const LayerTrace& trace) override {
        if (!keep_layers) return;
        const auto at = static_cast<std::size_t>(number);
        hidden.add(at + 1, trace.hidden, config.hidden, kept);
        attention.add(at, trace.attention, config.hidden, kept);
        mlp.add(at, trace.mlp, config.hidden, kept);
        if (trace.blocks != nullptr) add_blocks(trace, sparse_seen++);
        if (trace.experts == nullptr) return;
        const std::size_t layer = experts_seen++;
        weights.add(layer, trace.expert_weights, config.experts_per_token, kept);
        router.add(layer, trace.router_logits, config.experts, kept);
        if (experts.size() <= layer) experts.resize(layer + 1);
        for (std::int64_t i = 0; i < trace.rows * config.experts_per_token; ++i)
            experts[layer].push_back(static_cast<std::int16_t>(trace.experts[i]));
    }
    void final_norm(std::int64_t, const float* data) override {
        if (in_prompt) last.add(0, data, config.hidden, kept);
    }

    void add_blocks(const LayerTrace& trace, std::size_t layer) {
        const auto heads = static_cast<std::size_t>(config.kv_heads);
        if (blocks.size() < (layer + 1) * heads) {
            blocks.resize((layer + 1) * heads);
            margins.resize((layer + 1) * heads);
            scores.resize((layer + 1) * heads);
        }
        for (std::size_t h = 0; h < heads; ++h) {
            const std::size_t at = layer * heads + h;
            for (std::size_t r = 0; r < static_cast<std::size_t>(trace.rows); ++r) {
                const auto& chosen = (*trace.blocks)[h][r];
                const auto& score = (*trace.block_scores)[h][r];
                for (int i = 0; i < config.top_blocks; ++i) {
                    const auto n = static_cast<std::size_t>(i);
                    blocks[at].push_back(n < chosen.size() ? static_cast<std::int16_t>(chosen[n])
                                                           : std::int16_t{-1});
                }
                margins[at].push_back(margin(chosen, score));
            }
            for (std::int64_t r : kept)
                scores[at].push_back((*trace.block_scores)[h][static_cast<std::size_t>(r)]);
        }
    }

    // Worst chosen block that was not forced against the best that was left out.
    float margin(const std::vector<std::int32_t>& chosen, const std::vector<float>& score) const {
        const auto count = static_cast<int>(score.size());
        if (static_cast<int>(chosen.size()) == count) return kInfinity;
        float worst = kInfinity, best = -kInfinity;
        for (int b = 0; b < count; ++b) {
            float one = score[static_cast<std::size_t>(b)];
            bool forced = b < config.init_blocks || b >= count - config.local_blocks;
            if (std::binary_search(chosen.begin(), chosen.end(), b))
                worst = forced ? worst : std::min(worst, one);
            else
                best = std::max(best, one);
        }
        return worst - best;
    }

    const TextConfig& config;
    const std::vector<std::int64_t> rows;
    const bool keep_layers;
    bool in_prompt = true;
    std::int64_t offset = 0;
    std::vector<std::int64_t> kept; // rows of the chunk
    std::size_t sparse_seen = 0, experts_seen = 0;
    Stack hidden, attention, mlp, last, weights, router;
    std::vector<std::vector<std::int16_t>> blocks, experts; // [sparse layer * kv head], [layer]
    std::vector<std::vector<float>> margins;
    std::vector<std::vector<std::vector<float>>> scores; // of the kept rows
};

struct Distribution {
    explicit Distribution(std::span<const float> logits)
        : logits_(logits)
        , max_(*std::max_element(logits.begin(), logits.end())) {
        double sum = 0;
        for (float one : logits) sum += std::exp(static_cast<double>(one) - max_);
        log_sum_ = std::log(sum);
    }
    float logprob(std::int32_t id) const {
        return static_cast<float>(logits_[static_cast<std::size_t>(id)] - max_ - log_sum_);
    }
    std::int32_t best() const {
        return static_cast<std::int32_t>(std::max_element(logits_.begin(), logits_.end()) -
                                         logits_.begin());
    }
    float margin() const { // between the two best
        float first = -kInfinity, second = -kInfinity;
        for (float one : logits_) {
            second = std::max(second, std::min(first, one));
            first = std::max(first, one);
        }
        return first - second;
    }

  private:
    std::span<const float> logits_;
    double max_, log_sum_ = 0;
};

class Tracer {
  public:
    Tracer(const Checkpoint& checkpoint, std::span<const std::int32_t> ids,
           const TraceOptions& options)
        : config_(checkpoint.config().text)
        , ids_(ids)
        , options_(options)
        , recorder_(config_, rows_of(ids, options), options.layers)
        , forward_(config_, checkpoint.weights().text, options.compute, options.threads)
        , cache_(config_, budget(config_, ids.size() + static_cast<std::size_t>(options.greedy)),
                 options.compute)
        , sequence_(cache_) {}

    std::string run(const Cancel& cancel) {
        sequence_.reserve(static_cast<std::int64_t>(ids_.size()) + options_.greedy);
        const auto total = static_cast<std::int64_t>(ids_.size());
        for (std::int64_t first = 0; first < total; first += options_.chunk)
            prompt(first, std::min<std::int64_t>(options_.chunk, total - first), cancel);
        recorder_.in_prompt = false;
        greedy(cancel);
        write();
        return writer_.finish();
    }

  private:
    static std::vector<std::int64_t> rows_of(std::span<const std::int32_t> ids,
                                             const TraceOptions& options) {
        const auto total = static_cast<std::int64_t>(ids.size());
        if (total == 0) throw Error(ErrorKind::Input, "the prompt has no token");
        std::vector<std::int64_t> rows;
        if (!options.rows)
            for (std::int64_t i = 0; i < total; ++i) rows.push_back(i);
        else
            rows = *options.rows;
        for (std::int64_t row : rows)
            if (row < 0 || row >= total)
                throw Error(ErrorKind::Input,
                            fmt::format("row {} is not in the prompt of {} tokens", row, total));
        std::sort(rows.begin(), rows.end());
        rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
        return rows;
    }

    static std::uint64_t budget(const TextConfig& config, std::size_t tokens) {
        return (tokens + 1) * PageCache::bytes_of_page(config); // more than enough: only touched
    } // pages cost memory

    void prompt(std::int64_t first, std::int64_t count, const Cancel& cancel) {
        recorder_.begin_chunk(first, count);
        Chunk chunk{&sequence_,
                    ids_.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)),
                    Logits::All, given_in(first, count)};
        logits_ = forward_.run({&chunk, 1}, cancel, &recorder_);
        for (std::int64_t i = 0; i < count; ++i) {
            std::span<const float> row = row_of_logits(i);
            if (first + i + 1 < static_cast<std::int64_t>(ids_.size()))
                prompt_logprobs_.push_back(
                    Distribution(row).logprob(ids_[static_cast<std::size_t>(first + i + 1)]));
            if (std::binary_search(recorder_.kept.begin(), recorder_.kept.end(), i))
                kept_logits_.insert(kept_logits_.end(), row.begin(), row.end());
        }
        const std::span<const float> end = row_of_logits(count - 1);
        next_.assign(end.begin(), end.end());
    }

    // The part of the given rows that lies in a chunk.
    std::vector<GivenRows> given_in(std::int64_t first, std::int64_t count) const {
        std::vector<GivenRows> out;
        const auto width = static_cast<std::int64_t>(config_.hidden);
        for (const GivenRows& given : options_.given) {
            const auto rows = static_cast<std::int64_t>(given.rows.size()) / width;
            const std::int64_t begin = std::max(first, given.first);
            const std::int64_t end = std::min(first + count, given.first + rows);
            if (begin >= end) continue;
            out.push_back(
                {begin - first,
                 given.rows.subspan(static_cast<std::size_t>((begin - given.first) * width),
                                    static_cast<std::size_t>((end - begin) * width))});
        }
        return out;
    }

    std::span<const float> row_of_logits(std::int64_t row) const {
        const auto width = static_cast<std::size_t>(config_.vocab);
        return {logits_.data() + static_cast<std::size_t>(row) * width, width};
    }

    void greedy(const Cancel& cancel) {
        for (int i = 0; i < options_.greedy; ++i) {
            Distribution now(next_);
            greedy_ids_.push_back(now.best());
            greedy_logprobs_.push_back(now.logprob(now.best()));
            greedy_margin_.push_back(now.margin());
            if (i + 1 == options_.greedy) return;
            Chunk chunk{&sequence_, {&greedy_ids_.back(), 1}, Logits::Last};
            next_ = forward_.run({&chunk, 1}, cancel);
        }
    }

    void floats(std::string_view name, const std::vector<std::int64_t>& shape,
                const std::vector<float>& values) {
        writer_.add(name, "F32", shape, std::span<const float>(values));
    }

    void write() {
        const auto kept = static_cast<std::int64_t>(recorder_.rows.size());
        const auto tokens = static_cast<std::int64_t>(ids_.size());
        std::vector<std::int32_t> rows(recorder_.rows.begin(), recorder_.rows.end());
        writer_.add("rows", "I32", {kept}, std::span<const std::int32_t>(rows));
        writer_.add("logit_rows", "I32", {kept}, std::span<const std::int32_t>(rows));
        floats("final_norm", {kept, config_.hidden}, recorder_.last.flat());
        floats("logits", {kept, config_.vocab}, kept_logits_);
        floats("prompt_logprobs", {tokens - 1}, prompt_logprobs_);
        const auto greedy = static_cast<std::int64_t>(greedy_ids_.size());
        writer_.add("greedy_ids", "I32", {greedy}, std::span<const std::int32_t>(greedy_ids_));
        floats("greedy_logprobs", {greedy}, greedy_logprobs_);
        floats("greedy_margin", {greedy}, greedy_margin_);
        if (options_.layers) write_layers(kept, tokens);
    }

    void write_layers(std::int64_t kept, std::int64_t tokens) {
        const auto layers = static_cast<std::int64_t>(config_.layers.size());
        floats("hidden", {layers + 1, kept, config_.hidden}, recorder_.hidden.flat());
        floats("attn_out", {layers, kept, config_.hidden}, recorder_.attention.flat());
        floats("mlp_out", {layers, kept, config_.hidden}, recorder_.mlp.flat());
        if (!recorder_.blocks.empty()) write_blocks(kept, tokens);
        if (recorder_.experts.empty()) return;
        const auto with_experts = static_cast<std::int64_t>(recorder_.experts.size());
        std::vector<std::int16_t> ids;
        for (const auto& layer : recorder_.experts)
            ids.insert(ids.end(), layer.begin(), layer.end());
        writer_.add("router_ids", "I16", {with_experts, tokens, config_.experts_per_token},
                    std::span<const std::int16_t>(ids));
        floats("router_weights", {with_experts, kept, config_.experts_per_token},
               recorder_.weights.flat());
        floats("router_logits", {with_experts, kept, config_.experts}, recorder_.router.flat());
    }

    void write_blocks(std::int64_t kept, std::int64_t tokens) {
        const std::int64_t heads = config_.kv_heads;
        const auto sparse = static_cast<std::int64_t>(recorder_.blocks.size()) / heads;
        const std::int64_t most = (tokens - 1) / cache_.block() + 1;
        std::vector<std::int16_t> blocks;
        std::vector<float> margins, scores;
        for (std::size_t i = 0; i < recorder_.blocks.size(); ++i) {
            blocks.insert(blocks.end(), recorder_.blocks[i].begin(), recorder_.blocks[i].end());
            margins.insert(margins.end(), recorder_.margins[i].begin(), recorder_.margins[i].end());
            for (const std::vector<float>& row : recorder_.scores[i]) {
                scores.insert(scores.end(), row.begin(), row.end());
                scores.resize(scores.size() + static_cast<std::size_t>(most) - row.size(),
                              -kInfinity);
            }
        }
        writer_.add("blocks", "I16", {sparse, heads, tokens, config_.top_blocks},
                    std::span<const std::int16_t>(blocks));
        floats("block_margin", {sparse, heads, tokens}, margins);
        floats("block_scores", {sparse, heads, kept, most}, scores);
    }

    const TextConfig& config_;
    std::span<const std::int32_t> ids_;
    const TraceOptions options_;
    Recorder recorder_;
    Forward forward_;
    PageCache cache_;
    Sequence sequence_;
    SafetensorsWriter writer_;
    std::vector<float> logits_, kept_logits_, next_, prompt_logprobs_, greedy_logprobs_,
        greedy_margin_;
    std::vector<std::int32_t> greedy_ids_;
};

} // namespace

std::string trace(const Checkpoint& checkpoint, std::span<const std::int32_t> ids,
                  const TraceOptions& options, const Cancel& cancel) {
    return Tracer(checkpoint, ids, options).run(cancel);
}

} // namespace assay::engine
