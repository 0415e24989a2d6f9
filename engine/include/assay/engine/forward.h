// The text model: tokens in, logits out, keys and values into the cache.
//
// A row's results depend on its sequence alone: neither on what else is in the batch, nor on how
// the tokens before it were cut into chunks, nor on the number of threads. The orders of summation
// that make it so are in the contracts of the kernels; experts are summed in ascending order.
#pragma once

#include "assay/base/cancel.h"
#include "assay/engine/cache.h"
#include "assay/engine/config.h"
#include "assay/engine/weights.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace assay::engine {

enum class Logits : std::uint8_t { None, Last, All };

// Embeddings that are given instead of looked up: features of pictures at their placeholders.
struct GivenRows {
    std::int64_t first = 0;        // of the chunk's tokens
    std::span<const float> rows{}; // [n, hidden]
};

struct Chunk {
    Sequence* sequence = nullptr; // has room for the tokens, see Sequence::reserve
    std::span<const std::int32_t> tokens;
    Logits logits = Logits::Last;
    std::vector<GivenRows> given{};
};

// What a layer did to the rows of a batch; valid during the call.
struct LayerTrace {
    std::int64_t rows = 0;
    const float* hidden = nullptr;                    // [rows, hidden] after the layer
    const float *attention = nullptr, *mlp = nullptr; // what was added to it
    // Sparse layers: [kv head][row] -> chosen blocks; scores of all that the row sees, unscaled.
    const std::vector<std::vector<std::vector<std::int32_t>>>* blocks = nullptr;
    const std::vector<std::vector<std::vector<float>>>* block_scores = nullptr;
    // Layers with experts: [rows, experts_per_token], the same, [rows, experts].
    const std::int32_t* experts = nullptr;
    const float *expert_weights = nullptr, *router_logits = nullptr;
};

class Probe {
  public:
    virtual ~Probe() = default;
    virtual void embeddings(std::int64_t rows, const float* hidden) = 0;
    virtual void layer(int layer, const LayerTrace& trace) = 0;
    virtual void final_norm(std::int64_t rows, const float* hidden) = 0; // rows with logits
};

// What the passes of a Forward have read, in all: neither depends on the machine.
struct ForwardWork {
    std::uint64_t weight_bytes = 0; // a matrix once a pass, however many rows it is multiplied with
    std::uint64_t blocks = 0;       // of the cache, once for all rows that attend to it together
};

class Forward {
  public:
    // Refers to both, which must live longer.
    Forward(const TextConfig& config, const TextWeights& weights, Compute compute, int threads);
    ~Forward();

    // Appends the chunks' tokens to their sequences and returns the logits asked for, [rows,
    // vocab], in the order of the chunks. Cancelled between layers: the sequences are as before.
    // One call at a time.
    std::vector<float> run(std::span<const Chunk> chunks, const Cancel& cancel,
                           Probe* probe = nullptr);
    ForwardWork work() const; // not during a call

  private:
    class Step;
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

} // namespace assay::engine
