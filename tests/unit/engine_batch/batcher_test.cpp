// Whatever runs beside a call, however small the cache: the same tokens and the same bits.
#include "assay/base/error.h"
#include "assay/engine/batcher.h"
#include "catch.h"
#include "random_model.h"

#include <rapidcheck.h>

#include <atomic>
#include <cstring>
#include <future>
#include <thread>

using namespace assay;
using namespace assay::engine;

namespace {

using Ids = std::vector<std::int32_t>;

struct Rig {
    explicit Rig(std::uint64_t pages, BatcherOptions options = {})
        : batcher(config, model.weights, with_pages(pages, options)) {}

    BatcherOptions with_pages(std::uint64_t pages, BatcherOptions options) {
        options.cache_bytes = pages * PageCache::bytes_of_page(config, options.compute);
        return options;
    }
    Generation run(const Ids& prompt, std::int64_t tokens, const std::string& seed = "s") {
        return batcher.generate(request(prompt, tokens, seed), {}, cancel);
    }
    static GenerateRequest request(const Ids& prompt, std::int64_t tokens,
                                   const std::string& seed = "s") {
        GenerateRequest out;
        out.prompt = prompt;
        out.max_tokens = tokens;
        out.seed_key = seed;
        out.alternatives = 2;
        return out;
    }

    TextConfig config = engine::test::small_config();
    engine::test::RandomModel model{config};
    Batcher batcher;
    Cancel cancel;
};

bool same(const Generation& a, const Generation& b) {
    auto equal = [](const TokenChoice& x, const TokenChoice& y) {
        return x.id == y.id && std::memcmp(&x.logprob, &y.logprob, sizeof(float)) == 0 &&
               x.top == y.top;
    };
    return std::equal(a.tokens.begin(), a.tokens.end(), b.tokens.begin(), b.tokens.end(), equal);
}

Ids ids(std::size_t count, int step = 7) {
    Ids out;
    for (std::size_t i = 0; i < count; ++i)
        out.push_back(static_cast<std::int32_t>((i * static_cast<std::size_t>(step) + i / 5) % 97));
    return out;
}

// Prompts that share beginnings, as conversations do.
rc::Gen<std::vector<Ids>> some_prompts() {
    return rc::gen::exec([] {
        const Ids root = *rc::gen::resize(
            40, rc::gen::nonEmpty(rc::gen::container<Ids>(rc::gen::inRange(0, 97))));
        std::vector<Ids> out;
        const int count = *rc::gen::inRange(2, 7);
        for (int i = 0; i < count; ++i) {
            Ids prompt(root.begin(),
                       root.begin() + *rc::gen::inRange<std::ptrdiff_t>(1, std::ssize(root) + 1));
            const Ids rest = *rc::gen::resize(30, rc::gen::container<Ids>(rc::gen::inRange(0, 97)));
            prompt.insert(prompt.end(), rest.begin(), rest.end());
            out.push_back(prompt);
        }
        return out;
    });
}

class EvenIds final : public Constraint { // and it ends after the fourth
  public:
    const std::vector<bool>& allowed() override {
        mask_.assign(97, false);
        for (std::size_t i = 0; i < 97; i += 2) mask_[i] = made_ < 4;
        return mask_;
    }
    void accept(TokenId) override { ++made_; }
    bool complete() const override { return made_ == 4; }

  private:
    int made_ = 0;
    std::vector<bool> mask_;
};

} // namespace

TEST_CASE("calls among others, after others, in a small cache: as alone, bit for bit") {
    Rig alone(400);
    CHECK(rc::check("company", [&] {
        const auto prompts = *some_prompts();
        const auto pages = *rc::gen::inRange<std::uint64_t>(14, 60);
        const int step = *rc::gen::inRange(1, 60);
        const int threads = *rc::gen::inRange(1, 3);
        Rig crowd(pages, {.threads = threads, .running = 5, .step_tokens = step});
        std::vector<std::future<Generation>> calls;
        for (std::size_t i = 0; i < prompts.size(); ++i)
            calls.push_back(std::async(std::launch::async, [&, i] {
                return crowd.run(prompts[i], 12, std::to_string(i));
            }));
        for (std::size_t i = 0; i < prompts.size(); ++i) {
            Rig fresh(400);
            RC_ASSERT(same(calls[i].get(), fresh.run(prompts[i], 12, std::to_string(i))));
        }
    }));
}

TEST_CASE("a small cache changes nothing but time") {
    Rig small(16, {.running = 8, .step_tokens = 16}), large(400);
    std::vector<std::future<Generation>> calls;
    for (int i = 0; i < 8; ++i)
        calls.push_back(std::async(std::launch::async, [&, i] {
            return small.run(ids(60 + static_cast<std::size_t>(i), 3 + i), 40);
        }));
    for (int i = 0; i < 8; ++i)
        CHECK(same(calls[static_cast<std::size_t>(i)].get(),
                   large.run(ids(60 + static_cast<std::size_t>(i), 3 + i), 40)));
    CHECK(small.batcher.counters().evicted_pages > 0);
    CHECK(small.batcher.counters().postponed > 0);
    CHECK(large.batcher.counters().evicted_pages == 0);
}

