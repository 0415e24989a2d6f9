// Holds the tree against cmake/layers.txt: every #include "assay/..." and every CMake link edge
// must be allowed there. Each check is also shown to fail on a planted mistake.
#include "assay/base/fs.h"
#include "assay/base/text.h"
#include "catch.h"

#include <map>
#include <regex>
#include <set>
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

// "assay/base/error.h" -> "assay_base"
std::string target_of_include(const std::string& path) {
    std::size_t begin = path.find('/') + 1;
    return "assay_" + path.substr(begin, path.find('/', begin) - begin);
}

std::vector<std::string> include_problems(const Layer& layer, const std::string& file,
                                          const std::string& text) {
    static const std::regex include(R"re(^\s*#\s*include\s*"(assay/[^"]+)")re");
    std::vector<std::string> problems;
    for (std::string_view line : split_lines(text)) {
        std::cmatch match;
        if (!std::regex_search(line.data(), line.data() + line.size(), match, include)) continue;
        std::string target = target_of_include(match[1]);
        if (layer.everything || target == layer.target || layer.allowed.contains(target)) continue;
        problems.push_back(file + " includes " + match[1].str() + ", which " + layer.target +
                           " may not");
    }
    return problems;
}

std::vector<std::string> edge_problems(const std::vector<Layer>& layers, const std::string& edges) {
    std::map<std::string, const Layer*> by_target;
    for (const Layer& layer : layers) by_target[layer.target] = &layer;
    std::vector<std::string> problems;
    for (std::string_view line : split_lines(edges)) {
        auto parts = words(line);
        if (parts.size() != 2 || !parts[1].starts_with("assay_")) continue;
        auto found = by_target.find(parts[0]);
        if (found == by_target.end())
            problems.push_back(parts[0] + " is not in cmake/layers.txt");
        else if (!found->second->everything && parts[1] != parts[0] &&
                 !found->second->allowed.contains(parts[1]))
            problems.push_back(parts[0] + " links " + parts[1] + ", which it may not");
    }
    return problems;
}

std::string listing(const std::vector<std::string>& problems) {
    std::string out;
    for (const std::string& problem : problems) out += problem + "\n";
    return out;
}

} // namespace

TEST_CASE("every include goes along an allowed edge") {
    RealFileSystem fs;
    std::vector<std::string> problems;
    std::size_t files = 0;
    for (const Layer& layer : read_layers()) {
        Path folder = Path(ASSAY_SOURCE_DIR) / layer.folder;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
            std::string name = entry.path().extension().string();
            if (name != ".h" && name != ".cpp" && name != ".cu" && name != ".cuh") continue;
            ++files;
            auto found = include_problems(layer, entry.path().lexically_relative(ASSAY_SOURCE_DIR),
                                          fs.read(entry.path(), 1 << 24));
            problems.insert(problems.end(), found.begin(), found.end());
        }
    }
    INFO(listing(problems));
    CHECK(problems.empty());
    CHECK(files > 20);
}

TEST_CASE("every link edge is allowed") {
    RealFileSystem fs;
    auto problems =
        edge_problems(read_layers(), fs.read(std::string(ASSAY_BUILD_DIR) + "/edges.txt", 1 << 20));
    INFO(listing(problems));
    CHECK(problems.empty());
}

TEST_CASE("the guards see a planted mistake") {
    std::vector<Layer> layers = read_layers();
    for (const Layer& layer : layers) {
        if (layer.target != "assay_reports") continue;
        CHECK(include_problems(layer, "x.cpp", "#include \"assay/sandboxes/local.h\"\n").size() ==
              1);
        CHECK(include_problems(layer, "x.cpp", "#include \"assay/store/reader.h\"\n").empty());
    }
    CHECK(edge_problems(layers, "assay_reports assay_sandboxes\n").size() == 1);
    CHECK(edge_problems(layers, "assay_nowhere assay_base\n").size() == 1);
    CHECK(edge_problems(layers, "assay_reports assay_store\n").empty());
}

TEST_CASE("the project's own rules of text") {
    // No coroutines (g++ 12.2 miscompiles them), no fork, no printing outside the command line.
    RealFileSystem fs;
    const std::regex banned(R"re(\bco_(await|yield|return)\b|\bstd::(cout|cerr)\b)re");
    std::vector<std::string> problems;
    for (const Layer& layer : read_layers()) {
        for (const auto& entry :
             std::filesystem::recursive_directory_iterator(Path(ASSAY_SOURCE_DIR) / layer.folder)) {
            std::string name = entry.path().extension().string();
            if (name != ".h" && name != ".cpp" && name != ".cu") continue;
            if (layer.everything) continue;
            std::string text = fs.read(entry.path(), 1 << 24);
            if (std::regex_search(text, banned)) problems.push_back(entry.path());
        }
    }
    INFO(listing(problems));
    CHECK(problems.empty());
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
