// Archives for tests, good and bad, in memory.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <string>
#include <vector>

namespace assay::test {

struct TarEntry {
    std::string name;
    std::string data; // of a file; the target of a link
    unsigned type = AE_IFREG;
    bool hardlink = false;
    unsigned mode = 0644;
};

inline std::string make_tar(const std::vector<TarEntry>& entries, bool gzip = false) {
    std::string out(1 << 20, '\0');
    std::size_t used = 0;
    archive* a = archive_write_new();
    archive_write_set_format_pax_restricted(a);
    if (gzip) archive_write_add_filter_gzip(a);
    archive_write_open_memory(a, out.data(), out.size(), &used);
    for (const TarEntry& one : entries) {
        archive_entry* entry = archive_entry_new();
        archive_entry_set_pathname(entry, one.name.c_str());
        archive_entry_set_filetype(entry, one.type);
        archive_entry_set_perm(entry, one.mode);
        if (one.hardlink)
            archive_entry_set_hardlink(entry, one.data.c_str());
        else if (one.type == AE_IFLNK)
            archive_entry_set_symlink(entry, one.data.c_str());
        else if (one.type == AE_IFREG)
            archive_entry_set_size(entry, static_cast<la_int64_t>(one.data.size()));
        archive_write_header(a, entry);
        if (one.type == AE_IFREG && !one.hardlink)
            archive_write_data(a, one.data.data(), one.data.size());
        archive_entry_free(entry);
    }
    archive_write_close(a);
    archive_write_free(a);
    out.resize(used);
    return out;
}

} // namespace assay::test
