#include "bases/apt_sources.h"

#include "assay/base/text.h"

#include <algorithm>

namespace assay::bases {

namespace {
std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> out;
    std::string word;
    for (char c : text) {
        if (c != ' ' && c != '\t' && c != '\n') {
            word += c;
        } else if (!word.empty()) {
            out.push_back(std::move(word));
            word.clear();
        }
    }
    if (!word.empty()) out.push_back(std::move(word));
    return out;
}

bool has(const std::vector<std::string>& list, std::string_view value) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

bool has_secret(const AptSource& source) {
    return std::any_of(source.uris.begin(), source.uris.end(),
                       [](const std::string& uri) { return uri.find('@') != std::string::npos; });
}

void keep(std::vector<AptSource>& out, AptSource source) {
    if (!source.uris.empty() && !source.suites.empty() && !has_secret(source))
        out.push_back(std::move(source));
}

void set_option(AptSource& source, std::string_view option) {
    std::size_t equals = option.find('=');
    if (equals == std::string_view::npos) return;
    std::string key = to_lower(option.substr(0, equals));
    std::string value(option.substr(equals + 1));
    if (key == "signed-by") source.signed_by = value;
    if (key == "trusted") source.trusted = value == "yes";
}
} // namespace

std::string AptSource::lines() const {
    std::string options;
    if (!signed_by.empty()) options += "signed-by=" + signed_by;
    if (trusted) options += options.empty() ? "trusted=yes" : " trusted=yes";
    if (!options.empty()) options = "[" + options + "] ";
    std::string out;
    for (const std::string& uri : uris)
        for (const std::string& suite : suites) {
            out += "deb " + options + uri + " " + suite;
            for (const std::string& component : components) out += " " + component;
            out += "\n";
        }
    return out;
}

std::vector<AptSource> parse_sources_list(std::string_view text) {
    std::vector<AptSource> out;
    for (std::string_view line : split_lines(text)) {
        line = trim(line.substr(0, line.find('#')));
        if (line.substr(0, 3) != "deb" || line.size() < 5 || (line[3] != ' ' && line[3] != '\t'))
            continue;
        line = trim(line.substr(3));
        AptSource source;
        if (line[0] == '[') {
            std::size_t close = line.find(']');
            if (close == std::string_view::npos) continue;
            for (const std::string& option : words(line.substr(1, close - 1)))
                set_option(source, option);
            line = trim(line.substr(close + 1));
        }
        std::vector<std::string> parts = words(line);
        if (parts.size() < 2) continue;
        source.uris = {parts[0]};
        source.suites = {parts[1]};
        source.components.assign(parts.begin() + 2, parts.end());
        keep(out, std::move(source));
    }
    return out;
}

std::vector<AptSource> parse_deb822(std::string_view text) {
    std::vector<AptSource> out;
    AptSource source;
    bool binary = false, enabled = true;
    auto finish = [&] {
        if (binary && enabled) keep(out, std::move(source));
        source = {};
        binary = false;
        enabled = true;
    };
    std::vector<std::string> fields; // continuation lines joined
    for (std::string_view line : split_lines(text)) {
        if (!line.empty() && line[0] == '#') continue;
        bool continues = !line.empty() && (line[0] == ' ' || line[0] == '\t');
        if (continues && !fields.empty() && !fields.back().empty())
            fields.back() += "\n" + std::string(trim(line));
        else
            fields.emplace_back(trim(line));
    }
    for (const std::string& field : fields) {
        std::size_t colon = field.find(':');
        if (field.empty()) finish();
        if (colon == std::string::npos) continue;
        std::string key = to_lower(field.substr(0, colon));
        std::vector<std::string> values = words(std::string_view(field).substr(colon + 1));
        std::string first = values.empty() ? "" : values[0];
        if (key == "types")
            binary = has(values, "deb");
        else if (key == "uris")
            source.uris = values;
        else if (key == "suites")
            source.suites = values;
        else if (key == "components")
            source.components = values;
        else if (key == "signed-by" && values.size() == 1)
            source.signed_by = first;
        else if (key == "trusted")
            source.trusted = first == "yes";
        else if (key == "enabled")
            enabled = first != "no";
    }
    finish();
    return out;
}

std::vector<AptSource> read_apt_sources(const Path& etc_apt) {
    constexpr std::uint64_t kLimit = 1 << 20;
    RealFileSystem files;
    std::vector<AptSource> out;
    auto add = [&](std::vector<AptSource> more) {
        out.insert(out.end(), std::make_move_iterator(more.begin()),
                   std::make_move_iterator(more.end()));
    };
    if (files.exists(etc_apt / "sources.list"))
        add(parse_sources_list(files.read(etc_apt / "sources.list", kLimit)));
    if (!files.exists(etc_apt / "sources.list.d")) return out;
    for (const std::string& name : files.list(etc_apt / "sources.list.d")) {
        Path path = etc_apt / "sources.list.d" / name;
        if (path.extension() == ".list") add(parse_sources_list(files.read(path, kLimit)));
        if (path.extension() == ".sources") add(parse_deb822(files.read(path, kLimit)));
    }
    return out;
}

const AptSource* find_archive(const std::vector<AptSource>& sources, std::string_view codename) {
    for (const AptSource& source : sources)
        if (has(source.suites, codename) && has(source.components, "main")) return &source;
    return nullptr;
}

std::string acquire_settings(std::string_view apt_conf) {
    std::string out;
    for (std::string_view line : split_lines(apt_conf)) {
        line = trim(line);
        bool wanted = starts_with_nocase(line, "Acquire::") && line.back() == ';' &&
                      line.find('@') == std::string_view::npos &&
                      line.find('"') != std::string_view::npos &&
                      line.find("Auto-Detect") == std::string_view::npos;
        if (wanted) out += std::string(line) + "\n";
    }
    return out;
}

std::string read_acquire_settings(const Path& etc_apt) {
    RealFileSystem files;
    std::string out;
    if (files.exists(etc_apt / "apt.conf"))
        out += acquire_settings(files.read(etc_apt / "apt.conf", 1 << 20));
    if (!files.exists(etc_apt / "apt.conf.d")) return out;
    for (const std::string& name : files.list(etc_apt / "apt.conf.d"))
        out += acquire_settings(files.read(etc_apt / "apt.conf.d" / name, 1 << 20));
    return out;
}

} // namespace assay::bases