TEST_CASE("five attempts compute their prompt once, a further turn what is new") {
    Rig rig(400);
    const Ids prompt = ids(61);
    std::vector<std::future<Generation>> calls;
    for (int i = 0; i < 5; ++i)
        calls.push_back(std::async(std::launch::async, [&, i] {
            return rig.run(prompt, 10, "attempt" + std::to_string(i));
        }));
    std::vector<Generation> out;
    std::int64_t cached = 0;
    for (auto& call : calls) {
        out.push_back(call.get());
        cached += out.back().cached_tokens;
    }
    CHECK(cached == 4 * 60); // the last token of a prompt is computed by each
    CHECK(rig.batcher.counters().computed_tokens == 61 + 4 + 5 * 9);

    Ids next = prompt;
    for (const TokenChoice& token : out[2].tokens) next.push_back(token.id);
    const Ids said = ids(5, 11);
    next.insert(next.end(), said.begin(), said.end());
    const Generation turn = rig.run(next, 3);
    CHECK(turn.cached_tokens == 61 + 9); // the last token of a completion was never computed
    Rig fresh(400);
    CHECK(same(turn, fresh.run(next, 3)));
}

TEST_CASE("a short call does not wait for the end of a long one") {
    Rig rig(400, {.step_tokens = 8});
    auto long_call = std::async(std::launch::async, [&] { return rig.run(ids(2500), 1); });
    while (rig.batcher.counters().steps == 0) std::this_thread::yield();
    std::uint64_t computed = 0; // when the call had its last token, on the batcher's own thread
    GenerateRequest request = Rig::request(ids(5, 3), 2);
    request.stop = [&](const TokenChoice&) {
        computed = rig.batcher.counters().computed_tokens;
        return false;
    };
    CHECK(rig.batcher.generate(std::move(request), {}, rig.cancel).tokens.size() == 2);
    CHECK(computed < 2500);
    long_call.get();
}

TEST_CASE("cancelling one call leaves the others alone and gives its pages back") {
    Rig rig(400, {.step_tokens = 8});
    Cancel stopped;
    std::atomic<int> tokens = 0;
    auto doomed = std::async(std::launch::async, [&] {
        return rig.batcher.generate(
            Rig::request(ids(30), 3000), [&](const TokenChoice&) { ++tokens; }, stopped);
    });
    auto other = std::async(std::launch::async, [&] { return rig.run(ids(40, 3), 60); });
    while (tokens < 3) std::this_thread::yield();
    stopped.cancel(Cause::User, "test");
    CHECK_THROWS_AS(doomed.get(), Interrupted);
    Rig fresh(400);
    CHECK(same(other.get(), fresh.run(ids(40, 3), 60)));
}

TEST_CASE("a sink that throws ends its call") {
    Rig rig(400);
    CHECK_THROWS_WITH(rig.batcher.generate(
                          Rig::request(ids(9), 1000),
                          [](const TokenChoice&) { throw assay::Error(ErrorKind::Io, "hung up"); },
                          rig.cancel),
                      Catch::Contains("hung up"));
    CHECK(rig.run(ids(9), 2).tokens.size() == 2);
}

TEST_CASE("what ends a completion") {
    Rig rig(6); // 48 tokens
    CHECK(rig.batcher.context() == 48);
    CHECK(rig.run(ids(9), 5).ended == Ended::MaxTokens);
    CHECK(rig.run(ids(9), 5).tokens.size() == 5);
    CHECK(rig.run(ids(9), 1000).ended == Ended::ContextFull);
    CHECK(rig.run(ids(9), 1000).tokens.size() == 39);
    CHECK_THROWS_WITH(rig.run(ids(49), 1), Catch::Contains("49 tokens does not fit"));
    CHECK_THROWS_WITH(rig.run({}, 1), Catch::Contains("no token"));
    CHECK_THROWS_WITH(rig.run({97}, 1), Catch::Contains("vocabulary"));

    const Ids plain = [&] {
        Ids out;
        for (const TokenChoice& token : rig.run(ids(9), 8).tokens) out.push_back(token.id);
        return out;
    }();
    GenerateRequest by_id = Rig::request(ids(9), 8);
    by_id.stop_ids = {plain[3]};
    Generation out = rig.batcher.generate(std::move(by_id), {}, rig.cancel);
    CHECK(out.ended == Ended::StopId);
    CHECK(out.tokens.size() <= 4);
    CHECK(out.tokens.back().id == plain[3]);

    GenerateRequest by_call = Rig::request(ids(9), 8);
    by_call.stop = [seen = 0](const TokenChoice&) mutable { return ++seen == 2; };
    out = rig.batcher.generate(std::move(by_call), {}, rig.cancel);
    CHECK(out.ended == Ended::Stop);
    CHECK(out.tokens.size() == 2);
}

