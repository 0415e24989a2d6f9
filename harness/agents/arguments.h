// Arguments of a tool call, checked as they are asked for. What is wrong is thrown as a BadArgument
// whose text the model can act on.
#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace assay {

class BadArgument : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

class Arguments {
  public:
    explicit Arguments(std::string_view json)
        : json_(nlohmann::json::parse(json)) {}

    std::string text(const char* key) const;
    std::optional<std::string> optional_text(const char* key) const;
    std::optional<double> optional_number(const char* key) const;
    // A whole number; models write them as 3, 3.0 and "3".
    std::optional<long> optional_integer(const char* key) const;

  private:
    const nlohmann::json* find(const char* key) const;
    nlohmann::json json_;
};

} // namespace assay
