// Completions under a constraint: given texts, token by token, and random ones.
#pragma once

#include "assay/engine/constrain.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walks {

using namespace assay::engine;

inline const Tokenizer& tokenizer(const std::string& name = "plain") {
    static const auto plain = Tokenizer::open(ASSAY_TEST_DATA "/m3/tokenizer/plain.json");
    static const auto slash = Tokenizer::open(ASSAY_TEST_DATA "/m3/tokenizer/slash-nfc.json");
    return name == "plain" ? *plain : *slash;
}

inline const Vocabulary& vocabulary(const std::string& name = "plain") {
    static const auto plain = Vocabulary::create(tokenizer("plain"));
    static const auto slash = Vocabulary::create(tokenizer("slash-nfc"));
    return name == "plain" ? *plain : *slash;
}

// What a random choice can come from anywhere, for a fixed seed.
class Dice {
  public:
    explicit Dice(std::uint64_t seed)
        : state_(seed * 2 + 1) {}
    std::size_t below(std::size_t bound) {
        state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
        return static_cast<std::size_t>((state_ >> 33) % bound);
    }

  private:
    std::uint64_t state_;
};

// The tokens of a text by bytes alone: those of one byte.
inline std::vector<TokenId> byte_tokens(std::string_view text) {
    std::vector<TokenId> ids;
    for (char c : text) ids.push_back(*tokenizer().id(std::string_view(&c, 1)));
    return ids;
}

// Is the text a whole completion?
inline bool follows(Constraint& constraint, const std::vector<TokenId>& ids) {
    for (TokenId id : ids) {
        if (!constraint.allowed()[static_cast<std::size_t>(id)]) return false;
        constraint.accept(id);
    }
    return constraint.complete();
}

struct Walk {
    std::vector<TokenId> ids;
    std::string text;
    bool complete = false;
};

// Random tokens until nothing is allowed, or until it may end and a die of six says so.
inline Walk walk(const Tokenizer& of, Constraint& constraint, Dice& dice, std::size_t most) {
    Walk out;
    while (out.ids.size() < most) {
        std::vector<TokenId> choices;
        const auto& allowed = constraint.allowed();
        for (std::size_t i = 0; i < allowed.size(); ++i)
            if (allowed[i]) choices.push_back(static_cast<TokenId>(i));
        if (choices.empty() || (constraint.complete() && dice.below(6) == 0)) break;
        TokenId id = choices[dice.below(choices.size())];
        constraint.accept(id);
        out.ids.push_back(id);
        out.text += of.token(id);
    }
    out.complete = constraint.complete();
    return out;
}

} // namespace walks