TEST_CASE("a constraint is asked for each token, and padding is never chosen") {
    Rig rig(40, {.token_count = 50});
    for (const TokenChoice& token : rig.run(ids(9), 60).tokens) CHECK(token.id < 50);
    GenerateRequest request = Rig::request(ids(9), 20);
    request.constraint = std::make_unique<EvenIds>();
    request.stop_ids = {1};
    const Generation out = rig.batcher.generate(std::move(request), {}, rig.cancel);
    REQUIRE(out.tokens.size() == 5);
    for (std::size_t i = 0; i < 4; ++i) CHECK(out.tokens[i].id % 2 == 0);
    CHECK(out.tokens[4].id == 1);
    CHECK(out.ended == Ended::StopId);
}

TEST_CASE("a text is judged as the completion was") {
    Rig rig(400);
    GenerateRequest request = Rig::request(ids(20), 30);
    const Generation made = rig.batcher.generate(std::move(request), {}, rig.cancel);
    Ids text = ids(20);
    for (const TokenChoice& token : made.tokens) text.push_back(token.id);
    const auto judged = rig.batcher.score(text, 2, rig.cancel);
    REQUIRE(judged.size() == 49);
    for (std::size_t i = 0; i < made.tokens.size(); ++i) {
        CHECK(judged[19 + i].logprob == made.tokens[i].logprob);
        CHECK(judged[19 + i].top == made.tokens[i].top);
    }
}

TEST_CASE("pictures are told apart by their content, not by their placeholders") {
    Rig rig(400);
    auto with_picture = [&](float value, std::uint64_t content) {
        GenerateRequest request = Rig::request(ids(40), 6);
        auto rows = std::make_shared<std::vector<float>>(12 * 48, value);
        request.media.push_back({10, rows, content});
        return rig.batcher.generate(std::move(request), {}, rig.cancel);
    };
    const Generation first = with_picture(0.5f, 1), second = with_picture(-0.25f, 2);
    CHECK(first.cached_tokens == 0);
    CHECK(second.cached_tokens == 10);
    CHECK_FALSE(same(first, second));
    const Generation again = with_picture(0.5f, 1);
    CHECK(again.cached_tokens == 39);
    CHECK(same(first, again));
    CHECK(same(second, with_picture(0.5f, 2))); // the attack: a hash that lies is believed
}

TEST_CASE("a picture is the same however its rows are cut") {
    auto run = [](int step_tokens) {
        Rig rig(400, {.step_tokens = step_tokens});
        GenerateRequest request = Rig::request(ids(40), 6);
        auto rows = std::make_shared<std::vector<float>>();
        for (int i = 0; i < 12 * 48; ++i) rows->push_back(static_cast<float>(i % 89) / 89 - 0.5f);
        request.media.push_back({10, rows, 1});
        return rig.batcher.generate(std::move(request), {}, rig.cancel);
    };
    const Generation whole = run(100);
    for (int step_tokens : {1, 7, 13}) CHECK(same(run(step_tokens), whole));
}

TEST_CASE("each token is drawn by the seed key and its number in the completion") {
    const std::string key = "7/task/1/agent/0";
    Rig rig(400);
    GenerateRequest request = Rig::request(ids(9), 12, key);
    request.alternatives = rig.config.vocab;
    const Generation out = rig.batcher.generate(std::move(request), {}, rig.cancel);
    REQUIRE(out.tokens.size() == 12);
    int others = 0;
    for (std::size_t n = 0; n < out.tokens.size(); ++n) {
        std::vector<float> logprobs(97);
        for (const auto& [id, logprob] : out.tokens[n].top)
            logprobs[static_cast<std::size_t>(id)] = logprob;
        auto drawn = [&](std::uint64_t number) {
            return choose(logprobs, {}, {}, {}, draw_for(key, number), 0).id;
        };
        CHECK(drawn(n) == out.tokens[n].id);
        others += drawn(n + 1) != out.tokens[n].id;
    }
    CHECK(others > 0); // another number draws something else
}

TEST_CASE("a score that is postponed is told once") {
    for (std::size_t length : {60u, 80u, 100u}) {
        Rig small(16, {.running = 8, .step_tokens = 1}), large(400);
        std::vector<std::future<Generation>> calls;
        calls.push_back(std::async(std::launch::async, [&] { return small.run(ids(20, 3), 100); }));
        while (small.batcher.counters().steps < 3) std::this_thread::yield();
        const auto expected = large.batcher.score(ids(length, 5), 0, large.cancel);
        const auto judged = small.batcher.score(ids(length, 5), 0, small.cancel);
        calls[0].get();
        INFO(length << " postponed " << small.batcher.counters().postponed);
        CHECK(judged.size() == expected.size());
    }
}

TEST_CASE("a score alone finds nothing in the cache") {
    Rig rig(400);
    rig.batcher.score(ids(300), 0, rig.cancel);
    CHECK(rig.batcher.counters().cached_tokens == 0);
}
