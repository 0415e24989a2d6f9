#include "bases/docker/context.h"

#include "assay/base/error.h"
#include "bases/tar_extract.h"
#include "bases/tree.h"

#include <sys/stat.h>

#include <algorithm>

namespace assay::bases {

namespace stdfs = std::filesystem;

namespace {
// "/a/../b" and "b" are the same place: a source cannot climb above the context.
Path inside(const std::string& source) {
    return Path("/" + source).lexically_normal().lexically_relative("/");
}

bool is_within(const Path& folder, const Path& path) {
    auto [end, rest] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
    return end == folder.end();
}

unsigned mode_of(const Path& path) {
    struct stat st{};
    if (::lstat(path.c_str(), &st) != 0) throw io_error("read " + path.string(), errno);
    return st.st_mode & 07777;
}
} // namespace

BuildContext::BuildContext(const Path& folder, const Path& dockerfile) {
    std::error_code code;
    folder_ = stdfs::canonical(folder, code);
    if (code) throw Error(ErrorKind::Input, "build context " + folder.string() + ": not there");
    RealFileSystem files;
    Path own = dockerfile;
    own += ".dockerignore";
    for (const Path& path : {own, folder_ / ".dockerignore"})
        if (files.exists(path)) {
            ignore_ = IgnoreRules::parse(files.read(path, 1 << 20));
            break;
        }
}

std::vector<Path> BuildContext::find(const std::string& source) const {
    Path relative = inside(source);
    if (!has_wildcard(source)) return {relative};
    std::vector<Path> out;
    for (const auto& entry : stdfs::recursive_directory_iterator(folder_)) {
        Path path = entry.path().lexically_relative(folder_);
        if (path_match(relative.string(), path.string()) && !ignore_.ignores(path.string()))
            out.push_back(path);
    }
    std::sort(out.begin(), out.end());
    return out;
}

// Modes are kept, owners are not: everything in an image is root's unless --chown says otherwise.
void BuildContext::copy(const Path& relative, const Path& to) const {
    Path from = folder_ / relative;
    if (relative != "." && ignore_.ignores(relative.string()) && !ignore_.has_exceptions()) return;
    struct stat st{};
    if (::lstat(from.c_str(), &st) != 0) throw io_error("read " + from.string(), errno);
    if (S_ISDIR(st.st_mode)) {
        stdfs::create_directories(to);
        for (const auto& entry : stdfs::directory_iterator(from)) {
            Path child = (relative / entry.path().filename()).lexically_normal();
            if (ignore_.ignores(child.string()) &&
                !(entry.is_directory() && ignore_.has_exceptions()))
                continue;
            copy(child, to / entry.path().filename());
        }
        ::chmod(to.c_str(), st.st_mode & 07777);
    } else if (S_ISLNK(st.st_mode)) {
        std::error_code code;
        stdfs::remove(to, code);
        stdfs::copy_symlink(from, to);
    } else if (S_ISREG(st.st_mode)) {
        stdfs::copy_file(from, to, stdfs::copy_options::overwrite_existing);
        ::chmod(to.c_str(), st.st_mode & 07777);
    }
}

void BuildContext::add(const Path& relative, Staged& staged, bool unpack) const {
    Path path = folder_ / relative;
    std::error_code code;
    Path real = stdfs::canonical(path, code); // a source that is itself a link is followed
    if (code || (relative != "." && ignore_.ignores(relative.string())))
        throw Error(ErrorKind::Input, "'" + relative.string() + "' is not in the build context")
            .hint("it may be named in .dockerignore");
    if (!is_within(folder_, real))
        throw Error(ErrorKind::Input, "'" + relative.string() + "' links out of the build context");
    Path target = real.lexically_relative(folder_);
    if (stdfs::is_directory(real)) {
        copy(target, staged.path());
        ::chmod(staged.path().c_str(), mode_of(real));
    } else if (unpack && looks_like_tar(real)) {
        extract_tar(real, staged.path(), {});
    } else {
        copy(target, staged.path() / relative.filename());
        staged.one_file = true;
        staged.file_name = relative.filename().string();
    }
}

Staged BuildContext::stage(const std::vector<std::string>& sources, bool unpack) const {
    Staged staged;
    staged.folder = std::make_shared<TempFolder>("assay-copy");
    ::chmod(staged.path().c_str(), 0755);
    std::size_t count = 0;
    try {
        for (const std::string& source : sources)
            for (const Path& relative : find(source)) {
                add(relative, staged, unpack);
                ++count;
            }
    } catch (const stdfs::filesystem_error& e) {
        throw io_error("copy " + e.path1().string(), e.code().value());
    }
    if (count == 0) throw Error(ErrorKind::Input, "nothing in the build context matches");
    staged.one_file = staged.one_file && count == 1;
    staged.digest = tree_digest(staged.path());
    return staged;
}

Staged stage_texts(const std::vector<std::pair<std::string, std::string>>& texts) {
    Staged staged;
    staged.folder = std::make_shared<TempFolder>("assay-copy");
    ::chmod(staged.path().c_str(), 0755);
    for (const auto& [name, text] : texts) write_text(staged.path() / name, text);
    staged.one_file = texts.size() == 1;
    if (staged.one_file) staged.file_name = texts[0].first;
    staged.digest = tree_digest(staged.path());
    return staged;
}

} // namespace assay::bases
