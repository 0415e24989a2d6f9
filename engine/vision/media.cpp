#include "media.h"

#include "codecs.h"

#include <fmt/format.h>

namespace assay::engine {

namespace {

// Of all frames of a video, at the size that the model sees: what they take of memory.
constexpr std::int64_t kMostVideoPixels = 1 << 28;
constexpr ImageLimits kFrameLimits = {.bytes = 16u << 20, .side = 8192, .pixels = 1 << 24};
constexpr double kTimeSlack = 1e-4; // seconds, as the reference has it

ImageSize checked_target(ImageSize size, const std::string& name, const PixelSettings& settings) {
    if (settings.resize) return target_size(size, settings.limits, name);
    const int factor = settings.limits.factor;
    if (size.width % factor != 0 || size.height % factor != 0 ||
        std::int64_t{size.width} * size.height > settings.limits.most)
        refuse_image(name, fmt::format("{} x {} pixels", size.width, size.height),
                     fmt::format("the checkpoint says do_resize false: both sides must be "
                                 "multiples of {}, and {} pixels are the most",
                                 factor, settings.limits.most));
    return size;
}

Digest digest_of(const Media& media) {
    Sha256 hash;
    hash.update(fmt::format("{} {} {} {}\n", media.kind == MediaKind::Image ? "image" : "video",
                            media.grid.frames, media.grid.rows, media.grid.columns));
    for (const Image& frame : media.frames) hash.update(std::as_bytes(std::span(frame.rgb)));
    return hash.finish();
}

void finish(Media& media, const VisionConfig& config) {
    const ImageSize size = media.frames.front().size;
    const auto frames = static_cast<int>(media.frames.size());
    media.grid = {(frames + config.temporal_patch - 1) / config.temporal_patch,
                  size.height / config.patch, size.width / config.patch};
    media.group_tokens =
        std::int64_t{media.grid.rows / config.merge} * (media.grid.columns / config.merge);
    media.digest = digest_of(media);
}

std::vector<std::int64_t> checked_indices(const VideoFrames& frames, const std::string& name) {
    std::vector<std::int64_t> indices = frames.indices;
    if (indices.empty())
        for (std::size_t i = 0; i < frames.files.size(); ++i)
            indices.push_back(static_cast<std::int64_t>(i));
    if (frames.files.empty()) refuse_image(name, "a video without frames", "give one or more");
    if (indices.size() != frames.files.size())
        refuse_image(name,
                     fmt::format("{} frames and {} indices", frames.files.size(), indices.size()),
                     "give one index for each frame, or none at all");
    for (std::size_t i = 0; i < indices.size(); ++i)
        if (indices[i] < 0 || (i > 0 && indices[i] <= indices[i - 1]))
            refuse_image(name, fmt::format("index {} of a frame", indices[i]),
                         "indices count frames of the source from 0, in ascending order");
    if (!(frames.fps >= 0 && frames.fps <= 1e6))
        refuse_image(name, fmt::format("{} frames a second", frames.fps),
                     "give the rate of the source, or 0 if it is not known");
    return indices;
}

// Places in `indices`: the first, then always the next that is far enough from the last.
std::vector<std::size_t> kept_frames(const std::vector<std::int64_t>& indices, double fps,
                                     const VideoSettings& settings) {
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < indices.size(); ++i) {
        const bool all = !settings.sample || fps <= 0 || kept.empty();
        if (all || static_cast<double>(indices[i] - indices[kept.back()]) / fps >=
                       1 / settings.fps - kTimeSlack)
            kept.push_back(i);
    }
    return kept;
}

} // namespace

Media image_media(std::string_view file, const std::string& name, const PixelSettings& settings,
                  const VisionConfig& config) {
    const ImageSize target = checked_target(image_size(file, name), name, settings);
    Media media;
    media.frames.push_back(resize(decode_image(file, name), target));
    finish(media, config);
    return media;
}

