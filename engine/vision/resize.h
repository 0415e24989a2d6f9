// The size that a picture gets, and its pixels at that size.
#pragma once

#include "assay/engine/image.h"

namespace assay::engine {

struct SizeLimits {
    std::int64_t least = 0, most = 0; // pixels
    int factor = 0;                   // both sides are multiples of it
};

// Qwen's smart_resize: sides to the nearest multiple (halves to the even one), the area within the
// limits, the proportions kept. Throws Error(Input) if one side is over 200 times the other.
ImageSize target_size(ImageSize size, const SizeLimits& limits, const std::string& name);

// Bicubic (a = -0.5), antialiased, bit for bit as PyTorch's 8-bit code: rows first, rounded to 8
// bits, then columns, weights in 16 bits. Pillow has 22 bits, and since version 13 goes columns
// first where that is cheaper.
Image resize(Image image, ImageSize size);

} // namespace assay::engine
