#include "assay/serve/recent_blobs.h"

#include "assay/base/error.h"

#include <iterator>

namespace assay {

BlobRef RecentBlobs::put(std::string_view bytes, std::string_view media_type) {
    BlobRef ref{sha256(bytes), bytes.size(), std::string(media_type)};
    std::lock_guard lock(mutex_);
    if (auto found = places_.find(ref.hash); found != places_.end()) {
        entries_.splice(entries_.end(), entries_, found->second);
        return ref;
    }
    entries_.emplace_back(ref.hash, bytes);
    places_[ref.hash] = std::prev(entries_.end());
    bytes_ += bytes.size();
    while (bytes_ > most_bytes_ && entries_.size() > 1) {
        bytes_ -= entries_.front().second.size();
        places_.erase(entries_.front().first);
        entries_.pop_front();
    }
    return ref;
}

std::string RecentBlobs::get(const BlobRef& ref) {
    std::lock_guard lock(mutex_);
    auto found = places_.find(ref.hash);
    if (found == places_.end())
        throw Error(ErrorKind::Input, "an image of the request is no longer in memory");
    entries_.splice(entries_.end(), entries_, found->second);
    return found->second->second;
}

} // namespace assay
