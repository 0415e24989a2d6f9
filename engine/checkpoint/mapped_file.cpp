#include "mapped_file.h"

#include "assay/base/error.h"
#include "assay/base/fd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace assay::engine {

MappedFile::MappedFile(const Path& path) {
    // Without waiting: a pipe of that name would have no writer.
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat info{};
    if (!file || ::fstat(file.get(), &info) != 0) throw io_error("open " + path.string(), errno);
    if (!S_ISREG(info.st_mode) || info.st_size == 0)
        throw Error(ErrorKind::Input, path.string() + ": no file, or an empty one")
            .hint("download it again");
    auto size = static_cast<std::size_t>(info.st_size);
    void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (at == MAP_FAILED) throw io_error("map " + path.string(), errno);
    bytes_ = {static_cast<const char*>(at), size};
    modified_ = std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

MappedFile::~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {}))
    , modified_(other.modified_) {}

} // namespace assay::engine
