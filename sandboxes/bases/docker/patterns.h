// Path patterns as Docker has them: of COPY sources and of .dockerignore. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay::bases {

// '*' and '?' stay within a component, '**' spans any number of them, [a-z] and [^a-z].
bool path_match(std::string_view pattern, std::string_view path);
bool has_wildcard(std::string_view pattern);

class IgnoreRules {
  public:
    static IgnoreRules parse(std::string_view text); // .dockerignore
    // The last rule that matches the path or a folder above it decides.
    bool ignores(std::string_view path) const;
    // Whether a folder that is ignored may still hold something that is not.
    bool has_exceptions() const { return exceptions_; }

  private:
    struct Rule {
        std::string pattern;
        bool keep;
    };
    std::vector<Rule> rules_;
    bool exceptions_ = false;
};

} // namespace assay::bases
