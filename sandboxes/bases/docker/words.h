// Word splitting and variables of Dockerfile arguments. Pure.
//
// $VAR, ${VAR}, ${VAR:-word}, ${VAR-word}, ${VAR:+word}, ${VAR+word}; no expansion inside single
// quotes; the escape character takes the next one literally. Other ${} forms are Error(Input).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace assay::bases {

using Variables = std::map<std::string, std::string>;

// One argument that may hold spaces (WORKDIR, USER): quotes are removed, variables replaced.
std::string expand(std::string_view text, const Variables& variables, char escape);
// Arguments separated by blanks outside of quotes (COPY, FROM).
std::vector<std::string> expand_words(std::string_view text, const Variables& variables,
                                      char escape);
// "k=v k2='v w'" or the old form "k v w"; for ENV and LABEL.
std::vector<std::pair<std::string, std::string>>
expand_pairs(std::string_view text, const Variables& variables, char escape);
// Variables only: quotes are ordinary characters (heredocs of COPY).
std::string expand_body(std::string_view text, const Variables& variables);

} // namespace assay::bases
