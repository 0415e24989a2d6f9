#include "catch.h"
#include "fake_trial.h"
#include "judge.h"

using namespace assay;
using namespace assay::atlas;
using namespace assay::test;

namespace {
std::vector<Verdict> verdicts(int full, int partial, int none) {
    std::vector<Verdict> out;
    for (int i = 0; i < full; ++i) out.push_back({"c", Outcome::Fulfilled, "", 1});
    for (int i = 0; i < partial; ++i) out.push_back({"c", Outcome::Partial, "", 1});
    for (int i = 0; i < none; ++i) out.push_back({"c", Outcome::NotFulfilled, "", 1});
    return out;
}
const std::string kYes =
    R"({"claim_text":"c","coverage_outcome":"fulfilled","justification":"j","confidence_level":0.9})";
} // namespace

TEST_CASE("coverage is rounded to three decimals, and passes at 0.75") {
    CHECK(coverage(verdicts(1, 0, 2)) == 0.333);
    CHECK(coverage(verdicts(2, 0, 1)) == 0.667);
    CHECK(coverage(verdicts(1, 1, 0)) == 0.75);
    CHECK(coverage(verdicts(3, 0, 1)) >= kPassAt);
    CHECK(coverage(verdicts(2, 1, 1)) == 0.625);
    CHECK(coverage(verdicts(17, 0, 6)) == 0.739);
    CHECK(coverage(verdicts(17, 0, 6)) < kPassAt);
    CHECK(coverage({}) == 0);
}

TEST_CASE("verdicts are read leniently, never invented") {
    CHECK(parse_verdict(kYes).outcome == Outcome::Fulfilled);
    CHECK(parse_verdict("```json\n" + kYes + "\n```").outcome == Outcome::Fulfilled);
    CHECK(parse_verdict("First {braces} then " + kYes).confidence == 0.9);
    CHECK(parse_verdict(R"({"coverage_outcome":" Partially_Fulfilled "})").outcome ==
          Outcome::Partial);
    CHECK(parse_verdict(R"({"coverage_outcome":"not_fulfilled"})").outcome ==
          Outcome::NotFulfilled);
    for (const char* text : {"", "fulfilled", "{", R"({"coverage_outcome":"mostly"})",
                             R"({"coverage_outcome":7})", R"({"verdict":"fulfilled"})"})
        CHECK(parse_verdict(text).outcome == Outcome::Failed);
}

TEST_CASE("an answer is cut at 500,000 characters, not bytes") {
    std::string fits, over;
    for (int i = 0; i < 500'000; ++i) fits += "\u00fc";
    CHECK(bounded_response(fits) == fits);
    over = bounded_response(fits + "x");
    CHECK(over.substr(0, fits.size()) == fits);
    CHECK(over.find("cut here") != over.npos);
}

TEST_CASE("the judge is asked again while its answer is of no use") {
    FakeTrial trial;
    trial.fake_model("judge").say("hm").fail(ModelFault::Refused).say(kYes);
    Verdict verdict = judge_claim("q", "a", "the claim", 3, trial);
    CHECK(verdict.outcome == Outcome::Fulfilled);
    CHECK(verdict.claim == "the claim");
    auto& requests = trial.fake_model("judge").requests;
    REQUIRE(requests.size() == 3);
    CHECK(requests[0].sampling.temperature == 0.0);
    CHECK(requests[0].sampling.response_schema->find("partially_fulfilled") != std::string::npos);
    CHECK(requests[0].messages.back()->text() ==
          "<question>\nq\n</question>\n\n<answer>\na\n</answer>\n\n<claim>\nthe claim\n</claim>");
    CHECK(requests[0].seed.role == "judge");
    CHECK(requests[2].seed.turn == 2);

    FakeTrial never;
    never.fake_model("judge").say("hm").say("hm");
    Verdict failed = judge_claim("q", "a", "c", 2, never);
    CHECK(failed.outcome == Outcome::Failed);
    CHECK(failed.reason.find("no JSON verdict") == 0);
}

TEST_CASE("the judge's minute is that of one try, not of our queues") {
    FakeTrial trial;
    trial.fake_model("judge").say(kYes);
    judge_claim("q", "a", "c", 1, trial);
    CHECK(trial.fake_model("judge").requests[0].try_limit == std::chrono::seconds(60));
}

TEST_CASE("a judge that cannot be reached gives no verdict, whatever the number of tries") {
    for (ModelFault fault :
         {ModelFault::Retry, ModelFault::Overload, ModelFault::Timeout, ModelFault::BadRequest,
          ModelFault::Auth, ModelFault::NotFound, ModelFault::Fatal}) {
        FakeTrial trial;
        trial.fake_model("judge").fail(fault).say(kYes);
        CHECK_THROWS_AS(judge_claim("q", "a", "c", 3, trial), ModelError);
    }
    for (ModelFault fault : {ModelFault::Refused, ModelFault::ContextOverflow}) {
        FakeTrial trial;
        trial.fake_model("judge").fail(fault, "too long");
        Verdict verdict = judge_claim("q", "a", "c", 1, trial);
        CHECK(verdict.outcome == Outcome::Failed);
        CHECK(verdict.reason == "the judge's call failed: too long");
    }
}
