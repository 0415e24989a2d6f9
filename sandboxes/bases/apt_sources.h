// The machine's own apt configuration, read to find a mirror: no host name is ever built in.
// Both formats of sources.list(5); pure but for read_apt_sources.
#pragma once

#include "assay/base/fs.h"

#include <string>
#include <string_view>
#include <vector>

namespace assay::bases {

struct AptSource { // one "deb" stanza; those for source packages only are left out
    std::vector<std::string> uris;
    std::vector<std::string> suites;
    std::vector<std::string> components;
    std::string signed_by;
    bool trusted = false;      // [trusted=yes]
    std::string lines() const; // one-line format, one line a URI and suite
};

// Unknown or malformed lines are left out: the file is apt's to judge. Entries whose URI carries a
// user name or password are left out too: they are secrets of this machine.
std::vector<AptSource> parse_sources_list(std::string_view text);
std::vector<AptSource> parse_deb822(std::string_view text);
std::vector<AptSource> read_apt_sources(const Path& etc_apt);

// The entry to take packages of the distribution's release `codename` from: the one that lists the
// machine's own codename with component main. nullptr: none.
const AptSource* find_archive(const std::vector<AptSource>& sources, std::string_view codename);

// Lines of apt.conf that say how to reach the archive ("Acquire::... value;"), without credentials.
std::string acquire_settings(std::string_view apt_conf);
std::string read_acquire_settings(const Path& etc_apt);

} // namespace assay::bases
