// bench_constrain [TOKENIZER.json]: how long masks take, over a vocabulary of 200,000 made-up
// tokens or over the given one. A token's mask in a new state is the price of the first completion
// by a schema; the later ones find it kept.
#include "assay/base/error.h"
#include "assay/engine/constrain.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <random>
#include <set>

using namespace assay;
using namespace assay::engine;

namespace {

constexpr std::size_t kTokens = 200'000;

// Words of syllables, with and without a space before them, code, digits, and letters beyond ASCII.
class MadeUp final : public Tokenizer {
  public:
    MadeUp() {
        std::mt19937 random(1);
        std::set<std::string> made;
        auto below = [&](std::size_t bound) { return random() % bound; };
        const char* const parts[] = {
            "a",   "e",  "in", "re", "st", "on",       "er",       "ing",         "tion",
            "s",   "th", "o",  "_",  "me", "ed",       "ly",       "is",          "X",
            "Get", "Of", "un", "10", "7",  "\xC3\xA9", "\xD0\xB0", "\xE4\xB8\xAD"};
        while (made.size() < kTokens - 256 - 2000) {
            std::string text = below(2) == 0 ? " " : "";
            for (std::size_t i = 1 + below(5); i > 0; --i) text += parts[below(std::size(parts))];
            made.insert(std::move(text));
        }
        const char signs[] = " \n\t\"'{}[]():;,.<>/\\=+-*#";
        while (made.size() < kTokens - 256) {
            std::string text;
            for (std::size_t i = 2 + below(5); i > 0; --i) text += signs[below(sizeof signs - 1)];
            made.insert(std::move(text));
        }
        for (int byte = 0; byte < 256; ++byte) tokens_.emplace_back(1, static_cast<char>(byte));
        tokens_.insert(tokens_.end(), made.begin(), made.end());
    }

    std::vector<TokenId> encode(std::string_view text, Markers) const override {
        std::vector<TokenId> ids;
        for (char c : text) ids.push_back(static_cast<unsigned char>(c));
        return ids;
    }
    TokenId size() const override { return static_cast<TokenId>(tokens_.size()); }
    std::string_view token(TokenId id) const override {
        return tokens_[static_cast<std::size_t>(id)];
    }
    std::optional<TokenId> id(std::string_view) const override { return std::nullopt; }
    bool special(TokenId) const override { return false; }

  private:
    std::vector<std::string> tokens_;
};

double milliseconds_since(std::chrono::steady_clock::time_point began) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began)
        .count();
}

// A random completion: the time of each mask, and how many had been kept.
void measure(const char* what, const std::function<std::unique_ptr<Constraint>()>& make) {
    auto began = std::chrono::steady_clock::now();
    make();
    double compile = milliseconds_since(began);
    for (const char* round : {"first", "again"}) {
        std::mt19937 random(3);
        std::vector<double> times;
        for (int completion = 0; completion < 20; ++completion) {
            auto constraint = make();
            for (int i = 0; i < 200; ++i) {
                began = std::chrono::steady_clock::now();
                const auto& allowed = constraint->allowed();
                times.push_back(milliseconds_since(began));
                // Random ids, then single bytes, then whatever there is.
                TokenId choice = -1;
                for (int tries = 0; tries < 400; ++tries) {
                    auto id = static_cast<TokenId>(random() % allowed.size());
                    if (tries > 300) id = static_cast<TokenId>(random() % 256);
                    if (allowed[static_cast<std::size_t>(id)]) choice = id;
                    if (choice >= 0) break;
                }
                for (std::size_t id = 0; choice < 0 && id < allowed.size(); ++id)
                    if (allowed[id]) choice = static_cast<TokenId>(id);
                if (choice < 0) break;
                constraint->accept(choice);
            }
        }
        double sum = 0;
        for (double time : times) sum += time;
        std::sort(times.begin(), times.end());
        std::printf("%-12s %s: %6zu masks, mean %.4f ms, median %.4f, 99 %% %.3f, longest %.3f",
                    what, round, times.size(), sum / static_cast<double>(times.size()),
                    times[times.size() / 2], times[times.size() * 99 / 100], times.back());
        std::printf(*round == 'f' ? "; compiled in %.2f ms\n" : "\n", compile);
    }
}

void run(const Tokenizer& tokenizer) {
    auto began = std::chrono::steady_clock::now();
    auto vocabulary = Vocabulary::create(tokenizer);
    std::printf("%d tokens, trie in %.0f ms\n", tokenizer.size(), milliseconds_since(began));
    TurnOptions options;
    options.string_tokens = 20;
    const char* schema = R"({"properties": {"name": {"type": "string"}, "n": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 40}},
        "kind": {"enum": ["red", "green", "blue"]}}, "required": ["name", "n", "tags", "kind"]})";
    measure("json", [&] { return constrain_json(*vocabulary, schema, options); });
    measure("any json", [&] { return constrain_json(*vocabulary, "{}", options); });
    ToolCallOptions calls;
    calls.choice = ToolCallOptions::Choice::Required;
    calls.string_tokens = calls.content_tokens = 20;
    std::string tools = R"([{"name": "search", "parameters": )" + std::string(schema) + "}]";
    measure("tool calls", [&] { return constrain_tool_calls(*vocabulary, tools, calls); });
}

} // namespace

int main(int argc, char** argv) {
    try {
        if (argc > 1)
            run(*Tokenizer::open(argv[1]));
        else
            run(MadeUp());
    } catch (const Error& e) {
        std::fputs(e.render().c_str(), stderr);
        return 1;
    }
}
