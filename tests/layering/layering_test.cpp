// Holds the tree against cmake/layers.txt: every #include and every CMake link edge, to our own
// targets and to libraries, must be allowed there. Each check is also shown to fail on a planted
// mistake.
#include "assay/base/fs.h"
#include "assay/base/text.h"
#include "catch.h"

#include <algorithm>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using namespace assay;

namespace {

struct Layer {
    std::string folder, target;
    std::set<std::string> allowed;
    bool everything = false;
};

std::vector<std::string> words(std::string_view line) {
    std::vector<std::string> out;
    for (std::string_view word : split(line, ' '))
        if (!word.empty()) out.emplace_back(word);
    return out;
}

std::vector<Layer> read_layers() {
    RealFileSystem fs;
    std::vector<Layer> layers;
    std::string text = fs.read(std::string(ASSAY_SOURCE_DIR) + "/cmake/layers.txt", 1 << 20);
    for (std::string_view line : split_lines(text)) {
        auto parts = words(line);
        if (parts.empty() || parts[0][0] == '#') continue;
        Layer layer{parts.at(0), parts.at(1), {parts.begin() + 2, parts.end()}, false};
        layer.everything = layer.allowed.contains("*");
        layers.push_back(std::move(layer));
    }
    return layers;
}

// The libraries that layers.txt may name: how their headers and their link targets begin.
struct Library {
    std::string name;
    std::vector<std::string> headers, targets;
};

const std::vector<Library> kLibraries = {
    {"Boost", {"boost/"}, {"Boost::"}},
    {"CLI11", {"CLI/"}, {"CLI11::"}},
    {"CUDA", {"cuda"}, {"CUDA::"}},
    {"OpenSSL", {"openssl/"}, {"OpenSSL::"}},
    {"Threads", {}, {"Threads::"}},
    {"archive", {"archive.h", "archive_entry.h"}, {"PkgConfig::archive"}},
    {"fmt", {"fmt/"}, {"fmt::"}},
    {"nlohmann_json", {"nlohmann/"}, {"nlohmann_json::"}},
    {"pcre2", {"pcre2.h"}, {"PkgConfig::pcre2"}},
    {"seccomp", {"seccomp.h"}, {"PkgConfig::seccomp"}},
    {"spng", {"spng.h"}, {"PkgConfig::spng"}},
    {"sqlite3", {"sqlite3.h"}, {"PkgConfig::SQLITE3"}},
    {"tomlplusplus", {"toml++/"}, {"tomlplusplus::"}},
    {"turbojpeg", {"turbojpeg.h"}, {"PkgConfig::turbojpeg"}},
    {"utf8proc", {"utf8proc.h"}, {"PkgConfig::utf8proc"}},
    {"vterm", {"vterm.h"}, {"PkgConfig::vterm"}},
    {"webp", {"webp/"}, {"PkgConfig::webp"}},
    {"zlib", {"zlib.h"}, {"ZLIB::"}},
    {"zstd", {"zstd.h"}, {"PkgConfig::ZSTD"}},
};

bool begins(const std::string& text, const std::vector<std::string>& beginnings) {
    return std::any_of(beginnings.begin(), beginnings.end(),
                       [&](const std::string& with) { return text.starts_with(with); });
}

std::string library_of(const std::string& name, std::vector<std::string> Library::* beginnings) {
    for (const Library& library : kLibraries)
        if (begins(name, library.*beginnings)) return library.name;
    return "";
}

// Headers of the C++ library, of libc, of the kernel and of the compiler are everyone's. They are
// listed, so that a library that is new here is a mistake until it has a row above.
bool of_the_system(const std::string& path) {
    static const std::set<std::string> files = {
        "dirent.h", "dlfcn.h", "elf.h",    "fcntl.h",   "grp.h",  "immintrin.h",
        "malloc.h", "netdb.h", "poll.h",   "pthread.h", "pwd.h",  "sched.h",
        "signal.h", "spawn.h", "stdint.h", "termios.h", "time.h", "unistd.h"};
    return path.find_first_of("./") == std::string::npos || files.contains(path) ||
           begins(path, {"arpa/", "linux/", "net/", "netinet/", "sys/"});
}

// What a row must have for this include: "assay_base", "fmt"; "" is everyone's.
std::string needed_for(const std::string& path, bool quoted) {
    if (path.starts_with("assay/")) return "assay_" + std::string(split(path, '/').at(1));
    std::string library = library_of(path, &Library::headers);
    if (!library.empty() || quoted || of_the_system(path)) return library; // quoted: our own
    return "a library that is not known";
}

std::vector<std::string> include_problems(const Layer& layer, const std::string& file,
                                          const std::string& text) {
    static const std::regex include(R"re(^\s*#\s*include\s*([<"])([^">]+)[">])re");
    std::vector<std::string> problems;
    for (std::string_view line : split_lines(text)) {
        std::cmatch match;
        if (!std::regex_search(line.data(), line.data() + line.size(), match, include)) continue;
        std::string needed = needed_for(match[2], match[1] == "\"");
        if (needed.empty() || layer.everything || needed == layer.target ||
            layer.allowed.contains(needed))
            continue;
        problems.push_back(file + " includes " + match[2].str() + ", of " + needed + ", which " +
                           layer.target + " may not");
    }
    return problems;
}

