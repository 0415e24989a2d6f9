#include "m3_images.h"

#include "assay/api/model.h"

#include <algorithm>
#include <cstring>

namespace assay {

namespace {

constexpr std::size_t kKept = std::size_t{256} << 20; // bytes of features

// Of what rows from `row` on show.
std::uint64_t content_key(const Digest& digest, std::int64_t row) {
    std::uint64_t key = 0;
    std::memcpy(&key, digest.bytes.data(), sizeof key);
    return key + static_cast<std::uint64_t>(row);
}

std::shared_ptr<const std::vector<float>>
part_of(const std::shared_ptr<const std::vector<float>>& all, std::int64_t row, std::int64_t count,
        std::int64_t rows) {
    if (row == 0 && count == rows) return all;
    const std::ptrdiff_t width = std::ssize(*all) / rows;
    return std::make_shared<const std::vector<float>>(all->begin() + row * width,
                                                      all->begin() + (row + count) * width);
}

} // namespace

std::optional<M3Images::Seen> M3Images::known(const BlobRef& image) {
    std::lock_guard lock(mutex_);
    auto found = std::find_if(seen_.begin(), seen_.end(),
                              [&](const Seen& one) { return one.blob == image.hash; });
    if (found == seen_.end()) return std::nullopt;
    seen_.splice(seen_.begin(), seen_, found);
    return seen_.front();
}

M3Images::Seen M3Images::see(const BlobRef& image, const Cancel& cancel) {
    if (auto one = known(image)) return *one;
    std::lock_guard one_at_a_time(seeing_);
    if (auto one = known(image)) return *one;
    cancel.check();
    Seen made;
    made.blob = image.hash;
    made.media = vision_->prepare_image(blobs_->get(image), image.media_type);
    made.features =
        std::make_shared<const std::vector<float>>(vision_->features(made.media, cancel));
    made.media.frames.clear();
    std::lock_guard lock(mutex_);
    bytes_ += made.features->size() * sizeof(float);
    seen_.push_front(made);
    while (bytes_ > kKept && seen_.size() > 1) {
        bytes_ -= seen_.back().features->size() * sizeof(float);
        seen_.pop_back();
    }
    return made;
}

M3Images::Encoded M3Images::encode(const engine::Tokenizer& tokenizer, std::string_view text,
                                   const std::vector<BlobRef>& images, const Cancel& cancel) {
    if (images.empty()) return {tokenizer.encode(text), {}};
    if (!able())
        throw ModelError(ModelFault::BadRequest,
                         "model m3: the conversation has images, and the checkpoint sees none");
    std::vector<Seen> seen;
    std::vector<engine::Media> media;
    for (const BlobRef& image : images) {
        seen.push_back(see(image, cancel));
        media.push_back(seen.back().media);
    }
    engine::VisionPrompt prompt = vision_->encode(tokenizer, text, media);
    Encoded out{std::move(prompt.ids), {}};
    for (const engine::MediaSpan& span : prompt.spans) {
        const Seen& one = seen[span.media];
        out.media.push_back({span.first,
                             part_of(one.features, span.row, span.count, one.media.tokens()),
                             content_key(one.media.digest, span.row)});
    }
    return out;
}

} // namespace assay
