#include "digest.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <algorithm>
#include <array>

namespace assay::terminal_bench {

namespace stdfs = std::filesystem;

namespace {

constexpr std::uint64_t kLargestFile = 4ull << 30;

// The rules of a .gitignore that task folders use: names, paths, folders, '!'.
class IgnoreFile {
  public:
    explicit IgnoreFile(std::string_view text) {
        for (std::string_view line : split_lines(text)) {
            line = trim(line);
            if (line.empty() || line[0] == '#') continue;
            Rule rule;
            rule.keep = line[0] == '!';
            if (rule.keep) line.remove_prefix(1);
            rule.folder = !line.empty() && line.back() == '/';
            if (rule.folder) line.remove_suffix(1);
            rule.anchored = line.find('/') != std::string_view::npos;
            if (!line.empty() && line[0] == '/') line.remove_prefix(1);
            rule.pattern = std::string(line);
            rules_.push_back(std::move(rule));
        }
    }
    bool ignores(std::string_view path, bool folder) const {
        std::string_view leaf = path.substr(path.rfind('/') + 1);
        bool ignored = false;
        for (const Rule& rule : rules_)
            if ((!rule.folder || folder) && glob_match(rule.pattern, rule.anchored ? path : leaf))
                ignored = !rule.keep;
        return ignored;
    }

  private:
    struct Rule {
        std::string pattern;
        bool keep = false, folder = false, anchored = false;
    };
    std::vector<Rule> rules_;
};

constexpr std::string_view kDefaultRules = ".git/\n__pycache__/\n*.pyc\n.DS_Store\n";

// Links to files count as files; links to folders do not: they lead out, or round in circles.
template<class Skip>
void walk(const Path& root, const std::string& relative, const Skip& skip,
          std::vector<std::string>& out) {
    std::error_code code;
    for (const auto& entry : stdfs::directory_iterator(root / relative, code)) {
        std::string path = relative.empty() ? entry.path().filename().string()
                                            : relative + "/" + entry.path().filename().string();
        bool folder = entry.is_directory(code) && !entry.is_symlink(code);
        if (skip(path, folder, entry.is_symlink(code))) continue;
        if (folder)
            walk(root, path, skip, out);
        else if (entry.is_regular_file(code))
            out.push_back(path);
    }
}

std::string length_prefix(std::size_t size) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((size >> shift) & 0xff);
    return out;
}

} // namespace

std::vector<std::string> task_files(const Path& folder) {
    RealFileSystem files;
    IgnoreFile ignore(files.exists(folder / ".gitignore")
                          ? files.read(folder / ".gitignore", 1 << 20)
                          : std::string(kDefaultRules));
    auto skip = [&](const std::string& path, bool is_folder, bool) {
        return ignore.ignores(path, is_folder);
    };
    std::vector<std::string> out;
    for (const char* name : {"task.toml", "instruction.md", "README.md"})
        if (stdfs::is_regular_file(folder / name)) out.emplace_back(name);
    for (const char* name : {"environment", "tests", "solution", "steps"})
        if (stdfs::is_directory(stdfs::symlink_status(folder / name)) &&
            !ignore.ignores(name, true))
            walk(folder, name, skip, out);
    std::sort(out.begin(), out.end());
    return out;
}

std::string task_digest(const Path& folder) {
    RealFileSystem files;
    Sha256 sum;
    for (const std::string& path : task_files(folder)) {
        sum.update(path);
        sum.update(std::string_view("\0", 1));
        sum.update(sha256(files.read(folder / path, kLargestFile)).hex());
        sum.update("\n");
    }
    return "sha256:" + sum.finish().hex();
}

std::string environment_hash(const Path& environment, const std::string& docker_image) {
    constexpr std::array kSkipped = {".DS_Store", ".git", "__pycache__"};
    auto skip = [&](const std::string& path, bool, bool link) {
        std::string leaf = path.substr(path.rfind('/') + 1);
        return link || std::find(kSkipped.begin(), kSkipped.end(), leaf) != kSkipped.end();
    };
    std::vector<std::string> paths;
    walk(environment, "", skip, paths);
    std::sort(paths.begin(), paths.end());
    if (paths.empty()) return sha256(docker_image).hex().substr(0, 32);
    RealFileSystem files;
    Sha256 sum;
    for (const std::string& path : paths) {
        std::string content = files.read(environment / path, kLargestFile);
        sum.update(length_prefix(path.size()));
        sum.update(path);
        sum.update(length_prefix(content.size()));
        sum.update(content);
    }
    return sum.finish().hex().substr(0, 32);
}

} // namespace assay::terminal_bench
