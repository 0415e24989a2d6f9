// The images of recent requests, in memory: for a server that stores nothing. Thread-safe.
#pragma once

#include "assay/api/content.h"

#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace assay {

class RecentBlobs final : public BlobStore {
  public:
    explicit RecentBlobs(std::uint64_t most_bytes = 1u << 30)
        : most_bytes_(most_bytes) {}
    BlobRef put(std::string_view bytes, std::string_view media_type) override;
    std::string get(const BlobRef& ref) override; // Error(Input): forgotten, or never there

  private:
    using Entry = std::pair<Digest, std::string>;
    const std::uint64_t most_bytes_;
    std::mutex mutex_;
    std::list<Entry> entries_; // least recently used first
    std::map<Digest, std::list<Entry>::iterator> places_;
    std::uint64_t bytes_ = 0;
};

} // namespace assay
