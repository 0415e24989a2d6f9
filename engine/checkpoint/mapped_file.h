// A file in memory, read-only, as long as the object lives. Pages are shared with the page cache.
#pragma once

#include "assay/base/fs.h"

#include <string_view>

namespace assay::engine {

class MappedFile {
  public:
    explicit MappedFile(const Path& path); // throws Error(Io) or Error(Input)
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&&) = delete;

    std::string_view bytes() const { return bytes_; }
    std::int64_t modified() const { return modified_; } // nanoseconds since 1970

  private:
    std::string_view bytes_;
    std::int64_t modified_ = 0;
};

} // namespace assay::engine
