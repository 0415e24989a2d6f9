#include "bases/tar_base.h"

#include "assay/base/error.h"
#include "assay/base/log.h"
#include "bases/entry.h"
#include "bases/tar_extract.h"
#include "bases/tree.h"

#include <fmt/format.h>
#include <sys/stat.h>

namespace assay::bases {

Path tar_file(const std::string& name) {
    std::error_code code;
    Path real = std::filesystem::canonical(name.substr(name.find(':') + 1), code);
    if (code || !std::filesystem::is_regular_file(real, code))
        throw Error(ErrorKind::Input, "base " + name + ": no such file");
    return real;
}

BaseImage make_tar_base(const std::string& name, Cache& cache, const Cancel& cancel) {
    Path real = tar_file(name);
    struct stat st{};
    if (::stat(real.c_str(), &st) != 0)
        throw Error(ErrorKind::Input, "base " + name + ": no such file");
    std::string key = fmt::format("{} {} {}.{} {}", real.string(), st.st_size, st.st_mtim.tv_sec,
                                  st.st_mtim.tv_nsec, st.st_ino);
    Path entry = cache.get(
        fmt::format("tar-{}-{}", file_name(real.stem().string()), short_key(key)), cancel,
        [&](const Path& part) {
            make_folder(part / "root");
            TarResult result = extract_tar(real, part / "root", {});
            if (!std::filesystem::is_directory(part / "root/usr") &&
                !std::filesystem::exists(part / "root/bin"))
                throw Error(ErrorKind::Input, "base " + name + ": no /usr and no /bin in it")
                    .hint("it must hold a root file system, not an image layout");
            if (!result.left_out.empty())
                log_info("base {}: {} devices left out", name, result.left_out.size());
            seal_entry(part);
        });
    return entry_image(entry, name);
}

} // namespace assay::bases
