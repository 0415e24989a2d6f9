// The files of a null sandbox: a map from absolute path to content. Thread-safe.
#pragma once

#include "assay/base/cancel.h"
#include "assay/base/fs.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace assay {

class NullFiles {
  public:
    NullFiles() = default;
    NullFiles(const NullFiles& other);
    NullFiles& operator=(const NullFiles&) = delete;

    void put(const std::string& path, std::string_view data, unsigned mode);
    void put_folder(const Path& from, const std::string& path, const Cancel& cancel);
    std::optional<std::string> get(const std::string& path, std::uint64_t limit) const;
    std::vector<std::string> get_folder(const std::string& path, const Path& into,
                                        std::uint64_t limit, const Cancel& cancel) const;
    void remove(const std::string& path); // with all below it
    std::uint64_t bytes() const;
    std::string manifest() const; // all paths and contents: what a digest is taken over

  private:
    struct File {
        std::string data;
        unsigned mode = 0644;
    };
    mutable std::mutex mutex_;
    std::map<std::string, File> files_;
};

} // namespace assay
