#include "null/null_files.h"

#include "assay/base/error.h"

#include <fmt/format.h>

namespace assay {

namespace {

// Absolute, without "." and ".." and doubled slashes; ".." cannot leave the root.
std::string clean_path(const std::string& path) {
    if (path.empty() || path[0] != '/')
        throw Error(ErrorKind::Sandbox, "path inside a sandbox must be absolute: '" + path + "'");
    std::string text = Path(path).lexically_normal().string();
    if (text.size() > 1 && text.back() == '/') text.pop_back();
    return text;
}

void check_size(const std::string& path, std::uint64_t size, std::uint64_t limit) {
    if (size > limit)
        throw Error(ErrorKind::Sandbox,
                    fmt::format("{} has {} bytes, more than the limit of {}", path, size, limit));
}

} // namespace

NullFiles::NullFiles(const NullFiles& other) {
    std::lock_guard lock(other.mutex_);
    files_ = other.files_;
}

void NullFiles::put(const std::string& path, std::string_view data, unsigned mode) {
    std::string at = clean_path(path);
    std::lock_guard lock(mutex_);
    files_[at] = {std::string(data), mode};
}

void NullFiles::put_folder(const Path& from, const std::string& path, const Cancel& cancel) {
    RealFileSystem fs;
    for (const std::string& name : fs.list(from)) {
        cancel.check();
        auto info = fs.info(from / name);
        if (!info) continue;
        std::string inside = (path == "/" ? "" : path) + "/" + name;
        if (info->type == FileInfo::Type::Directory)
            put_folder(from / name, inside, cancel);
        else if (info->type == FileInfo::Type::File)
            put(inside, fs.read(from / name, 1ull << 30), info->mode);
    }
}

std::optional<std::string> NullFiles::get(const std::string& path, std::uint64_t limit) const {
    std::lock_guard lock(mutex_);
    auto found = files_.find(clean_path(path));
    if (found == files_.end()) return std::nullopt;
    check_size(path, found->second.data.size(), limit);
    return found->second.data;
}

std::vector<std::string> NullFiles::get_folder(const std::string& path, const Path& into,
                                               std::uint64_t limit, const Cancel& cancel) const {
    RealFileSystem fs;
    std::string base = clean_path(path);
    std::string prefix = base == "/" ? "/" : base + "/";
    std::vector<std::string> left_out;
    std::uint64_t used = 0;
    std::lock_guard lock(mutex_);
    fs.make_folders(into);
    for (const auto& [name, file] : files_) {
        cancel.check();
        bool itself = name == base;
        if (!itself && !name.starts_with(prefix)) continue;
        if (used + file.data.size() > limit) {
            left_out.push_back(name);
            continue;
        }
        used += file.data.size();
        Path target = into / (itself ? Path(name).filename().string() : name.substr(prefix.size()));
        fs.make_folders(target.parent_path());
        fs.write(target, file.data, file.mode);
    }
    return left_out;
}

void NullFiles::remove(const std::string& path) {
    std::string at = clean_path(path);
    std::lock_guard lock(mutex_);
    std::erase_if(files_, [&](const auto& file) {
        return file.first == at || file.first.starts_with(at + "/");
    });
}

std::uint64_t NullFiles::bytes() const {
    std::lock_guard lock(mutex_);
    std::uint64_t sum = 0;
    for (const auto& [name, file] : files_) sum += file.data.size();
    return sum;
}

std::string NullFiles::manifest() const {
    std::lock_guard lock(mutex_);
    std::string text;
    for (const auto& [name, file] : files_)
        text +=
            fmt::format("{}:{}:{}:{}:", name.size(), name, file.mode, file.data.size()) + file.data;
    return text;
}

} // namespace assay