Media video_media(const VideoFrames& frames, const std::string& name, const VideoSettings& settings,
                  const VisionConfig& config) {
    const std::vector<std::int64_t> indices = checked_indices(frames, name);
    const std::vector<std::size_t> kept = kept_frames(indices, frames.fps, settings);
    if (kept.size() > static_cast<std::size_t>(settings.most_frames))
        refuse_image(name, fmt::format("{} frames", kept.size()),
                     fmt::format("a video may have {}: leave some out", settings.most_frames));
    Media media;
    media.kind = MediaKind::Video;
    ImageSize first, target;
    for (std::size_t i : kept) {
        const std::string frame = fmt::format("{}, frame {}", name, i);
        const ImageSize size = image_size(frames.files[i], frame, kFrameLimits);
        if (media.frames.empty()) {
            first = size;
            target = checked_target(size, frame, settings.pixels);
            if (std::int64_t{target.width} * target.height >
                kMostVideoPixels / static_cast<std::int64_t>(kept.size()))
                refuse_image(name,
                             fmt::format("{} frames of {} x {} pixels", kept.size(), target.width,
                                         target.height),
                             fmt::format("all together may have {} pixels", kMostVideoPixels));
        }
        if (size != first)
            refuse_image(frame, fmt::format("{} x {} pixels", size.width, size.height),
                         fmt::format("all frames must have the size of the first, {} x {}",
                                     first.width, first.height));
        media.frames.push_back(resize(decode_image(frames.files[i], frame, kFrameLimits), target));
    }
    finish(media, config);
    if (frames.fps > 0)
        for (std::size_t i = 0; i < kept.size();
             i += static_cast<std::size_t>(config.temporal_patch))
            media.seconds.push_back(static_cast<double>(indices[kept[i]]) / frames.fps);
    return media;
}

Normaliser::Normaliser(const PixelSettings& settings) {
    // As the reference has it: 1 / 255 is taken into mean and deviation, in floats.
    for (std::size_t c = 0; c < 3; ++c) {
        const auto mean = static_cast<float>(settings.mean[c]) * 255.0f;
        const auto deviation = static_cast<float>(settings.deviation[c]) * 255.0f;
        for (std::size_t byte = 0; byte < 256; ++byte)
            of_byte[c][byte] = (static_cast<float>(byte) - mean) / deviation;
    }
}

PatchPlace place_of(const PatchGrid& grid, int merge, std::int64_t patch) {
    const auto step = [&](std::int64_t size) {
        const std::int64_t at = patch % size;
        patch /= size;
        return static_cast<int>(at);
    };
    const int column = step(merge), row = step(merge);
    const int block_column = step(grid.columns / merge), block_row = step(grid.rows / merge);
    return {static_cast<int>(patch), block_row * merge + row, block_column * merge + column};
}

void write_patches(const Media& media, const Normaliser& values, const VisionConfig& config,
                   std::int64_t begin, std::int64_t end, float* out) {
    const auto side = static_cast<std::size_t>(config.patch);
    for (std::int64_t patch = begin; patch < end; ++patch) {
        const PatchPlace at = place_of(media.grid, config.merge, patch);
        for (std::size_t channel = 0; channel < 3; ++channel)
            for (int t = 0; t < config.temporal_patch; ++t) {
                const auto frame = static_cast<std::size_t>(at.frame) *
                                       static_cast<std::size_t>(config.temporal_patch) +
                                   static_cast<std::size_t>(t);
                const Image& image = media.frames[std::min(frame, media.frames.size() - 1)];
                const auto width = static_cast<std::size_t>(image.size.width);
                const std::uint8_t* in =
                    image.rgb.data() + (static_cast<std::size_t>(at.row) * side * width +
                                        static_cast<std::size_t>(at.column) * side) *
                                           3;
                for (std::size_t y = 0; y < side; ++y)
                    for (std::size_t x = 0; x < side; ++x)
                        *out++ = values.of_byte[channel][in[(y * width + x) * 3 + channel]];
            }
    }
}

} // namespace assay::engine
