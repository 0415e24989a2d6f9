// How pictures are prepared: preprocessor_config.json and video_preprocessor_config.json.
#pragma once

#include "assay/base/fs.h"
#include "assay/engine/config.h"
#include "resize.h"

#include <array>

namespace assay::engine {

struct PixelSettings {
    SizeLimits limits;
    bool resize = true; // false: frames must fit as they are
    std::array<double, 3> mean = {0.48145466, 0.4578275, 0.40821073};
    std::array<double, 3> deviation = {0.26862954, 0.26130258, 0.27577711};
};

struct VideoSettings {
    PixelSettings pixels;
    int most_frames = 768;
    bool sample = false; // keep only frames that are at least 1 / fps apart
    double fps = 1;
};

struct VisionSettings {
    PixelSettings image;
    VideoSettings video;
};

// A file that is absent leaves the defaults. Throws Error(Input) for values that are absurd, and
// for steps that are not computed here.
VisionSettings read_vision_settings(FileSystem& files, const Path& folder,
                                    const VisionConfig& config);

} // namespace assay::engine
