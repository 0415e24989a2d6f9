// tokenizer.json, read and checked: what it says, in a form that needs no further checks.
#pragma once

#include "assay/engine/tokenizer.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace assay::engine {

struct AddedToken {
    std::string content;
    TokenId id = 0;
    bool special = false;
    bool single_word = false;            // not inside a word
    bool lstrip = false, rstrip = false; // takes the spaces beside it
    bool normalized = false;             // looked for in normalised text
};

struct SplitRule {
    std::string expression; // for PCRE2
    bool keep_rest = true;  // what lies between the matches, else it is dropped
    bool keep_matches = true;
};

struct Merge { // in order of rank
    TokenId left, right, result;
};

struct TokenizerFile {
    std::string name; // for errors
    bool nfc = false;
    std::vector<SplitRule> splits;
    bool ignore_merges = false;          // a word that is a token is that token
    std::vector<std::string> tokens;     // what they decode to, by id; added tokens included
    std::vector<bool> reachable;         // by text: written in the byte alphabet
    std::array<TokenId, 256> bytes = {}; // token of each single byte
    std::vector<Merge> merges;
    std::vector<AddedToken> added;
};

TokenizerFile parse_tokenizer_file(std::string_view json, const std::string& name);

// GPT-2's alphabet: printable characters that stand for the 256 bytes. False, and `out` as it was,
// if another character is in `text`.
bool from_byte_alphabet(std::string_view text, std::string& out);

} // namespace assay::engine
