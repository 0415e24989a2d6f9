// Vision layers and projector: patches of one segment in, features out.
//
// A segment is what sees itself alone: a picture, or up to segment_frames groups of frames of a
// video, in which time starts at 0. Attention is that of kernels/block_attention over blocks of
// kBlock patches, all rows seeing all blocks.
#pragma once

#include "assay/base/cancel.h"
#include "layers.h"
#include "media.h"

namespace assay::engine {

class Tower {
  public:
    // Refers to both, which must live longer.
    Tower(const VisionConfig& config, const VisionWeights& weights, Compute compute, int threads);

    // Writes patches `begin` to `end` of the segment to `out`; called by several threads at once.
    using Patches = std::function<void(std::int64_t begin, std::int64_t end, float* out)>;

    // Appends the segment's features, and what `trace` wants. `grid` has its frames alone.
    void run(const PatchGrid& grid, const Patches& patches, const Cancel& cancel,
             std::vector<float>& features, VisionTrace* trace);

  private:
    using Buffer = std::vector<float>;

    void begin(const PatchGrid& grid, const Patches& patches, VisionTrace* trace);
    void attention(const VisionLayerWeights& layer);
    void rotate(Buffer& heads);
    void pack();
    void attend(std::int64_t head, std::int64_t first, std::int64_t count);
    void mlp(const VisionLayerWeights& layer);
    void project(Buffer& features);
    void two_layers(const Affine& first, const Affine& second, const float* x, std::int64_t rows,
                    Buffer& inner, float* y);

    const VisionConfig& c_;
    const VisionWeights& w_;
    const Compute compute_;
    Workers workers_;
    std::vector<float> patch_weight_; // rounded, where the file has it in another type
    Matrix patch_;
    std::int64_t rows_ = 0, blocks_ = 0;
    int head_dim_, angles_; // angles of a row, of all three axes
    Buffer hidden_, x_, q_, k_, v_, mixed_, added_, inner_, cos_, sin_, keys_, values_;
};

} // namespace assay::engine
