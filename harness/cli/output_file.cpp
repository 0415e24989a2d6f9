#include "output_file.h"

#include "assay/base/error.h"

#include <fstream>

namespace assay {

namespace {

constexpr std::size_t kHead = 64u << 10;
constexpr const char* kFolderMark = ".assay-export"; // holds the format

bool replaceable(const Path& file, std::string_view mark) {
    std::error_code failed; // of a folder or a device
    if (!std::filesystem::is_regular_file(file, failed)) return false;
    if (std::filesystem::file_size(file, failed) == 0) return true;
    std::ifstream in(file, std::ios::binary);
    std::string head(kHead, '\0');
    in.read(head.data(), static_cast<std::streamsize>(head.size()));
    head.resize(static_cast<std::size_t>(in.gcount()));
    return head.find(mark) != std::string::npos;
}

[[noreturn]] void refuse(const Path& path) {
    throw Error(ErrorKind::Usage, "write " + path.string() +
                                      ": it is there already, and not an earlier output of "
                                      "this command")
        .hint("give another name");
}

} // namespace

void refuse_foreign(const Path& file, std::string_view mark) {
    if (RealFileSystem().exists(file) && !replaceable(file, mark)) refuse(file);
}

void refuse_foreign_folder(const Path& folder, const std::string& format) {
    RealFileSystem files;
    if (!files.exists(folder)) return;
    if (!std::filesystem::is_directory(folder)) refuse(folder);
    if (!files.list(folder).empty() && !replaceable(folder / kFolderMark, format)) refuse(folder);
}

void mark_folder(const Path& folder, const std::string& format) {
    RealFileSystem().write(folder / kFolderMark, format + "\n");
}

} // namespace assay
