// The masks of whole walks, against each token tried on its own.
#include "catch.h"
#include "constrain/automaton.h"
#include "constrain/json_rules.h"
#include "constrain/schema_merge.h"
#include "walks.h"

using namespace walks;

namespace {

constexpr std::string_view kSchema = R"({"properties": {
    "name": {"type": "string", "maxLength": 9}, "n": {"type": "number"},
    "tags": {"type": "array", "items": {"enum": ["a", "ab", "abc\u00e9"]}, "minItems": 1},
    "more": {}}, "required": ["name", "tags"], "additionalProperties": true})";

struct Pool {
    std::shared_ptr<TokenTrie> trie = std::make_shared<TokenTrie>(tokenizer());
    std::unique_ptr<StatePool> states;

    Pool() {
        auto grammar = std::make_shared<Grammar>();
        Json schema = Json::parse(kSchema);
        Shapes shapes(schema, "schema");
        JsonRules rules(*grammar, shapes);
        RuleId root = rules.value(shapes.root());
        rules.finish();
        grammar->finish(root);
        states = std::make_unique<StatePool>(grammar, trie);
    }

    const State* after(const State* state, std::string_view text) {
        for (char c : text)
            if (state) state = states->step(state, static_cast<std::uint8_t>(c));
        return state;
    }

    bool tried(const State* state, TokenId id, StatePool::Mode mode) {
        std::string_view text = tokenizer().token(id);
        bool marker = text == "]<]minimax[>[" || text == "<mm:think>" || text == "</mm:think>";
        if (text.empty() || (tokenizer().special(id) && !marker)) return false;
        const State* to = after(state, text);
        return to && (mode == StatePool::Mode::Open || to->distance < state->distance);
    }

    std::size_t differences(const State* state, const std::vector<bool>& mask,
                            StatePool::Mode mode) {
        std::size_t count = 0;
        for (TokenId id = 0; id < tokenizer().size(); ++id)
            count += mask[static_cast<std::size_t>(id)] != tried(state, id, mode);
        return count;
    }
};

} // namespace

TEST_CASE("a mask is what trying every token gives") {
    Pool pool;
    std::size_t states = 0;
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        Dice dice(seed);
        const State* state = pool.states->start();
        for (int i = 0; i < 40; ++i, ++states) {
            for (auto mode : {StatePool::Mode::Open, StatePool::Mode::Closing})
                REQUIRE(pool.differences(state, *pool.states->mask(state, mode), mode) == 0);
            auto mask =
                pool.states->mask(state, i < 30 ? StatePool::Mode::Open : StatePool::Mode::Closing);
            std::vector<TokenId> choices;
            for (TokenId id = 0; id < tokenizer().size(); ++id)
                if ((*mask)[static_cast<std::size_t>(id)]) choices.push_back(id);
            REQUIRE((state->complete || !choices.empty()));
            if (choices.empty()) break;
            state = pool.after(state, tokenizer().token(choices[dice.below(choices.size())]));
            REQUIRE(state);
        }
    }
    CHECK(states > 100);
}

TEST_CASE("and a mask with one bit wrong, or of another state, is found") {
    Pool pool;
    const State* state = pool.after(pool.states->start(), "{\"name\": \"x");
    auto mask = *pool.states->mask(state, StatePool::Mode::Open);
    CHECK(pool.differences(state, mask, StatePool::Mode::Open) == 0);
    mask[100] = !mask[100];
    CHECK(pool.differences(state, mask, StatePool::Mode::Open) == 1);
    mask = *pool.states->mask(pool.states->start(), StatePool::Mode::Open);
    CHECK(pool.differences(state, mask, StatePool::Mode::Open) > 0);
}

TEST_CASE("a token may end inside a character that can be completed") {
    auto lead = [](const char* bytes) { return byte_tokens(bytes)[0]; };
    auto constraint = constrain_json(vocabulary(), R"({"enum": ["\u00e9"]})", {});
    constraint->accept(lead("\""));
    auto allowed = [&](const char* byte) {
        return constraint->allowed()[static_cast<std::size_t>(lead(byte))];
    };
    CHECK(allowed("\xC3"));
    CHECK_FALSE(allowed("\xC4"));
    constraint->accept(lead("\xC3"));
    CHECK(allowed("\xA9"));
    CHECK_FALSE(allowed("\xAA"));
    CHECK_FALSE(allowed("\""));
}

TEST_CASE("special tokens are never allowed, added ones where their text is") {
    auto constraint = constrain_json(vocabulary(), R"({"type": "string"})", {});
    auto allowed = [&](const char* text) {
        return constraint->allowed()[static_cast<std::size_t>(*tokenizer().id(text))];
    };
    CHECK_FALSE(allowed("<think>"));
    constraint->accept(*tokenizer().id("\""));
    CHECK(allowed("<think>")); // ordinary text, as the file says
    CHECK_FALSE(allowed("]~b]"));
    CHECK_FALSE(allowed("[e~["));
    CHECK_FALSE(allowed("]<]minimax[>[")); // what the output parser would take for a call
    CHECK_FALSE(allowed("</mm:think>"));
}

TEST_CASE("a completion goes on in a new pool, and states of a schema are shared") {
    Pool one;
    auto text = std::string_view("{\"name\": \"x\", \"n\": 1, \"tags\": [\"ab");
    const State* state = one.after(one.states->start(), text);
    Pool other;
    const State* moved = other.states->adopt(state);
    CHECK(other.after(other.states->start(), text) == moved);
    CHECK(*one.states->mask(state, StatePool::Mode::Open) ==
          *other.states->mask(moved, StatePool::Mode::Open));
    CHECK(one.states->mask(state, StatePool::Mode::Open) ==
          one.states->mask(state, StatePool::Mode::Open));
}