std::vector<std::string> edge_problems(const std::vector<Layer>& layers, const std::string& edges) {
    std::map<std::string, const Layer*> by_target;
    for (const Layer& layer : layers) by_target[layer.target] = &layer;
    std::vector<std::string> problems;
    for (std::string_view line : split_lines(edges)) {
        auto parts = words(line);
        if (parts.empty()) continue;
        auto found = by_target.find(parts.at(0));
        std::string needed = parts.at(1);
        if (!needed.starts_with("assay_")) needed = library_of(needed, &Library::targets);
        if (found == by_target.end())
            problems.push_back(parts[0] + " is not in cmake/layers.txt");
        else if (!found->second->everything && !found->second->allowed.contains(needed))
            problems.push_back(parts[0] + " links " + parts[1] + ", which it may not");
    }
    return problems;
}

struct TextRule {
    std::string name;
    std::regex banned;
    std::vector<std::string> except; // how the paths begin where it is allowed
};

const std::vector<TextRule> kTextRules = {
    // g++ 12.2 miscompiles them.
    {"coroutine", std::regex(R"re(\bco_(await|yield|return)\b)re"), {}},
    // Children are made by io/spawner.h, which says why. These are small programs of one thread.
    {"fork",
     std::regex(R"re(\bv?fork\s*\()re"),
     {"sandboxes/launch/", "sandboxes/init/", "suites/kernel_bench/runner/"}},
    // The command line owns the terminal; the others are programs of their own.
    {"printing",
     std::regex(R"re(\bstd::(cout|cerr|clog)\b|\bfmt::print\b|\bperror\s*\()re"
                R"re(|\b(v?[fd]?printf|f?puts|f?putc|putchar)\s*\()re"),
     {"harness/cli/", "sandboxes/launch/", "sandboxes/init/", "suites/kernel_bench/runner/",
      "suites/mcp_atlas/kit/"}},
};

std::vector<std::string> text_problems(const std::string& file, const std::string& text) {
    std::vector<std::string> problems;
    for (const TextRule& rule : kTextRules)
        if (!begins(file, rule.except) && std::regex_search(text, rule.banned))
            problems.push_back(file + ": " + rule.name);
    return problems;
}

std::string listing(const std::vector<std::string>& problems) {
    std::string out;
    for (const std::string& problem : problems) out += problem + "\n";
    return out;
}

using Check = std::function<std::vector<std::string>(const Layer& layer, const std::string& file,
                                                     const std::string& text)>;

void check_sources(const Check& check) {
    RealFileSystem fs;
    std::vector<std::string> problems;
    std::size_t files = 0;
    for (const Layer& layer : read_layers()) {
        Path folder = Path(ASSAY_SOURCE_DIR) / layer.folder;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
            std::string name = entry.path().extension().string();
            if (name != ".h" && name != ".cpp" && name != ".cu" && name != ".cuh") continue;
            ++files;
            auto found = check(layer, entry.path().lexically_relative(ASSAY_SOURCE_DIR),
                               fs.read(entry.path(), 1 << 24));
            problems.insert(problems.end(), found.begin(), found.end());
        }
    }
    INFO(listing(problems));
    CHECK(problems.empty());
    CHECK(files > 20);
}

} // namespace

TEST_CASE("every include goes along an allowed edge") {
    check_sources(include_problems);
}

TEST_CASE("every link edge is allowed") {
    RealFileSystem fs;
    auto problems =
        edge_problems(read_layers(), fs.read(std::string(ASSAY_BUILD_DIR) + "/edges.txt", 1 << 20));
    INFO(listing(problems));
    CHECK(problems.empty());
}

TEST_CASE("every word of the table means something") {
    std::set<std::string> known = {"*"};
    for (const Library& library : kLibraries) known.insert(library.name);
    for (const Layer& layer : read_layers()) known.insert(layer.target);
    for (const Layer& layer : read_layers())
        for (const std::string& word : layer.allowed) {
            INFO(layer.target << ": " << word);
            CHECK(known.contains(word));
        }
}

