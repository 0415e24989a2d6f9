#include "assay/engine/vision.h"

#include "assay/base/error.h"
#include "media.h"
#include "tower.h"

#include <fmt/format.h>

#include <mutex>

namespace assay::engine {

namespace {

class CheckpointVision final : public VisionModel {
  public:
    CheckpointVision(const Checkpoint& checkpoint, Compute compute, int threads)
        : config_(*checkpoint.config().vision)
        , settings_(settings_of(checkpoint))
        , image_values_(settings_.image)
        , video_values_(settings_.video.pixels)
        , tower_(config_, *checkpoint.weights().vision, compute, threads) {}

    Media prepare_image(std::string_view file, const std::string& name) const override {
        return image_media(file, name, settings_.image, config_);
    }
    Media prepare_video(const VideoFrames& frames, const std::string& name) const override {
        return video_media(frames, name, settings_.video, config_);
    }
    VisionPrompt encode(const Tokenizer& tokenizer, std::string_view text,
                        std::span<const Media> media) const override;
    std::vector<float> features(const Media& media, const Cancel& cancel,
                                VisionTrace* trace) override;

  private:
    static VisionSettings settings_of(const Checkpoint& checkpoint) {
        RealFileSystem files;
        return read_vision_settings(files, checkpoint.folder(), *checkpoint.config().vision);
    }

    void check(const Media& media) const; // its parts fit one another

    const VisionConfig& config_;
    const VisionSettings settings_;
    const Normaliser image_values_, video_values_;
    std::mutex mutex_;
    Tower tower_; // one call at a time
};

VisionPrompt CheckpointVision::encode(const Tokenizer& tokenizer, std::string_view text,
                                      std::span<const Media> media) const {
    for (auto [id, marker] : {std::pair{config_.image_token, "]<]image[>["},
                              std::pair{config_.video_token, "]<]video[>["}})
        if (tokenizer.id(marker) != id)
            throw Error(ErrorKind::Input, fmt::format("tokenizer.json has no token {} that is {}, "
                                                      "as config.json says",
                                                      id, marker))
                .hint("take both files of the same release");
    VisionPrompt out;
    out.ids = tokenizer.encode(expand_placeholders(text, media));
    out.spans = place_media(out.ids, media, config_);
    return out;
}

void CheckpointVision::check(const Media& media) const {
    const ImageSize size = {media.grid.columns * config_.patch, media.grid.rows * config_.patch};
    const auto pixels =
        static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.height);
    const auto frames = static_cast<int>(media.frames.size());
    bool good = size.width > 0 && size.height > 0 && media.grid.rows % config_.merge == 0 &&
                media.grid.columns % config_.merge == 0 &&
                media.grid.frames == (frames + config_.temporal_patch - 1) / config_.temporal_patch;
    for (const Image& frame : media.frames)
        good = good && frame.size == size && frame.rgb.size() == pixels * 3;
    if (!good) throw Error(ErrorKind::Internal, "frames do not fit the grid of their medium");
}

std::vector<float> CheckpointVision::features(const Media& media, const Cancel& cancel,
                                              VisionTrace* trace) {
    check(media);
    std::lock_guard lock(mutex_);
    const Normaliser& values = media.kind == MediaKind::Image ? image_values_ : video_values_;
    std::vector<float> out;
    for (int frame = 0; frame < media.grid.frames; frame += config_.segment_frames) {
        PatchGrid segment = media.grid;
        segment.frames = std::min(config_.segment_frames, media.grid.frames - frame);
        const std::int64_t first = std::int64_t{frame} * segment.rows * segment.columns;
        tower_.run(
            segment,
            [&](std::int64_t begin, std::int64_t end, float* to) {
                write_patches(media, values, config_, first + begin, first + end, to);
            },
            cancel, out, trace);
    }
    return out;
}

} // namespace

std::unique_ptr<VisionModel> VisionModel::create(const Checkpoint& checkpoint, Compute compute,
                                                 int threads) {
    if (!checkpoint.config().vision || !checkpoint.weights().vision)
        throw Error(ErrorKind::Unsupported,
                    checkpoint.folder().string() + ": the checkpoint has no vision tower")
            .hint("pictures and videos need a checkpoint with vision_config");
    return std::make_unique<CheckpointVision>(checkpoint, compute, threads);
}

} // namespace assay::engine
