#include "assay/base/error.h"
#include "assay/engine/sampler.h"
#include "catch.h"

#include <cmath>
#include <map>

using namespace assay;
using namespace assay::engine;

namespace {

std::map<std::int32_t, double> shares(const std::vector<float>& logits,
                                      const SamplerSettings& settings, const Seen& seen = {},
                                      const std::vector<bool>& allowed = {}) {
    constexpr int kDraws = 20'000;
    std::map<std::int32_t, double> out;
    for (int i = 0; i < kDraws; ++i)
        out[choose(logits, settings, seen, allowed, draw_for("7/task/1/agent/0", i), 0).id] +=
            1.0 / kDraws;
    return out;
}

std::vector<float> log_of(std::vector<double> p) {
    std::vector<float> out;
    for (double one : p) out.push_back(static_cast<float>(std::log(one)) + 3);
    return out;
}

} // namespace

TEST_CASE("draws follow the probabilities, within what a cut leaves") {
    const std::vector<float> logits = log_of({0.4, 0.3, 0.2, 0.06, 0.04});
    auto near = [](const std::map<std::int32_t, double>& got, const std::vector<double>& want) {
        for (std::size_t i = 0; i < want.size(); ++i) {
            auto found = got.find(static_cast<std::int32_t>(i));
            double share = found == got.end() ? 0 : found->second;
            INFO(i << ": " << share);
            CHECK(std::abs(share - want[i]) < 0.015); // 4 standard errors of 20,000 draws
            if (want[i] == 0) CHECK(share == 0);
        }
    };
    near(shares(logits, {}), {0.4, 0.3, 0.2, 0.06, 0.04});
    near(shares(logits, {.top_k = 2}), {4.0 / 7, 3.0 / 7, 0, 0, 0});
    near(shares(logits, {.top_p = 0.65}), {4.0 / 7, 3.0 / 7, 0, 0, 0});
    near(shares(logits, {.top_p = 0.75}), {4.0 / 9, 3.0 / 9, 2.0 / 9, 0, 0});
    near(shares(logits, {.top_p = 0}), {1, 0, 0, 0, 0});
    near(shares(logits, {.min_p = 0.4}), {4.0 / 9, 3.0 / 9, 2.0 / 9, 0, 0});
    const double hot = std::sqrt(0.4) + std::sqrt(0.3) + std::sqrt(0.2) + std::sqrt(0.06) + 0.2;
    near(shares(logits, {.temperature = 2}),
         {std::sqrt(0.4) / hot, std::sqrt(0.3) / hot, std::sqrt(0.2) / hot});
    near(shares(logits, {}, {}, {false, true, true}), {0, 0.6, 0.4, 0, 0});
    // log 2 taken from a logit halves its weight.
    near(shares(logits, {.presence_penalty = std::log(2)}, {{0, 3}}), {0.25, 0.375, 0.25});
    near(shares(logits, {.frequency_penalty = std::log(2)}, {{0, 2}}), {1.0 / 7, 3.0 / 7, 2.0 / 7});
}

TEST_CASE("repetition divides what is positive and multiplies what is negative") {
    const std::vector<float> logits = {2, -1};
    CHECK(choose(logits, {.temperature = 0}, {}, {}, 0, 0).id == 0);
    CHECK(choose({{2, 1.5f}}, {.temperature = 0, .repetition_penalty = 2}, {{0, 1}}, {}, 0, 0).id ==
          1);
    CHECK(
        choose({{-1, -1.5f}}, {.temperature = 0, .repetition_penalty = 2}, {{0, 1}}, {}, 0, 0).id ==
        1);
}

TEST_CASE(
    "temperature 0 takes the most likely, of equal ones the first; log-probabilities are raw") {
    const std::vector<float> logits = log_of({0.1, 0.4, 0.4, 0.1});
    TokenChoice choice = choose(logits, {.temperature = 0}, {}, {}, 0.99, 3);
    CHECK(choice.id == 1);
    CHECK(choice.logprob == Approx(std::log(0.4)));
    REQUIRE(choice.top.size() == 3);
    CHECK(choice.top[0].first == 1);
    CHECK(choice.top[1].first == 2);
    CHECK(choice.top[2].first == 0);
    CHECK(choice.top[2].second == Approx(std::log(0.1)));
    // Cuts and temperature change the choice, not what is told of it.
    CHECK(choose(logits, {.temperature = 5, .top_k = 1}, {}, {}, 0.5, 0).logprob ==
          Approx(std::log(0.4)));
}

TEST_CASE("the same key draws the same, another key or token something else") {
    CHECK(draw_for("1/t/1/agent/0", 5) == draw_for("1/t/1/agent/0", 5));
    CHECK(draw_for("1/t/1/agent/0", 5) != draw_for("1/t/1/agent/0", 6));
    CHECK(draw_for("1/t/1/agent/0", 5) != draw_for("1/t/2/agent/0", 5));
    CHECK(draw_for("1/t/1/agent/0", 5) < 1);
}

TEST_CASE("what cannot be sampled is an error") {
    CHECK_THROWS_WITH(choose({{1, NAN}}, {}, {}, {}, 0, 0), Catch::Contains("not finite"));
    CHECK_THROWS_WITH(choose({{1, 2}}, {}, {}, {false, false}, 0, 0), Catch::Contains("no token"));
    CHECK_THROWS_WITH(check({.temperature = -1}), Catch::Contains("temperature"));
    CHECK_THROWS_WITH(check({.top_p = NAN}), Catch::Contains("top_p"));
    CHECK_THROWS_WITH(check({.repetition_penalty = 0}), Catch::Contains("repetition_penalty"));
    CHECK_NOTHROW(check({}));
}
