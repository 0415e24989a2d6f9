#include "bases/debian_base.h"

#include "assay/base/error.h"
#include "assay/base/log.h"
#include "assay/base/text.h"
#include "assay/io/run_command.h"
#include "bases/apt_sources.h"
#include "bases/entry.h"
#include "bases/tree.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

namespace assay::bases {

using namespace std::chrono_literals;

namespace {

constexpr int kGeneration = 1; // counts up with every change of what is made below
const Path kEtcApt = "/etc/apt";

bool is_name(std::string_view text) { // of a suite or a package
    return !text.empty() && std::isalnum(static_cast<unsigned char>(text[0])) &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' ||
                      c == '_';
           });
}

std::string machine_codename() {
    RealFileSystem files;
    if (!files.exists("/etc/os-release")) return {};
    std::string text = files.read("/etc/os-release", 1 << 16);
    for (std::string_view line : split_lines(text)) {
        constexpr std::string_view kKey = "VERSION_CODENAME=";
        if (line.substr(0, kKey.size()) == kKey) return std::string(line.substr(kKey.size()));
    }
    return {};
}

struct Archive {
    std::string mirror, keyring, lines; // lines: sources.list for the new system
};

// The machine's entries for its own release, with the suite put in its place.
Archive find_archive_for(const std::string& suite) {
    std::string codename = machine_codename();
    std::vector<AptSource> sources = read_apt_sources(kEtcApt);
    const AptSource* main = find_archive(sources, suite);
    if (!main && !codename.empty()) main = find_archive(sources, codename);
    if (!main)
        throw Error(ErrorKind::Unsupported, "base debian:" + suite +
                                                ": no Debian archive in the apt sources of this "
                                                "machine")
            .hint("add a 'deb' line for it below /etc/apt, or use another base");
    Archive archive{main->uris[0], main->signed_by, {}};
    if (archive.keyring.empty()) archive.keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    for (AptSource source : sources) {
        if (source.signed_by != main->signed_by) continue; // somebody else's packages
        std::vector<std::string> suites;
        for (const std::string& one : source.suites)
            if (one == suite || one == codename)
                suites.push_back(suite);
            else if (!codename.empty() && one.rfind(codename + "-", 0) == 0 && suite != "sid")
                suites.push_back(suite + one.substr(codename.size()));
        source.suites = std::move(suites);
        archive.lines += source.lines();
    }
    return archive;
}

void check_tools() {
    if (::geteuid() != 0)
        throw Error(ErrorKind::Unsupported,
                    "debian: bases are made by debootstrap, which needs root")
            .hint("run this once as root (the cache can be shared), or use --base host");
    if (::access("/usr/sbin/debootstrap", X_OK) != 0)
        throw Error(ErrorKind::Unsupported, "debian: bases need the program debootstrap")
            .hint("install the package debootstrap, or use --base host");
}

// The certificate authorities that this machine trusts beside the usual ones (a company's proxy):
// without them nothing inside reaches an https address. They are public.
void write_certificates(const Path& root) {
    copy_tree("/usr/local/share/ca-certificates", root / "usr/local/share/ca-certificates");
    copy_tree("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs/ca-certificates.crt");
}

void fill(const DebianName& name, const Archive& archive, const Path& part, Spawner& spawner,
          const Cancel& cancel) {
    check_tools();
    Path root = part / "root";
    log_info("making the base debian:{} by debootstrap; this takes a minute or more", name.suite);
    std::vector<std::string> argv = {"/usr/sbin/debootstrap", "--variant=minbase",
                                     "--keyring=" + archive.keyring};
    std::string include;
    for (const std::string& package : name.packages)
        include += (include.empty() ? "" : ",") + package;
    if (!include.empty()) argv.push_back("--include=" + include);
    argv.insert(argv.end(), {name.suite, root.string(), archive.mirror});
    if (::access(("/usr/share/debootstrap/scripts/" + name.suite).c_str(), R_OK) != 0)
        argv.emplace_back("/usr/share/debootstrap/scripts/sid"); // a release it does not know yet
    CommandOptions options;
    options.timeout = 30min;
    CommandResult result = run_command(spawner, argv, options, cancel);
    if (!result.ok()) {
        std::string tail =
            result.out.substr(result.out.size() > 1500 ? result.out.size() - 1500 : 0);
        throw Error(ErrorKind::Io, "debootstrap " + name.suite + ": " + result.exit.text())
            .hint("the end of its output:\n" + utf8_clean(tail + result.err));
    }
    // As in container images: installing a service does not start it.
    write_text(root / "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0755);
    // pip may install, as it may in the container images that such a base stands in for.
    if (std::count(name.packages.begin(), name.packages.end(), "python3-pip") != 0)
        write_text(root / "etc/pip.conf", "[global]\nbreak-system-packages = true\n"
                                          "[install]\nignore-installed = true\n");
    write_certificates(root);
    write_text(root / "etc/apt/sources.list", archive.lines);
    write_text(root / "etc/apt/apt.conf.d/90machine", read_acquire_settings(kEtcApt));
    std::error_code code;
    for (const char* used : {"var/cache/apt/archives", "var/lib/apt/lists"})
        std::filesystem::remove_all(root / used, code);
    make_folder(root / "var/cache/apt/archives/partial");
    make_folder(root / "var/lib/apt/lists/partial");
    write_text(root / "etc/hostname", "sandbox\n");
    write_text(root / "etc/resolv.conf", "");
}

} // namespace

DebianName parse_debian_name(std::string_view name) {
    constexpr std::string_view kPrefix = "debian:";
    DebianName out;
    for (std::string_view word : split(name.substr(kPrefix.size()), '+')) {
        if (!is_name(word))
            throw Error(ErrorKind::Usage, "base '" + std::string(name) + "': '" +
                                              std::string(word) + "' is no suite or package name")
                .hint("write debian:SUITE+package+package");
        if (out.suite.empty())
            out.suite = std::string(word);
        else
            out.packages.emplace_back(word);
    }
    std::sort(out.packages.begin(), out.packages.end());
    out.packages.erase(std::unique(out.packages.begin(), out.packages.end()), out.packages.end());
    return out;
}

BaseImage make_debian_base(const std::string& text, Cache& cache, Spawner& spawner,
                           const Cancel& cancel) {
    DebianName name = parse_debian_name(text);
    Archive archive = find_archive_for(name.suite);
    std::string key = fmt::format("{}\n{}\n{}\n", kGeneration, name.suite, archive.lines);
    for (const std::string& package : name.packages) key += package + "\n";
    Path entry = cache.get(fmt::format("debian-{}-{}", file_name(name.suite), short_key(key)),
                           cancel, [&](const Path& part) {
                               fill(name, archive, part, spawner, cancel);
                               seal_entry(part);
                           });
    return entry_image(entry, text);
}

} // namespace assay::bases