TEST_CASE("the guards see a planted mistake") {
    std::vector<Layer> layers = read_layers();
    auto refused = [&](const std::string& target, const std::string& header) {
        for (const Layer& layer : layers)
            if (layer.target == target)
                return !include_problems(layer, "x.cpp", "#include " + header + "\n").empty();
        throw std::logic_error("no row " + target);
    };
    CHECK(refused("assay_reports", "\"assay/sandboxes/local.h\""));
    CHECK_FALSE(refused("assay_reports", "\"assay/store/reader.h\""));
    CHECK(refused("assay_base", "<boost/asio.hpp>"));
    CHECK_FALSE(refused("assay_net", "<boost/asio.hpp>"));
    CHECK(refused("assay_kernels", "<fmt/format.h>"));
    CHECK(refused("assay_kernels", "\"assay/base/error.h\""));
    CHECK(refused("assay_reports", "<sqlite3.h>"));
    CHECK(refused("assay_reports", "\"sqlite3.h\""));
    CHECK(refused("assay_net", "<nlohmann/json.hpp>"));
    CHECK(refused("assay_store", "<archive.h>"));
    CHECK(refused("assay_sandboxes", "<git2.h>")); // known to no row
    CHECK(refused("assay_api", "<toml++/toml.h>"));
    CHECK(refused("assay_agents", "<vterm.h>"));
    CHECK(refused("assay_run", "<CLI/CLI.hpp>"));
    CHECK(refused("assay_sandboxes", "<zstd.h>"));
    CHECK(refused("assay_mcp", "<openssl/ssl.h>"));
    CHECK(refused("assay_io", "<seccomp.h>"));
    CHECK(refused("assay_base", "<zlib.h>"));
    CHECK(refused("assay_base", "<cuda_runtime.h>"));
    CHECK(refused("assay_models", "<spng.h>"));
    CHECK(refused("assay_models", "<turbojpeg.h>"));
    CHECK(refused("assay_models", "<webp/decode.h>"));
    CHECK_FALSE(refused("assay_engine", "<webp/decode.h>"));
    CHECK_FALSE(refused("assay_base", "<sys/stat.h>"));
    CHECK_FALSE(refused("assay_kernels", "<vector>"));
    CHECK_FALSE(refused("assay", "<git2.h>"));

    auto links = [&](const std::string& edge) { return edge_problems(layers, edge).empty(); };
    CHECK_FALSE(links("assay_reports assay_sandboxes\n"));
    CHECK_FALSE(links("assay_nowhere assay_base\n"));
    CHECK(links("assay_reports assay_store\n"));
    CHECK_FALSE(links("assay_reports PkgConfig::SQLITE3\n"));
    CHECK(links("assay_store PkgConfig::SQLITE3\n"));
    CHECK_FALSE(links("assay_base Boost::headers\n"));
    CHECK_FALSE(links("assay_kernels fmt::fmt\n"));
    CHECK_FALSE(links("assay_base some_library.so\n"));
}

TEST_CASE("the project's own rules of text") {
    check_sources([](const Layer&, const std::string& file, const std::string& text) {
        return text_problems(file, text);
    });

    auto fine = [](const char* file, const char* text) {
        return text_problems(file, text).empty();
    };
    CHECK_FALSE(fine("harness/cli/x.cpp", "co_await x;"));
    CHECK_FALSE(fine("harness/io/x.cpp", "pid_t p = ::fork();"));
    CHECK_FALSE(fine("harness/cli/x.cpp", "vfork ()"));
    CHECK(fine("sandboxes/launch/x.cpp", "fork()"));
    CHECK(fine("harness/io/x.cpp", "in_fork_of(x)"));
    for (const char* call :
         {"std::cout << 1", "std::cerr", "printf(\"x\")", "std::fprintf(f, \"\")", "puts(x)",
          "fputs(x, f)", "fmt::print(x)", "perror(x)"}) {
        INFO(call);
        CHECK_FALSE(fine("reports/x.cpp", call));
        CHECK_FALSE(fine("sandboxes/local/x.cpp", call));
        CHECK(fine("harness/cli/x.cpp", call));
    }
    CHECK(fine("reports/x.cpp", "std::snprintf(text, 4, \"\")"));
}

TEST_CASE("a minimal suite costs four files and one line") {
    RealFileSystem fs;
    std::size_t files = 1; // the factory header
    for (const auto& entry : std::filesystem::recursive_directory_iterator(Path(ASSAY_SOURCE_DIR) /
                                                                           "suites" / "example"))
        files += entry.is_regular_file() ? 1u : 0u;
    CHECK(files <= 4);
    std::string registry =
        fs.read(std::string(ASSAY_SOURCE_DIR) + "/harness/cli/registry.cpp", 1 << 20);
    std::size_t lines = 0;
    for (std::string_view line : split_lines(registry))
        lines += line.find("make_example") != std::string_view::npos ? 1u : 0u;
    CHECK(lines == 1);
}
