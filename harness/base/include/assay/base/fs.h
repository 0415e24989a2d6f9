// The file system, injected so that tests can make it fail. Paths are ordinary host paths; nothing
// here may be given a path that a sandbox controls (see Sandbox::put and get for that).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

using Path = std::filesystem::path;

struct FileInfo {
    enum class Type { File, Directory, Symlink, Other } type = Type::Other;
    std::uint64_t size = 0;
    unsigned mode = 0; // permission bits
};

class FileSystem {
  public:
    virtual ~FileSystem() = default;
    // All throw Error(Io) with the path in the message.
    virtual std::string read(const Path& path, std::uint64_t limit = 1ull << 30) = 0;
    // Temporary file in the same folder, fsync, rename: the old content or the new, never a part.
    virtual void write(const Path& path, std::string_view data, unsigned mode = 0644) = 0;
    virtual std::optional<FileInfo> info(const Path& path) = 0; // of a link itself; nullopt: absent
    virtual std::vector<std::string> list(const Path& folder) = 0; // names, sorted
    virtual void make_folders(const Path& folder) = 0;
    virtual void remove_all(const Path& path) = 0;
    virtual void rename(const Path& from, const Path& to) = 0;
    virtual std::uint64_t free_bytes(const Path& path) = 0;

    bool exists(const Path& path) { return info(path).has_value(); }
};

class RealFileSystem final : public FileSystem {
  public:
    std::string read(const Path& path, std::uint64_t limit = 1ull << 30) override;
    void write(const Path& path, std::string_view data, unsigned mode = 0644) override;
    std::optional<FileInfo> info(const Path& path) override;
    std::vector<std::string> list(const Path& folder) override;
    void make_folders(const Path& folder) override;
    void remove_all(const Path& path) override;
    void rename(const Path& from, const Path& to) override;
    std::uint64_t free_bytes(const Path& path) override;
};

// A folder of its own below $TMPDIR, removed by the destructor.
class TempFolder {
  public:
    explicit TempFolder(std::string_view prefix = "assay");
    ~TempFolder();
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    const Path& path() const { return path_; }

  private:
    Path path_;
};

} // namespace assay
