#include "bases/host_base.h"

#include "assay/base/error.h"
#include "assay/base/text.h"
#include "bases/apt_sources.h"
#include "bases/entry.h"
#include "bases/tree.h"

#include <fmt/format.h>

#include <array>

namespace assay::bases {

namespace {

// Counts up with every change of what is generated below, so that old entries are not used.
constexpr int kGeneration = 2;
constexpr unsigned kAgent = 1000;
constexpr unsigned kShadowGroup = 42; // Debian's base-passwd

// Configuration of installed software that programs below /usr read, and that holds no secrets.
// Links stay links. Absent ones are left out.
constexpr std::array kCopied = {
    "alternatives",
    "adduser.conf",
    "apt/keyrings",
    "apt/trusted.gpg.d",
    "bindresvport.blacklist",
    "ca-certificates",
    "ca-certificates.conf",
    "debconf.conf",
    "debian_version",
    "default/locale",
    "default/useradd",
    "deluser.conf",
    "dpkg",
    "fonts",
    "gai.conf",
    "host.conf",
    "inputrc",
    "issue",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "libaudit.conf",
    "locale.alias",
    "locale.gen",
    "login.defs",
    "magic",
    "magic.mime",
    "mime.types",
    "networks",
    "os-release",
    "pam.conf",
    "pam.d",
    "perl",
    "protocols",
    "python3",
    "python3.11",
    "python3.12",
    "python3.13",
    "rpc",
    "security",
    "selinux",
    "services",
    "sgml",
    "shells",
    "skel",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "ucf.conf",
    "update-motd.d",
    "vim",
    "xattr.conf",
    "xml",
};

constexpr std::array kFolders = {
    "boot",
    "dev",
    "home",
    "media",
    "mnt",
    "opt",
    "proc",
    "run",
    "srv",
    "sys",
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "etc/apt/sources.list.d",
    "etc/default",
    "etc/init.d",
    "etc/profile.d",
    "run/lock",
    "var/backups",
    "var/cache/apt/archives/partial",
    "var/lib/apt/lists/partial",
    "var/lib/dpkg/info",
    "var/lib/dpkg/updates",
    "var/lib/dpkg/triggers",
    "var/lib/misc",
    "var/lib/pam",
    "var/log/apt",
    "var/opt",
    "var/spool",
    "var/www",
};

std::string read_if_there(const Path& path) {
    RealFileSystem files;
    return files.exists(path) ? files.read(path, 64 << 20) : std::string();
}

// The distribution's fixed accounts, not the machine's: those may be real people's.
void write_accounts(const Path& root, const Path& out) {
    std::string passwd = read_if_there(root / "usr/share/base-passwd/passwd.master");
    std::string group = read_if_there(root / "usr/share/base-passwd/group.master");
    if (passwd.empty())
        passwd = "root:*:0:0:root:/root:/bin/bash\n"
                 "daemon:*:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
                 "www-data:*:33:33:www-data:/var/www:/usr/sbin/nologin\n"
                 "nobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
    if (group.empty())
        group = "root:*:0:\ndaemon:*:1:\nadm:*:4:\ntty:*:5:\nmail:*:8:\nwww-data:*:33:\n"
                "shadow:*:42:\nstaff:*:50:\nusers:*:100:\nnogroup:*:65534:\n";
    passwd = replace_all(std::move(passwd), ":*:", ":x:");
    group = replace_all(std::move(group), ":*:", ":x:");
    passwd += fmt::format("_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n"
                          "agent:x:{0}:{0}:agent:/home/agent:/bin/bash\n",
                          kAgent);
    group += fmt::format("agent:x:{}:\n", kAgent);
    std::string shadow, gshadow;
    for (std::string_view line : split_lines(passwd))
        shadow += std::string(line.substr(0, line.find(':'))) + ":*:19700:0:99999:7:::\n";
    for (std::string_view line : split_lines(group))
        gshadow += std::string(line.substr(0, line.find(':'))) + ":*::\n";
    write_text(out / "etc/passwd", passwd);
    write_text(out / "etc/group", group);
    for (const auto& [name, text] : {std::pair{"etc/shadow", shadow}, {"etc/gshadow", gshadow}}) {
        write_text(out / name, text, 0640);
        give_to(out / name, 0, kShadowGroup);
    }
    make_folder(out / "root", 0700);
    make_folder(out / "home/agent");
    give_to(out / "home/agent", kAgent, kAgent);
}

// apt can install on top of the machine's packages: it knows them, and where the archive is.
void write_package_state(const Path& root, const Path& out) {
    for (const char* name : {"status", "info", "alternatives", "diversions", "statoverride",
                             "triggers/File", "triggers/Unincorp", "arch", "available"})
        copy_tree(root / "var/lib/dpkg" / name, out / "var/lib/dpkg" / name);
    copy_tree(root / "var/lib/apt/extended_states", out / "var/lib/apt/extended_states");
    copy_tree(root / "var/lib/pam", out / "var/lib/pam");
    copy_tree(root / "var/cache/fontconfig", out / "var/cache/fontconfig");
    copy_tree(root / "var/lib/ucf", out / "var/lib/ucf");
    std::string lines;
    for (const AptSource& source : read_apt_sources(root / "etc/apt")) lines += source.lines();
    write_text(out / "etc/apt/sources.list", lines);
    write_text(out / "etc/apt/apt.conf.d/90machine", read_acquire_settings(root / "etc/apt"));
}

void write_small_files(const Path& out) {
    make_folder(out / "tmp", 01777);
    make_folder(out / "var/tmp", 01777);
    make_folder(out / "run/lock", 01777);
    make_link(out / "var/run", "/run");
    make_link(out / "var/lock", "/run/lock");
    make_link(out / "etc/localtime", "/usr/share/zoneinfo/Etc/UTC");
    make_link(out / "etc/mtab", "../proc/self/mounts");
    write_text(out / "etc/timezone", "Etc/UTC\n");
    write_text(out / "etc/hostname", "sandbox\n");
    write_text(out / "etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n");
    write_text(out / "etc/resolv.conf", "");
    write_text(out / "etc/fstab", "");
    write_text(out / "etc/environment", "");
    write_text(out / "etc/machine-id", "");
    write_text(out / "etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\n"
                                          "hosts: files dns\nservices: files\nprotocols: files\n");
    write_text(out / "etc/profile",
               "PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}\n"
               "export PATH\n"
               "for i in /etc/profile.d/*.sh; do [ -r \"$i\" ] && . \"$i\"; done; unset i\n");
    write_text(out / "etc/bash.bashrc",
               "[ -z \"$PS1\" ] && return\nshopt -s checkwinsize\nPS1='\\u@\\h:\\w\\$ '\n");
}

void write_links(const Path& root, const Path& out) {
    for (const char* name : {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}) {
        std::error_code code;
        Path target = std::filesystem::read_symlink(root / name, code);
        if (!code) {
            make_link(out / name, target.string());
        } else if (std::filesystem::is_directory(root / name, code)) {
            throw Error(ErrorKind::Unsupported,
                        "base host: /" + std::string(name) + " is not a link into /usr")
                .hint("this base needs a merged /usr; use --base debian:SUITE instead");
        }
    }
}

void fill_skeleton(const Path& root, const Path& out) {
    write_links(root, out);
    for (const char* name : kFolders) make_folder(out / name);
    for (const char* name : kCopied) copy_tree(root / "etc" / name, out / "etc" / name);
    write_accounts(root, out);
    write_package_state(root, out);
    write_small_files(out);
}

} // namespace

BaseImage make_host_base(Cache& cache, const Path& root, const Cancel& cancel) {
    // The package list stands for the content of /usr: hashing gigabytes at each start is no use.
    std::string packages = read_if_there(root / "var/lib/dpkg/status");
    std::string key = short_key(fmt::format("{}\n{}\n{}\n{}", kGeneration,
                                            read_if_there(root / "etc/ld.so.cache"), packages,
                                            read_acquire_settings(root / "etc/apt")));
    Path entry = cache.get("host-" + key, cancel, [&](const Path& part) {
        make_folder(part / "root");
        make_folder(part / "root/usr");
        fill_skeleton(root, part / "root");
        seal_entry(part, sha256(packages).hex());
    });
    BaseImage image = entry_image(entry, "host");
    image.mounts.push_back({"/usr", {root / "usr"}});
    image.environment["LANG"] = "C.UTF-8";
    return image;
}

} // namespace assay::bases
