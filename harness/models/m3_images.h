// Pictures of conversations as the engine takes them. What was seen once is kept, since a
// conversation shows its pictures with every turn. Thread-safe.
#pragma once

#include "assay/api/content.h"
#include "assay/engine/batcher.h"
#include "assay/engine/vision.h"

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace assay {

class M3Images {
  public:
    // Both may be nullptr: then a conversation with pictures is refused.
    M3Images(engine::VisionModel* vision, BlobStore* blobs)
        : vision_(vision)
        , blobs_(blobs) {}

    bool able() const { return vision_ != nullptr && blobs_ != nullptr; }

    struct Encoded {
        std::vector<std::int32_t> ids;
        std::vector<engine::MediaRows> media; // positions among these ids
    };
    // A text with a placeholder for each picture. Throws ModelError(BadRequest), Error(Input).
    Encoded encode(const engine::Tokenizer& tokenizer, std::string_view text,
                   const std::vector<BlobRef>& images, const Cancel& cancel);

  private:
    struct Seen {
        Digest blob;
        engine::Media media; // without the pixels
        std::shared_ptr<const std::vector<float>> features;
    };
    Seen see(const BlobRef& image, const Cancel& cancel);
    std::optional<Seen> known(const BlobRef& image);

    engine::VisionModel* vision_;
    BlobStore* blobs_;
    std::mutex seeing_; // one picture at a time, so that each is looked at once
    std::mutex mutex_;
    std::list<Seen> seen_; // the latest first
    std::size_t bytes_ = 0;
};

} // namespace assay
