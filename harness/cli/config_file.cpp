#include "config_file.h"

#include "assay/base/error.h"
#include "assay/base/fs.h"
#include "assay/base/text.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <set>

namespace assay {

namespace {

std::string option_name(std::string_view word) { // "--jobs=2" -> "--jobs"
    return std::string(word.substr(0, word.find('=')));
}

std::set<std::string> options_in(const std::vector<std::string>& words) {
    std::set<std::string> names;
    for (const std::string& word : words) {
        if (word == "-o" || (word.starts_with("-o") && !word.starts_with("--")))
            names.insert("--output");
        else if (word.starts_with("--"))
            names.insert(option_name(word));
    }
    return names;
}

std::string place(const std::string& file, const toml::source_position& at) {
    return fmt::format("{}:{}:{}", file, at.line, at.column);
}

[[noreturn]] void fail(const std::string& file, const toml::source_position& at,
                       const std::string& what) {
    throw Error(ErrorKind::Usage, place(file, at) + ": " + what)
        .hint("a config file holds the options of the command line; see `assay run --help`");
}

std::string scalar(const toml::node& node, const std::string& key, const std::string& file) {
    if (auto text = node.as_string()) return text->get();
    if (auto number = node.as_integer()) return std::to_string(number->get());
    if (auto number = node.as_floating_point()) return fmt::format("{}", number->get());
    if (auto flag = node.as_boolean()) return flag->get() ? "true" : "false";
    fail(file, node.source().begin, "'" + key + "' must be a string, a number or a boolean");
}

void append(std::vector<std::string>& out, const std::string& option, const toml::node& node,
            const std::string& key, const std::string& file) {
    if (const auto* list = node.as_array()) {
        for (const toml::node& item : *list) append(out, option, item, key, file);
    } else if (const auto* table = node.as_table()) {
        for (const auto& [name, value] : *table)
            out.push_back(option + "=" + std::string(name.str()) + "=" + scalar(value, key, file));
    } else if (const auto* flag = node.as_boolean()) {
        if (flag->get()) out.push_back(option);
    } else {
        out.push_back(option + "=" + scalar(node, key, file));
    }
}

bool has_positional(const std::vector<std::string>& words) {
    // Behind the command: a word that is neither an option nor an option's value. Options with a
    // value take the next word, flags are the few named here.
    static const std::set<std::string> flags = {"--dry-run", "--quiet", "--json", "--verbose"};
    for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i].starts_with("-")) {
            bool own_value = words[i].find('=') != std::string::npos || flags.contains(words[i]);
            if (!own_value) ++i;
        } else {
            return true;
        }
    }
    return false;
}

} // namespace

ConfiguredWords merge_config(const std::vector<std::string>& words, std::string_view text,
                             const std::string& file, const std::set<std::string>& known) {
    toml::table table;
    try {
        table = toml::parse(text, file);
    } catch (const toml::parse_error& e) {
        fail(file, e.source().begin, std::string(e.description()));
    }
    std::set<std::string> given = options_in(words);
    std::vector<std::string> added, positional;
    ConfiguredWords out;
    for (const auto& [name, node] : table) {
        std::string key = replace_all(std::string(name.str()), "_", "-");
        const toml::source_position& at = name.source().begin;
        if (key == "config") fail(file, at, "a config file cannot name another");
        if (key == "suite" || key == "run") {
            if (!has_positional(words)) positional.push_back(scalar(node, key, file));
            continue;
        }
        std::string option = "--" + key;
        if (!known.contains(option))
            fail(file, at,
                 fmt::format("'{}': assay {} has no option {}", name.str(), words.at(0), option));
        if (given.contains(option)) continue;
        out.origin[option] = place(file, at);
        append(added, option, node, key, file);
    }
    out.words.assign(words.begin(), words.begin() + (words.empty() ? 0 : 1));
    out.words.insert(out.words.end(), positional.begin(), positional.end());
    out.words.insert(out.words.end(), added.begin(), added.end());
    out.words.insert(out.words.end(), words.begin() + (words.empty() ? 0 : 1), words.end());
    return out;
}

ConfiguredWords with_config_file(const std::vector<std::string>& words,
                                 const std::set<std::string>& known) {
    std::string file;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == "--config" && i + 1 < words.size()) file = words[i + 1];
        if (words[i].starts_with("--config=")) file = words[i].substr(9);
    }
    if (file.empty() || !known.contains("--config")) return {words, {}};
    return merge_config(words, RealFileSystem().read(file, 1 << 20), file, known);
}

} // namespace assay
