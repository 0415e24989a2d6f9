// The cache of bases below the state folder: one folder an entry, complete or absent.
//
//   Path folder = cache.get("debian-trixie-0a1b", cancel, [&](const Path& part) { fill(part); });
//
// One builder per entry at a time, also across processes (flock on NAME.lock). An entry is made as
// NAME.part and renamed, so that a crash leaves no half of one. Thread-safe.
#pragma once

#include "assay/base/cancel.h"
#include "assay/base/fs.h"

#include <functional>
#include <string>

namespace assay::bases {

class Cache {
  public:
    explicit Cache(Path folder);
    using Fill = std::function<void(const Path& part)>;
    Path get(const std::string& name, const Cancel& cancel, const Fill& fill);
    Path find(const std::string& name) const; // empty: not there
    const Path& folder() const { return folder_; }

  private:
    Path folder_;
};

// 16 hex digits of the SHA-256, enough for names in a cache.
std::string short_key(std::string_view text);
// A name that is safe as one path component and still readable.
std::string file_name(std::string_view text);

} // namespace assay::bases
