#include "toml_reader.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace assay::terminal_bench {

TomlReader::TomlReader(const toml::table& table, std::string file, std::string path,
                       std::vector<std::string>& unknown)
    : table_(table)
    , file_(std::move(file))
    , path_(std::move(path))
    , unknown_(unknown) {}

std::string TomlReader::name(std::string_view key) const {
    return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

void TomlReader::fail(std::string_view key, std::string_view what) const {
    const toml::node* at = table_.get(key);
    toml::source_position where = at ? at->source().begin : table_.source().begin;
    throw Error(ErrorKind::Input, fmt::format("{}:{}:{}: {} {}", file_, where.line, where.column,
                                              utf8_clean(name(key)), what));
}

const toml::node* TomlReader::node(std::string_view key) {
    known_.insert(std::string(key));
    return table_.get(key);
}

void TomlReader::require(std::string_view key) const {
    if (!table_.contains(key)) fail(key, "is missing");
}

void TomlReader::text(std::string_view key, std::string& out) {
    const toml::node* at = node(key);
    if (!at) return;
    if (!at->is_string()) fail(key, "must be a text");
    out = at->as_string()->get();
    if (out.find('\0') != std::string::npos) fail(key, "holds a NUL character");
}

void TomlReader::text_or_number(std::string_view key, std::string& out) {
    const toml::node* at = node(key);
    if (!at) return;
    if (!at->is_integer()) return text(key, out);
    if (at->as_integer()->get() < 0) fail(key, "must not be negative");
    out = std::to_string(at->as_integer()->get());
}

std::optional<double> TomlReader::finite(std::string_view key) {
    const toml::node* at = node(key);
    if (!at) return std::nullopt;
    std::optional<double> value;
    if (at->is_integer()) value = static_cast<double>(at->as_integer()->get());
    if (at->is_floating_point()) value = at->as_floating_point()->get();
    if (!value) fail(key, "must be a number");
    if (!std::isfinite(*value) || *value < 0 || *value > 1e12)
        fail(key, "must be a number between 0 and 1e12");
    return value;
}

void TomlReader::number(std::string_view key, double& out) {
    if (auto value = finite(key)) out = *value;
}

void TomlReader::number(std::string_view key, std::optional<double>& out) {
    if (auto value = finite(key)) out = value;
}

void TomlReader::count(std::string_view key, std::optional<std::uint64_t>& out) {
    auto value = finite(key);
    if (!value) return;
    if (*value != std::floor(*value)) fail(key, "must be a whole number");
    out = static_cast<std::uint64_t>(*value);
}

void TomlReader::small(std::string_view key, int& out) {
    std::optional<std::uint64_t> value;
    count(key, value);
    if (value && *value > 1'000'000) fail(key, "is too large");
    if (value) out = static_cast<int>(*value);
}

void TomlReader::flag(std::string_view key, std::optional<bool>& out) {
    const toml::node* at = node(key);
    if (!at) return;
    if (!at->is_boolean()) fail(key, "must be true or false");
    out = at->as_boolean()->get();
}

void TomlReader::texts(std::string_view key, std::vector<std::string>& out) {
    const toml::node* at = node(key);
    if (!at) return;
    if (!at->is_array()) fail(key, "must be an array of texts");
    out.clear();
    for (const toml::node& one : *at->as_array()) {
        if (!one.is_string()) fail(key, "must be an array of texts");
        out.push_back(one.as_string()->get());
    }
}

void TomlReader::variables(std::string_view key, std::map<std::string, std::string>& out) {
    const toml::node* at = node(key);
    if (!at) return;
    if (!at->is_table()) fail(key, "must be a table");
    for (const auto& [variable, value] : *at->as_table()) {
        std::string label(variable.str());
        bool valid =
            !label.empty() && label.find_first_of(std::string_view("=\0", 2)) == std::string::npos;
        if (!valid) fail(key, "has a variable without a valid name");
        if (!value.is_string()) fail(key, "." + label + " must be a text");
        out[label] = value.as_string()->get();
    }
}

void TomlReader::choice(std::string_view key, std::string& out,
                        const std::vector<std::string>& allowed) {
    if (!has(key)) return ignore(key);
    text(key, out);
    if (std::find(allowed.begin(), allowed.end(), out) != allowed.end()) return;
    fail(key, fmt::format("is '{}'; possible: {}", utf8_clean(out), fmt::join(allowed, ", ")));
}

void TomlReader::table(std::string_view key, const std::function<void(TomlReader&)>& read) {
    const toml::node* at = node(key);
    if (!at) return;
    if (!at->is_table()) fail(key, "must be a table");
    TomlReader inner(*at->as_table(), file_, name(key), unknown_);
    read(inner);
    inner.finish();
}

void TomlReader::tables(std::string_view key, const std::function<void(TomlReader&)>& read) {
    const toml::node* at = node(key);
    if (!at) return;
    if (!at->is_array()) fail(key, "must be an array of tables");
    int index = 0;
    for (const toml::node& one : *at->as_array()) {
        if (!one.is_table()) fail(key, "must be an array of tables");
        TomlReader inner(*one.as_table(), file_, fmt::format("{}[{}]", name(key), index++),
                         unknown_);
        read(inner);
        inner.finish();
    }
}

void TomlReader::finish() {
    for (const auto& [key, value] : table_)
        if (!known_.contains(key.str())) unknown_.push_back(utf8_clean(name(key.str())));
}

} // namespace assay::terminal_bench
