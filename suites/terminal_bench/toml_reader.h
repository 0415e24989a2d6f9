// Typed reading of a TOML table: wrong types are Error(Input) "FILE:LINE:COLUMN: KEY ...", and keys
// that nobody asked for can be listed.
#pragma once

#include <toml++/toml.h>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace assay::terminal_bench {

class TomlReader {
  public:
    TomlReader(const toml::table& table, std::string file, std::string path,
               std::vector<std::string>& unknown);

    bool has(std::string_view key) const { return table_.contains(key); }
    // Absent: the value stays as it is.
    void text(std::string_view key, std::string& out);
    void text_or_number(std::string_view key, std::string& out); // users: a name or a number
    void number(std::string_view key, double& out);
    void number(std::string_view key, std::optional<double>& out);
    void count(std::string_view key, std::optional<std::uint64_t>& out);
    void small(std::string_view key, int& out);
    void flag(std::string_view key, std::optional<bool>& out);
    void texts(std::string_view key, std::vector<std::string>& out);
    void variables(std::string_view key, std::map<std::string, std::string>& out);
    // A text out of a few; anything else is an error that lists them.
    void choice(std::string_view key, std::string& out, const std::vector<std::string>& allowed);
    void table(std::string_view key, const std::function<void(TomlReader&)>& read);
    void tables(std::string_view key, const std::function<void(TomlReader&)>& read);

    const toml::node* node(std::string_view key); // counts as known
    void ignore(std::string_view key) { known_.insert(std::string(key)); }
    void require(std::string_view key) const;
    void finish(); // lists the unknown keys

    [[noreturn]] void fail(std::string_view key, std::string_view what) const;

  private:
    std::string name(std::string_view key) const;
    std::optional<double> finite(std::string_view key);

    const toml::table& table_;
    std::string file_, path_;
    std::vector<std::string>& unknown_;
    std::set<std::string, std::less<>> known_;
};

} // namespace assay::terminal_bench
