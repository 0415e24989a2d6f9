// tokenizer.json as Hugging Face writes it: byte-level BPE, split expression, normaliser and added
// tokens, exactly as the `tokenizers` library reads them.
//
//   auto tokenizer = Tokenizer::open(folder / "tokenizer.json");
//   std::vector<TokenId> ids = tokenizer->encode("Hello");
//   TextStream text(*tokenizer, SpecialTokens::Skip);
//   for (TokenId id : ids) show(text.push(id));
//   show(text.finish());
//
// A Tokenizer may be used from any number of threads at once. Nothing is put before or behind a
// text: post-processor, truncation and padding of the file are not applied.
#pragma once

#include "assay/base/fs.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay::engine {

using TokenId = std::int32_t;

// What a marker such as <think> in a text becomes: its own token, or the tokens of its letters, for
// text of strangers that must not pass for the template's.
enum class Markers { Tokens, Text };
enum class SpecialTokens { Keep, Skip }; // added tokens that the file calls special

class Tokenizer {
  public:
    // Throws Error(Input), or Error(Unsupported) for a kind of tokenizer that is not known here; it
    // names the file and the key.
    static std::unique_ptr<const Tokenizer> open(const Path& file);
    static std::unique_ptr<const Tokenizer> parse(std::string_view json, const std::string& file);
    virtual ~Tokenizer() = default;

    // Throws Error(Input) if the text is not UTF-8.
    virtual std::vector<TokenId> encode(std::string_view text,
                                        Markers markers = Markers::Tokens) const = 0;
    // U+FFFD for bytes that are no UTF-8. Ids that are no token are left out.
    std::string decode(std::span<const TokenId> ids,
                       SpecialTokens special = SpecialTokens::Keep) const;

    virtual TokenId size() const = 0; // ids are 0 to size - 1, added tokens among them
    // The bytes that it decodes to, maybe a part of a character; empty if there is no such id.
    virtual std::string_view token(TokenId id) const = 0;
    virtual std::optional<TokenId> id(std::string_view bytes) const = 0; // added tokens first
    virtual bool special(TokenId id) const = 0;
};

// Text of tokens that come one by one. The pieces together are what decode() makes of all of them:
// bytes wait until their character is complete. Not for several threads at once.
class TextStream {
  public:
    TextStream(const Tokenizer& tokenizer, SpecialTokens special); // borrowed
    std::string push(TokenId id);
    std::string finish(); // U+FFFD if a character was begun; then it is as new

  private:
    const Tokenizer& tokenizer_;
    SpecialTokens special_;
    std::string pending_; // the beginning of a character
};

} // namespace assay::engine
