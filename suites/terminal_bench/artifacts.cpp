#include "artifacts.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace assay::terminal_bench {

namespace stdfs = std::filesystem;

namespace {

constexpr std::uint64_t kFolderLimit = 256ull << 20;
constexpr std::uint64_t kFileLimit = 64ull << 20;
constexpr std::size_t kMostFiles = 5000; // of one folder, with the trial
constexpr std::size_t kMostNames = 20;   // of what was left out

bool matches_any(const std::vector<std::string>& globs, const std::string& path) {
    return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
        return glob_match(glob, path) || glob_match(glob, Path(path).filename().string());
    });
}

void remove_excluded(const Path& folder, const std::vector<std::string>& globs) {
    if (globs.empty()) return;
    std::vector<Path> doomed;
    for (const auto& entry : stdfs::recursive_directory_iterator(folder))
        if (matches_any(globs, entry.path().lexically_relative(folder).string()))
            doomed.push_back(entry.path());
    for (const Path& path : doomed) stdfs::remove_all(path);
}

// Relative, without "..": the destination comes from the task.
std::string safe_relative(const std::string& path) {
    return Path("/" + path).lexically_normal().lexically_relative("/").string();
}

void collect_one(CollectedArtifact& out, const std::vector<std::string>& exclude, Sandbox& from,
                 const Path& host, const Cancel& cancel) {
    ExecOptions root;
    root.user = "root";
    root.cwd = "/";
    ExecResult kind =
        run_shell(from,
                  "if [ -d " + shell_quote(out.source) + " ]; then echo directory; elif [ -e " +
                      shell_quote(out.source) + " ]; then echo file; fi",
                  root, cancel);
    out.type = std::string(trim(kind.out)); // the agent may have replaced the shell
    if (out.type != "directory" && out.type != "file") {
        out.type = "";
        out.status = "failed";
        return;
    }
    stdfs::create_directories(host);
    out.left_out = from.get_folder(out.source, host, kFolderLimit, cancel);
    remove_excluded(host, exclude);
    out.host = out.type == "file" ? host / Path(out.source).filename() : host;
    bool there = out.type == "file" ? stdfs::is_regular_file(out.host) : !stdfs::is_empty(host);
    out.status = there ? "ok" : out.type == "file" ? "failed" : "empty";
}

// However many there are: each note is an event of the trial.
void note_left_out(const std::string& path, const std::vector<std::string>& names,
                   TrialContext& context) {
    for (std::size_t i = 0; i < std::min(names.size(), kMostNames); i++)
        note(context, "not kept: " + path + "/" + utf8_clean(names[i]));
    if (names.size() > kMostNames)
        note(context, fmt::format("not kept: {} more of {}", names.size() - kMostNames, path));
}

// Stores the files below `host`, the copy of `path`, of which `left_out` is lacking already.
void keep_tree(const Path& host, const std::string& path, const std::string& as,
               std::uint64_t file_limit, const char* type, std::vector<std::string> left_out,
               TrialContext& context) {
    RealFileSystem files;
    std::size_t kept = 0;
    for (const auto& entry : stdfs::recursive_directory_iterator(host)) {
        std::string name = entry.path().lexically_relative(host).string();
        if (entry.is_symlink()) left_out.push_back(name);
        if (entry.is_symlink() || !entry.is_regular_file()) continue;
        if (kept == kMostFiles || entry.file_size() > file_limit) {
            left_out.push_back(name + (kept == kMostFiles ? " (too many files)" : " (too large)"));
            continue;
        }
        kept++;
        bool json = entry.path().extension() == ".json";
        context.artifact(as + "/" + name, files.read(entry.path(), file_limit),
                         json ? "application/json" : type);
    }
    note_left_out(path, left_out, context);
}

} // namespace

void note(TrialContext& context, std::string_view text) {
    context.events().emit(EventKind::Note, "{\"text\":" + json_quote(text) + "}");
}

void run_collect_hooks(const HarborTask& task, TrialContext& context) {
    for (const CollectHook& hook : task.toml.verifier.collect) {
        if (hook.service != "main") {
            note(context, "collect hook of the service '" + hook.service + "' skipped");
            continue;
        }
        ExecOptions options;
        options.user = hook.user;
        options.merge_stderr = true;
        options.timeout = bounded_seconds(hook.timeout);
        ExecResult result = recorded_exec(context.environment().main(),
                                          {"bash", "-c", hook.command}, options, context);
        if (!result.ok())
            note(context,
                 "collect hook failed: " + (result.timed_out ? "time-out" : result.status.text()));
    }
}

