#include "init/init.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

namespace assay::init {
namespace {

constexpr std::size_t kFileLimit = 1u << 20;

// The inside may have put anything at these paths: a FIFO, a device, a gigabyte.
std::string read_table(const char* path) {
    std::string out;
    int fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return out;
    struct stat st{};
    if (::fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        out.resize(kFileLimit);
        std::size_t at = 0;
        ssize_t n = 0;
        while (at < out.size() && (n = ::read(fd, out.data() + at, out.size() - at)) > 0)
            at += static_cast<std::size_t>(n);
        out.resize(at);
    }
    ::close(fd);
    return out;
}

std::vector<std::string_view> split(std::string_view text, char by) {
    std::vector<std::string_view> out;
    for (;;) {
        std::size_t at = text.find(by);
        out.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return out;
        text.remove_prefix(at + 1);
    }
}

std::optional<std::uint32_t> number(std::string_view text) {
    std::uint32_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value == ~0u)
        return std::nullopt;
    return value;
}

void add_groups(User& user, std::string_view name) {
    std::string table = read_table("/etc/group");
    for (std::string_view line : split(table, '\n')) {
        std::vector<std::string_view> fields = split(line, ':');
        if (fields.size() < 4 || user.groups.size() > 1000) continue;
        std::optional<std::uint32_t> gid = number(fields[2]);
        for (std::string_view member : split(fields[3], ','))
            if (gid && member == name) user.groups.push_back(*gid);
    }
}

} // namespace

std::optional<User> find_user(const std::string& name) {
    std::string_view who = name.empty() ? std::string_view("root") : std::string_view(name);
    std::string_view group;
    if (std::size_t colon = who.find(':'); colon != std::string_view::npos) { // "user:group"
        group = who.substr(colon + 1);
        who = who.substr(0, colon);
    }
    std::optional<std::uint32_t> id = number(who);
    std::optional<User> user;
    std::string table = read_table("/etc/passwd");
    for (std::string_view line : split(table, '\n')) {
        std::vector<std::string_view> fields = split(line, ':');
        if (fields.size() < 6) continue;
        std::optional<std::uint32_t> uid = number(fields[2]), gid = number(fields[3]);
        if (!uid || !gid || !(fields[0] == who || (id && *uid == *id))) continue;
        user = User{*uid, *gid, std::string(fields[5]), {}};
        add_groups(*user, fields[0]);
        break;
    }
    if (!user && id) user = User{*id, 0, "/", {}};
    if (!user && who == "root") user = User{0, 0, "/root", {}};
    if (user && !group.empty()) {
        std::optional<std::uint32_t> gid = number(group);
        std::string groups = read_table("/etc/group");
        for (std::string_view line : split(groups, '\n')) {
            std::vector<std::string_view> fields = split(line, ':');
            if (!gid && fields.size() >= 3 && fields[0] == group) gid = number(fields[2]);
        }
        if (!gid) return std::nullopt;
        user->gid = *gid;
    }
    return user;
}

} // namespace assay::init
