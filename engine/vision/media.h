// From files to Media: decoded, brought to size, counted; and from Media to patches.
#pragma once

#include "assay/engine/vision.h"
#include "settings.h"

namespace assay::engine {

Media image_media(std::string_view file, const std::string& name, const PixelSettings& settings,
                  const VisionConfig& config);
Media video_media(const VideoFrames& frames, const std::string& name, const VideoSettings& settings,
                  const VisionConfig& config);

// Values of each channel for the bytes 0 to 255.
struct Normaliser {
    explicit Normaliser(const PixelSettings& settings);
    std::array<std::array<float, 256>, 3> of_byte;
};

// Patches `begin` to `end` of a medium. Patches that are merged stand side by side: (frame, row /
// merge, column / merge, row in it, column in it); the values of one are (channel, time, row,
// column). The last frame of a group that is short is repeated.
void write_patches(const Media& media, const Normaliser& values, const VisionConfig& config,
                   std::int64_t begin, std::int64_t end, float* out);

struct PatchPlace {
    int frame, row, column; // in the grid
};
PatchPlace place_of(const PatchGrid& grid, int merge, std::int64_t patch);

} // namespace assay::engine
