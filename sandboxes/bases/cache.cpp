#include "bases/cache.h"

#include "assay/base/error.h"
#include "assay/base/fd.h"
#include "assay/base/hash.h"
#include "assay/base/log.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cctype>
#include <cerrno>

namespace assay::bases {

namespace stdfs = std::filesystem;
using namespace std::chrono_literals;

namespace {
// Held by the descriptor; the file itself stays, so that there is no race with its removal.
UniqueFd lock_file(const Path& path, const Cancel& cancel) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!fd) throw io_error("open " + path.string(), errno);
    bool told = false;
    while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) throw io_error("lock " + path.string(), errno);
        if (!told) log_info("waiting for another builder of {}", path.stem().string());
        told = true;
        if (!cancel.sleep_for(50ms)) cancel.check();
    }
    return fd;
}
} // namespace

Cache::Cache(Path folder)
    : folder_(std::move(folder)) {}

Path Cache::find(const std::string& name) const {
    Path entry = folder_ / name;
    std::error_code code;
    return stdfs::is_directory(entry, code) ? entry : Path();
}

Path Cache::get(const std::string& name, const Cancel& cancel, const Fill& fill) {
    if (Path entry = find(name); !entry.empty()) return entry;
    RealFileSystem files;
    files.make_folders(folder_);
    UniqueFd lock = lock_file(folder_ / (name + ".lock"), cancel);
    if (Path entry = find(name); !entry.empty()) return entry;
    Path part = folder_ / (name + ".part");
    files.remove_all(part);
    files.make_folders(part);
    try {
        fill(part);
        files.rename(part, folder_ / name);
    } catch (...) {
        std::error_code code;
        stdfs::remove_all(part, code);
        throw;
    }
    return folder_ / name;
}

std::string short_key(std::string_view text) {
    return sha256(text).hex().substr(0, 16);
}

std::string file_name(std::string_view text) {
    std::string name;
    for (char c : text.substr(0, 40))
        name += std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' ? c : '_';
    if (name.empty() || name[0] == '.') name.insert(0, "_");
    return name;
}

} // namespace assay::bases
