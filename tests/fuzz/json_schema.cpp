// A schema, and a completion that follows it, both as JSON and as a tool's arguments: a refusal is
// an Error(Input), and whatever tokens are chosen, the completion ends as JSON.
#include "assay/base/error.h"
#include "assay/engine/constrain.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdlib>

using namespace assay;
using namespace assay::engine;

namespace {

void demand(bool holds) {
    if (!holds) std::abort();
}

class SmallTokenizer final : public Tokenizer {
  public:
    SmallTokenizer() {
        for (int byte = 0; byte < 256; ++byte) tokens_.emplace_back(1, static_cast<char>(byte));
        for (const char* text : {"]<]minimax[>[", "<mm:think>", "</mm:think>", "\":",  "\",",
                                 "{\"",           "}]",         "[[",          "null", "true",
                                 " \"",           "12",         "e",           "\\u",  "d83d",
                                 "\xF0\x9F",      "\x98\x80",   "\n  ",        "ab",   "<item>"})
            tokens_.emplace_back(text);
    }
    std::vector<TokenId> encode(std::string_view, Markers) const override { return {}; }
    TokenId size() const override { return static_cast<TokenId>(tokens_.size()); }
    std::string_view token(TokenId id) const override {
        return tokens_[static_cast<std::size_t>(id)];
    }
    std::optional<TokenId> id(std::string_view) const override { return std::nullopt; }
    bool special(TokenId) const override { return false; }

  private:
    std::vector<std::string> tokens_;
};

const Tokenizer& tokenizer() {
    static const SmallTokenizer made;
    return made;
}

std::string walk(Constraint& constraint, std::uint64_t seed) {
    std::string text;
    for (int i = 0; i < 20'000; ++i) {
        const auto& allowed = constraint.allowed();
        std::vector<TokenId> choices;
        for (std::size_t id = 0; id < allowed.size(); ++id)
            if (allowed[id]) choices.push_back(static_cast<TokenId>(id));
        if (choices.empty()) {
            demand(constraint.complete());
            return text;
        }
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        TokenId id = choices[static_cast<std::size_t>((seed >> 33) % choices.size())];
        constraint.accept(id);
        text += tokenizer().token(id);
    }
    return {}; // a schema may demand that much
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    static const auto vocabulary = Vocabulary::create(tokenizer());
    std::string_view schema(reinterpret_cast<const char*>(data) + 2, size - 2);
    std::uint64_t seed = data[0];
    ToolCallOptions options;
    options.choice = ToolCallOptions::Choice::Required;
    options.total_tokens = data[1] % 64;
    options.string_tokens = options.content_tokens = 5;
    try {
        std::string text = walk(*constrain_json(*vocabulary, schema, options), seed);
        demand(text.empty() || nlohmann::json::accept(text));
    } catch (const Error& e) {
        demand(e.kind() == ErrorKind::Input);
    }
    std::string tools = R"([{"name": "t", "parameters": )" + std::string(schema) + "}]";
    try {
        std::string text = walk(*constrain_tool_calls(*vocabulary, tools, options), seed);
        auto parsed = parse_output(text, ThinkingMode::Disabled, tools);
        demand(text.empty() || !parsed.calls.empty());
        for (const ParsedCall& call : parsed.calls)
            demand(call.name == "t" && nlohmann::json::parse(call.arguments).is_object());
    } catch (const Error& e) {
        demand(e.kind() == ErrorKind::Input);
    }
    return 0;
}
