#include "bases/docker/copy.h"

#include "assay/base/error.h"
#include "assay/base/text.h"
#include "bases/tree.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cctype>
#include <thread>

namespace assay::bases {

namespace stdfs = std::filesystem;

namespace {

struct ExistingFolder {
    bool there = false;
    std::string owner; // "uid:gid"
    unsigned mode = 0755;
};

ExecOptions as_root() {
    ExecOptions options;
    options.user = "root";
    options.cwd = "/";
    return options;
}

// Images without a shell have no folder worth asking about.
ExistingFolder look_up(Sandbox& sandbox, const std::string& path, const Cancel& cancel) {
    ExistingFolder out;
    ExecResult result;
    try {
        result = sandbox.exec(
            {"/bin/sh", "-c", "[ -d \"$1\" ] && stat -Lc '%u:%g %a' \"$1\"", "sh", path}, as_root(),
            cancel);
    } catch (const StartError&) {
        return out;
    }
    auto parts = split(trim(result.out), ' ');
    if (!result.ok() || parts.size() != 2) return out;
    out.there = true;
    out.owner = std::string(parts[0]);
    out.mode = static_cast<unsigned>(std::stoul(std::string(parts[1]), nullptr, 8)) & 07777;
    return out;
}

void run(Sandbox& sandbox, const std::vector<std::string>& argv, const Cancel& cancel) {
    ExecOptions options = as_root();
    options.merge_stderr = true;
    ExecResult result = sandbox.exec(argv, options, cancel);
    if (!result.ok())
        throw Error(ErrorKind::Sandbox,
                    argv[0] + " in the build sandbox: " + result.status.text() + ": " +
                        utf8_clean(std::string(trim(result.out)).substr(0, 500)));
}

// The new paths below `target`, parents first: only these get --chown and --chmod.
std::vector<std::string> paths_inside(const Path& folder, const std::string& target) {
    std::vector<std::string> out;
    for (const auto& entry : stdfs::recursive_directory_iterator(folder))
        out.push_back((Path(target) / entry.path().lexically_relative(folder)).string());
    return out;
}

void run_on(Sandbox& sandbox, const std::vector<std::string>& command,
            const std::vector<std::string>& paths, const Cancel& cancel) {
    constexpr std::size_t kAtOnce = 500;
    for (std::size_t i = 0; i < paths.size(); i += kAtOnce) {
        std::vector<std::string> argv = command;
        argv.insert(argv.end(), paths.begin() + static_cast<std::ptrdiff_t>(i),
                    paths.begin() +
                        static_cast<std::ptrdiff_t>(std::min(paths.size(), i + kAtOnce)));
        run(sandbox, argv, cancel);
    }
}

void put_into_folder(Sandbox& sandbox, const Path& staged, const std::string& path,
                     const ExistingFolder& existing, const CopyTarget& target,
                     const Cancel& cancel) {
    // The folder itself is not what is copied: it keeps its mode and owner (think of /tmp).
    if (existing.there) ::chmod(staged.c_str(), existing.mode);
    sandbox.put_folder(staged, path, cancel);
    if (existing.there && existing.owner != "0:0")
        run(sandbox, {"chown", existing.owner, "--", path}, cancel);
    std::vector<std::string> paths = paths_inside(staged, path);
    if (!existing.there) paths.insert(paths.begin(), path);
    if (!target.mode.empty()) run_on(sandbox, {"chmod", target.mode, "--"}, paths, cancel);
    if (!target.owner.empty()) run_on(sandbox, {"chown", "-h", target.owner, "--"}, paths, cancel);
}

void put_one_file(Sandbox& sandbox, const Path& file, const std::string& path,
                  const CopyTarget& target, const Cancel& cancel) {
    constexpr std::uint64_t kLargest = 4ull << 30;
    RealFileSystem files;
    unsigned mode = files.info(file)->mode;
    sandbox.put_file(path, files.read(file, kLargest), mode, cancel);
    if (!target.mode.empty()) run(sandbox, {"chmod", target.mode, "--", path}, cancel);
    if (!target.owner.empty()) run(sandbox, {"chown", target.owner, "--", path}, cancel);
}

// Literal but for the wildcards.
std::string glob_quote(std::string_view pattern) {
    constexpr std::string_view kPlain = "_-./*?[]";
    std::string out;
    for (char c : pattern) {
        bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                     kPlain.find(c) != std::string_view::npos;
        if (!plain) out += '\\';
        out += c;
    }
    return out;
}

void pump(Stream& from, Stream& to, const Cancel& cancel) {
    std::array<char, 1 << 16> buffer{};
    while (std::size_t n = from.read(buffer, cancel)) to.write({buffer.data(), n}, cancel);
    to.shutdown_write();
}

// `pack` writes a tar stream in one sandbox, `unpack` reads it in the other.
void pipe_between(Sandbox& from, const std::string& pack, Sandbox& to, const std::string& unpack,
                  const Cancel& cancel) {
    ExecOptions reading = as_root(), writing = as_root();
    writing.stdin_mode = StdinMode::Pipe;
    writing.merge_stderr = true;
    auto source = from.spawn({"/bin/sh", "-c", pack}, reading, cancel);
    auto sink = to.spawn({"/bin/sh", "-c", unpack}, writing, cancel);
    std::string problem;
    std::thread drain([&] {
        try {
            std::array<char, 4096> buffer{};
            while (std::size_t n = source->err().read(buffer, cancel))
                if (problem.size() < 2000) problem.append(buffer.data(), n);
        } catch (const std::exception&) { // the exit status tells the same
        }
    });
    auto join = [&] {
        source->err().close();
        drain.join();
    };
    try {
        pump(source->out(), sink->in(), cancel);
        ExitStatus packed = source->wait(cancel), unpacked = sink->wait(cancel);
        join();
        if (!packed.ok() || !unpacked.ok())
            throw Error(ErrorKind::Sandbox,
                        "COPY --from: tar: " + (packed.ok() ? unpacked : packed).text() + ": " +
                            utf8_clean(problem));
    } catch (...) {
        if (drain.joinable()) join();
        throw;
    }
}

} // namespace

void put_staged(Sandbox& sandbox, const Staged& staged, const CopyTarget& target,
                const Cancel& cancel) {
    ExistingFolder existing = look_up(sandbox, target.path, cancel);
    if (!staged.one_file || target.folder || existing.there) {
        put_into_folder(sandbox, staged.path(), target.path, existing, target, cancel);
    } else {
        put_one_file(sandbox, staged.path() / staged.file_name, target.path, target, cancel);
    }
}

void copy_between(Sandbox& from, const std::vector<std::string>& sources, Sandbox& to,
                  const CopyTarget& target, const Cancel& cancel) {
    constexpr const char* kScratch = "/.assay-copy";
    for (const std::string& source : sources) {
        ExecResult found = run_shell(from,
                                     "for f in " + glob_quote(source) +
                                         "; do if [ -d \"$f\" ]; then echo \"d$f\"; elif [ -e "
                                         "\"$f\" ]; then echo \"f$f\"; fi; done",
                                     as_root(), cancel);
        auto lines = split_lines(trim(found.out));
        if (trim(found.out).empty())
            throw Error(ErrorKind::Input, "COPY --from: no '" + source + "' in that stage");
        for (std::string_view line : lines) {
            Path path(line.substr(1));
            bool folder = line[0] == 'd';
            std::string quoted = shell_quote(target.path);
            std::string pack = folder
                                   ? "tar -C " + shell_quote(path.string()) + " -cf - ."
                                   : "tar -C " + shell_quote(path.parent_path().string()) +
                                         " -chf - " + shell_quote("./" + path.filename().string());
            bool into = folder || target.folder || lines.size() > 1 || sources.size() > 1;
            std::string scratch = std::string(kScratch) + "/" + (folder ? "d" : "f");
            std::string unpack =
                fmt::format("rm -rf {0} && mkdir -p {1} && tar -C {1} -xpf -", kScratch, scratch);
            if (!target.owner.empty())
                unpack += fmt::format(" && chown -hR {} {}", shell_quote(target.owner), scratch);
            if (!target.mode.empty())
                unpack += fmt::format(" && chmod -R {} {}", shell_quote(target.mode), scratch);
            if (into)
                unpack += fmt::format(" && mkdir -p {0} && cp -a {1}/. {0}/", quoted, scratch);
            else
                unpack += fmt::format(" && mkdir -p {0} && cp -a {1}/{2} {3}",
                                      shell_quote(Path(target.path).parent_path().string()),
                                      scratch, shell_quote(path.filename().string()), quoted);
            pipe_between(from, pack, to, unpack + fmt::format(" && rm -rf {}", kScratch), cancel);
        }
    }
}

void make_workdir(Sandbox& sandbox, const std::string& path, const Cancel& cancel) {
    if (look_up(sandbox, path, cancel).there) return;
    TempFolder empty("assay-workdir");
    ::chmod(empty.path().c_str(), 0755);
    sandbox.put_folder(empty.path(), path, cancel);
}

} // namespace assay::bases
