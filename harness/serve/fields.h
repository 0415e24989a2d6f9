// Reads a JSON object of a request strictly: each field has its type and range, and at the end a
// field that nobody asked for is refused by name. A null counts as absent.
//
//   Fields fields(json, "");
//   auto top_p = fields.number("top_p", 0, 1);
//   fields.ignore({"user", "metadata"});
//   fields.refuse_rest();
#pragma once

#include "api_error.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace assay::serve {

using Json = nlohmann::ordered_json; // the order of a tool's schema is what the model sees

[[noreturn]] void bad_request(const std::string& parameter, const std::string& problem);

class Fields {
  public:
    // Borrows the object. `where` is its path, for errors; empty for the body.
    Fields(const Json& object, std::string where);

    const Json* find(std::string_view name); // nullptr: absent or null
    const Json& need(std::string_view name);
    std::optional<std::string> text(std::string_view name);
    std::string need_text(std::string_view name);
    std::optional<double> number(std::string_view name, double least, double most);
    std::optional<std::int64_t> integer(std::string_view name, std::int64_t least,
                                        std::int64_t most);
    std::optional<bool> flag(std::string_view name);
    const Json* list(std::string_view name);
    const Json* object(std::string_view name);

    void ignore(std::initializer_list<std::string_view> names); // they change no answer
    // Fine if absent or equal to `only`, which is what we do anyway; else refused by name.
    void refuse_unless(std::string_view name, const Json& only, const std::string& why);
    void refuse_rest() const;

    std::string path(std::string_view name) const; // "messages[0].content"

  private:
    const Json& object_;
    std::string where_;
    std::set<std::string, std::less<>> known_;
};

// "messages[3]"
std::string item_path(const std::string& list, std::size_t index);
// The body of a request. Throws ApiError.
Json parse_body(std::string_view body);
std::string dump(const Json& json); // never throws on bytes that are not UTF-8

} // namespace assay::serve
