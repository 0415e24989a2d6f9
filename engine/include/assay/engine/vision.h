// Pictures and videos as rows that stand in for embeddings.
//
//   auto vision = VisionModel::create(*checkpoint, Compute::Bf16, threads);
//   std::vector<Media> media;
//   media.push_back(vision->prepare_image(png, "page.png"));    // tokens and digest are known now
//   VisionPrompt prompt = vision->encode(*tokenizer, rendered, media);
//   std::vector<float> rows = vision->features(media[0], cancel);
//   for (const MediaSpan& span : prompt.spans) ...              // rows that its ids stand for
//
// What is prepared depends on the file alone, features on the pixels alone: the same bits with any
// number of threads and whatever was computed before. A VisionModel may be used by several threads;
// features() of two callers wait for one another.
#pragma once

#include "assay/base/cancel.h"
#include "assay/base/hash.h"
#include "assay/engine/checkpoint.h"
#include "assay/engine/forward.h"
#include "assay/engine/image.h"
#include "assay/engine/tokenizer.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay::engine {

enum class MediaKind : std::uint8_t { Image, Video };

struct PatchGrid {
    int frames = 0, rows = 0, columns = 0; // frames: groups of temporal_patch pictures
    std::int64_t patches() const { return std::int64_t{frames} * rows * columns; }
    bool operator==(const PatchGrid&) const = default;
};

struct Media {
    MediaKind kind = MediaKind::Image;
    PatchGrid grid;
    std::int64_t group_tokens = 0; // of one group of frames: they stand side by side
    std::vector<Image> frames;     // at the size that the model sees
    std::vector<double> seconds;   // of each group; empty: not known, and not told
    Digest digest;                 // of kind and pixels: equal digests, equal features
    std::int64_t tokens() const { return group_tokens * grid.frames; }
};

struct VideoFrames {
    std::vector<std::string_view> files; // PNG, JPEG or WebP, in order of time
    double fps = 0;                      // of the source; 0: unknown, then no times are told
    std::vector<std::int64_t> indices{}; // of the frames in the source; empty: 0, 1, 2, ...
};

// `count` ids of a prompt from `first` on are rows `row`, row + 1, ... of the features of a medium.
struct MediaSpan {
    std::int64_t first = 0, count = 0;
    std::size_t media = 0;
    std::int64_t row = 0;
    bool operator==(const MediaSpan&) const = default;
};

struct VisionPrompt {
    std::vector<TokenId> ids;
    std::vector<MediaSpan> spans; // in ascending order, apart from one another
};

// The template writes ]<]image[>[ or ]<]video[>[ for each medium. This puts as many in its place as
// the medium has tokens, between start and end, and for videos times. `media` in the order of their
// places. Throws Error(Input) if there are more or fewer places than media, or of another kind.
std::string expand_placeholders(std::string_view text, std::span<const Media> media);

// Where media stand in a prompt that is expanded. Throws Error(Input) as above.
std::vector<MediaSpan> place_media(std::span<const TokenId> ids, std::span<const Media> media,
                                   const VisionConfig& config);

struct VisionTrace {
    std::vector<float> patches; // [patches, channels * time * row * column], normalised
    std::vector<float> tower;   // [patches, hidden of vision], after the last layer
};

class VisionModel {
  public:
    // Limits, means and deviations are those of preprocessor_config.json and
    // video_preprocessor_config.json in the checkpoint's folder, else MiniMax-M3's. The checkpoint
    // must live longer. Throws Error(Unsupported) if it has no vision, Error(Input) for files that
    // ask for what is not computed here.
    static std::unique_ptr<VisionModel> create(const Checkpoint& checkpoint, Compute compute,
                                               int threads);
    virtual ~VisionModel() = default;

    // `name` stands in messages. Throw Error(Input).
    virtual Media prepare_image(std::string_view file, const std::string& name) const = 0;
    virtual Media prepare_video(const VideoFrames& frames, const std::string& name) const = 0;

    // expand_placeholders(), tokens and place_media(). Throws Error(Input) as they do, and if the
    // tokenizer is that of another model.
    virtual VisionPrompt encode(const Tokenizer& tokenizer, std::string_view text,
                                std::span<const Media> media) const = 0;

    // [tokens, hidden of the text model]. Cancelled between layers.
    virtual std::vector<float> features(const Media& media, const Cancel& cancel,
                                        VisionTrace* trace = nullptr) = 0;
};

} // namespace assay::engine