std::vector<CollectedArtifact> collect_artifacts(const HarborTask& task, Sandbox& from,
                                                 const Path& host, TrialContext& context) {
    std::vector<ArtifactEntry> entries = task.toml.artifacts;
    entries.push_back(
        {.source = "/logs/artifacts", .destination = "", .service = "", .exclude = {}});
    std::vector<CollectedArtifact> out;
    for (const ArtifactEntry& entry : entries) {
        CollectedArtifact one;
        one.source = Path(entry.source).lexically_normal().string();
        one.destination =
            safe_relative(entry.destination.empty() ? entry.source : entry.destination);
        if (!entry.service.empty()) one.service = entry.service;
        if (one.service != "main" || one.source.empty() || one.source[0] != '/') {
            one.status = "skipped";
        } else {
            try {
                collect_one(one, entry.exclude, from, host / std::to_string(out.size()),
                            context.cancel());
            } catch (const SandboxLost&) {
                throw;
            } catch (const Error& e) {
                if (e.kind() == ErrorKind::Io) throw; // this machine's trouble
                note(context, "artifact " + one.source + ": " + e.message());
                one.status = "failed";
            }
        }
        out.push_back(std::move(one));
    }
    return out;
}

void restore_artifacts(const std::vector<CollectedArtifact>& artifacts, Sandbox& to,
                       TrialContext& context) {
    RealFileSystem files;
    for (const CollectedArtifact& one : artifacts) {
        if (one.status != "ok" && one.status != "empty") continue;
        if (one.type == "file") {
            auto info = files.info(one.host);
            to.put_file(one.source, files.read(one.host, kFolderLimit), info ? info->mode : 0644,
                        context.cancel());
        } else {
            to.put_folder(one.host, one.source, context.cancel());
        }
    }
}

std::map<std::string, Digest> artifact_inputs(const std::vector<CollectedArtifact>& artifacts) {
    RealFileSystem files;
    std::map<std::string, Digest> out;
    auto add = [&](const stdfs::path& host, const std::string& inside) {
        stdfs::file_status status = stdfs::symlink_status(host);
        std::string content;
        if (stdfs::is_symlink(status))
            content = stdfs::read_symlink(host).string();
        else if (stdfs::is_regular_file(status))
            content = files.read(host, kFolderLimit);
        out[inside] = sha256(fmt::format("{} {:o}\n{}", static_cast<int>(status.type()),
                                         static_cast<unsigned>(status.permissions()), content));
    };
    for (const CollectedArtifact& one : artifacts) {
        if (one.status != "ok" && one.status != "empty") continue;
        add(one.host, one.source);
        if (one.type != "directory") continue;
        for (const auto& entry : stdfs::recursive_directory_iterator(one.host))
            add(entry.path(),
                one.source + "/" + entry.path().lexically_relative(one.host).string());
    }
    return out;
}

void keep_artifacts(const std::vector<CollectedArtifact>& artifacts, TrialContext& context) {
    RealFileSystem files;
    auto manifest = nlohmann::json::array();
    for (const CollectedArtifact& one : artifacts) {
        manifest.push_back({{"source", utf8_clean(one.source)},
                            {"destination", utf8_clean("artifacts/" + one.destination)},
                            {"type", one.type},
                            {"status", one.status},
                            {"service", utf8_clean(one.service)}});
        if (one.status != "ok") continue;
        std::string base = "artifacts/" + one.destination;
        if (one.type == "file") {
            context.artifact(base, files.read(one.host, kFolderLimit), "application/octet-stream");
            continue;
        }
        keep_tree(one.host, one.source, base, kFolderLimit, "application/octet-stream",
                  one.left_out, context);
    }
    context.artifact("artifacts/manifest.json", manifest.dump(2) + "\n", "application/json");
}

void keep_folder(Sandbox& from, const std::string& path, const std::string& as,
                 TrialContext& context, const Cancel& cancel) {
    TempFolder host("assay-logs");
    auto left_out = from.get_folder(path, host.path(), kFolderLimit, cancel);
    keep_tree(host.path(), path, as, kFileLimit, "text/plain", std::move(left_out), context);
}

} // namespace assay::terminal_bench
