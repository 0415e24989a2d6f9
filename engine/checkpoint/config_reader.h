// Reads keys of config.json. A key may stand in several places of a file (the original layout and
// the one that transformers 5 writes): all that are there must say the same. Everything is refused
// by name: the file is untrusted, and a number that is silently taken for another computes
// nonsense.
#pragma once

#include <nlohmann/json.hpp>

#include <initializer_list>
#include <optional>
#include <string>

namespace assay::engine {

struct Section {
    const nlohmann::json* object = nullptr; // null: there is none
    std::string path;                       // "text_config.", of messages
};

struct Key {
    const Section& section;
    const char* name;
};

struct Found {
    const nlohmann::json* value = nullptr; // null: absent
    std::string name;                      // if absent: of the first place
    explicit operator bool() const { return value != nullptr; }
};

class ConfigReader {
  public:
    explicit ConfigReader(std::string file)
        : file_(std::move(file)) {}

    [[noreturn]] void refuse(const std::string& what, const std::string& hint) const;

    Section section(const Section& in, const char* key) const; // no object: refused
    Found find(std::initializer_list<Key> keys) const;         // null in the file counts as absent

    // Absent and no `otherwise`: refused.
    std::int64_t whole(const Found& found, std::int64_t least, std::int64_t most,
                       std::optional<std::int64_t> otherwise = std::nullopt) const;
    int small(const Found& found, int least, int most, std::optional<int> otherwise = {}) const;
    double number(const Found& found, double least, double most,
                  std::optional<double> otherwise = std::nullopt) const;
    bool flag(const Found& found, bool otherwise) const;
    // Refuses all but this value; absent is fine.
    void must_be(const Found& found, const nlohmann::json& expected) const;

  private:
    std::string file_;
};

} // namespace assay::engine
