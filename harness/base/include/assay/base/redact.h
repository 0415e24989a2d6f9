// Secrets never reach the store, the report or a log: every sink runs text through a Redactor.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// Knows secret values; replaces each occurrence with "[REDACTED:name]", also in its base64, URL and
// JSON-escaped form. Thread-safe. Values shorter than 6 characters are refused (they would match
// innocent text): add() returns false.
class Redactor {
  public:
    bool add(std::string_view name, std::string_view value);
    std::string clean(std::string text) const;
    bool empty() const;

  private:
    struct Secret {
        std::string needle;
        std::string replacement;
    };
    mutable std::mutex mutex_;
    std::vector<Secret> secrets_; // longest first
};

// Environment variable and config keys whose value is a secret by name: KEY, TOKEN, SECRET,
// PASSWORD, CREDENTIAL, AUTH as a word part.
bool is_secret_name(std::string_view name);

} // namespace assay
