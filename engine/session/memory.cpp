#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/engine/engine.h"

#include <algorithm>
#include <charconv>

namespace assay::engine {

namespace {

std::uint64_t number_in(FileSystem& files, const Path& file, std::string_view key,
                        std::uint64_t otherwise) {
    std::string text;
    try {
        text = files.read(file, 1 << 20);
    } catch (const Error&) {
        return otherwise;
    }
    for (std::string_view line : split_lines(text)) {
        if (!line.starts_with(key)) continue;
        std::string_view digits = trim(line.substr(key.size()));
        std::uint64_t value = 0;
        if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc())
            return value;
    }
    return otherwise;
}

} // namespace

std::uint64_t free_memory(FileSystem& files) {
    constexpr std::uint64_t none = std::uint64_t{1} << 62;
    std::uint64_t machine = number_in(files, "/proc/meminfo", "MemAvailable:", 0) * 1024;
    // What the kernel may drop is no use of ours: weights that were read lie there too.
    auto left = [&](const Path& limit, const Path& used, const Path& parts,
                    const std::string& prefix) {
        const std::uint64_t most = number_in(files, limit, "", none);
        std::uint64_t now = number_in(files, used, "", 0);
        for (const char* kind : {"active_file ", "inactive_file "})
            now -= std::min(now, number_in(files, parts, prefix + kind, 0));
        return most > now ? most - now : 0;
    };
    const Path groups = "/sys/fs/cgroup";
    return std::min(
        {machine,
         left(groups / "memory.max", groups / "memory.current", groups / "memory.stat", ""),
         left(groups / "memory/memory.limit_in_bytes", groups / "memory/memory.usage_in_bytes",
              groups / "memory/memory.stat", "total_")});
}

} // namespace assay::engine
