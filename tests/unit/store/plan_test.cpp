#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/store/plan_json.h"
#include "catch.h"
#include "packing.h"
#include "sample_plan.h"

using namespace assay;
using Catch::Contains;

TEST_CASE("plan: goes through JSON and keeps its digest") {
    PlanRecord plan = sample_plan();
    PlanRecord back = plan_from_json(plan_to_json(plan));
    CHECK(back.digest() == plan.digest());
    CHECK(plan_to_json(back) == plan_to_json(plan));
    CHECK(back.seed == plan.seed);
    CHECK(back.run == plan.run);
    REQUIRE(back.slots.size() == plan.slots.size());
    CHECK(back.slots[3].id == plan.slots[3].id);
    CHECK(back.slots[3].attempt == 2);
    CHECK(back.refused == plan.refused);
    // Spaces and the order of keys in settings are not content; values are.
    PlanRecord spaced = plan;
    spaced.settings = "{ \"jobs\" : 2 }";
    CHECK(spaced.digest() == plan.digest());
    spaced.settings = R"({"jobs":3})";
    CHECK(spaced.digest() != plan.digest());
}

TEST_CASE("plan: every field is in the digest") {
    PlanRecord plan = sample_plan();
    auto changed = [&](auto change) {
        PlanRecord other = plan;
        change(other);
        return other.digest() != plan.digest();
    };
    CHECK(changed([](PlanRecord& p) { p.run = Id::derive("other"); }));
    CHECK(changed([](PlanRecord& p) { p.suite += "x"; }));
    CHECK(changed([](PlanRecord& p) { p.suite_version += "x"; }));
    CHECK(changed([](PlanRecord& p) { p.source += "x"; }));
    CHECK(changed([](PlanRecord& p) { ++p.seed; }));
    CHECK(changed([](PlanRecord& p) { p.metrics = "[]"; }));
    CHECK(changed([](PlanRecord& p) { p.arms[0].model = "x"; }));
    CHECK(changed([](PlanRecord& p) { p.arms[0].judge = "x"; }));
    CHECK(changed([](PlanRecord& p) { p.arms[0].agent_version = "x"; }));
    CHECK(changed([](PlanRecord& p) { p.arms[0].settings = R"({"a":1})"; }));
    CHECK(changed([](PlanRecord& p) { std::swap(p.slots[0], p.slots[1]); }));
    CHECK(changed([](PlanRecord& p) { p.slots[0].task_digest = "x"; }));
    CHECK(changed([](PlanRecord& p) { p.slots[0].family = "x"; }));
    CHECK(changed([](PlanRecord& p) { p.slots.pop_back(); }));
    CHECK(changed([](PlanRecord& p) { p.refused.clear(); }));
}

TEST_CASE("plan: what is no plan, or was changed, is refused") {
    std::string good = plan_to_json(sample_plan());
    auto with = [&](const std::string& from, const std::string& to) {
        std::string out = replace_all(good, from, to);
        REQUIRE(out != good);
        return out;
    };
    CHECK_THROWS_WITH(plan_from_json(""), Contains("not a plan of assay"));
    CHECK_THROWS_WITH(plan_from_json("[1]"), Contains("not a plan of assay"));
    CHECK_THROWS_WITH(plan_from_json("{}"), Contains("not a plan of assay"));
    CHECK_THROWS_WITH(plan_from_json(good.substr(0, good.size() / 2)), Contains("not a plan"));
    CHECK_THROWS_WITH(plan_from_json(with("\"assay_plan\": 1", "\"assay_plan\": 2")),
                      Contains("newer"));
    CHECK_THROWS_WITH(plan_from_json(with("task-2", "task-9")), Contains("was changed"));
    CHECK_THROWS_WITH(plan_from_json(with("task-2", "task-1")), Contains("planned twice"));
    CHECK_THROWS_WITH(plan_from_json(with("\"attempt\": 2", "\"attempt\": 0")),
                      Contains("count from 1"));
    CHECK_THROWS_AS(plan_from_json(with("\"seed\": 18364758544493064720", "\"seed\": \"x\"")),
                    Error);
    for (const char* seed : {"18764758544493064720", "-1", "1.5"}) // the first is above 2^64
        CHECK_THROWS_WITH(plan_from_json(with("\"seed\": 18364758544493064720",
                                              "\"seed\": " + std::string(seed))),
                          Contains("seed must be a whole number"));
    CHECK_THROWS_AS(plan_from_json(with("\"slots\"", "\"places\"")), Error);
    CHECK_THROWS_WITH(plan_from_json("{\"assay_plan\":1,\"plan\":" + std::string(200'000, '[')),
                      Contains("too deep"));
    PlanRecord deep = sample_plan();
    deep.settings = std::string(200'000, '[') + std::string(200'000, ']');
    CHECK_THROWS_WITH(deep.digest(), Contains("too deep"));
    std::string arm = sample_plan().arms[0].id.hex();
    CHECK_THROWS_AS(plan_from_json(with("\"arm\": \"" + arm, "\"arm\": \"00" + arm.substr(2))),
                    Error);
}

TEST_CASE("plan: ids depend on all that they name, and on nothing else") {
    Id run = Id::derive("r");
    CHECK(slot_id(run, "t", "a", 1) == slot_id(run, "t", "a", 1));
    CHECK(slot_id(run, "t", "a", 1) != slot_id(run, "t", "a", 2));
    CHECK(slot_id(run, "t", "a", 1) != slot_id(run, "t", "b", 1));
    CHECK(slot_id(run, "t", "a", 1) != slot_id(Id::derive("s"), "t", "a", 1));
    CHECK(slot_id(run, "t1", "a", 1) != slot_id(run, "t", "a", 11));
    CHECK(try_id(run, 1) != try_id(run, 2));
    CHECK(call_id(run, "agent", 1) != call_id(run, "judge", 1));
    // Fixed for good: files on other machines hold them.
    CHECK(slot_id(run, "task", "arm", 3).hex() == "332bb190af6cbb5a394d5bbab5ca12a3");
}

TEST_CASE("packing: numbers and blobs come back, and damage is seen") {
    std::vector<std::int32_t> ids = {0, -1, 200064, 1 << 30};
    CHECK(unpack_ids(pack_ids(ids)) == ids);
    CHECK_THROWS_AS(unpack_ids("abcde"), Error);
    CHECK_THROWS_AS(unpack_doubles("abcde"), Error);
    std::vector<TokenLogprob> logprobs = {{5, -0.25F, {{5, -0.25F}, {6, -3.F}}}, {7, 0, {}}};
    std::string packed = pack_logprobs(logprobs);
    CHECK(packed.size() == 2 * 12 + 2 * 8);
    CHECK(unpack_logprobs(packed).at(0).top.at(1).first == 6);
    for (std::size_t cut = 1; cut < packed.size(); ++cut)
        if (cut != 28) // the end of the first entry
            CHECK_THROWS_AS(unpack_logprobs(packed.substr(0, cut)), Error);
    std::string huge = packed;
    huge[8] = huge[9] = huge[10] = huge[11] = '\xff'; // claims 2^32 - 1 alternatives
    CHECK_THROWS_AS(unpack_logprobs(huge), Error);

    std::string text(4000, 'z');
    Packed zstd = compress(text, "text/plain");
    CHECK(zstd.codec == Codec::Zstd);
    CHECK(zstd.bytes.size() < 100);
    CHECK(decompress(zstd.codec, zstd.bytes, text.size()) == text);
    CHECK_THROWS_AS(decompress(zstd.codec, zstd.bytes, text.size() + 1), Error);
    CHECK_THROWS_AS(
        decompress(zstd.codec, zstd.bytes.substr(0, zstd.bytes.size() - 1), text.size()), Error);
    CHECK_THROWS_AS(decompress(Codec::Zstd, "no frame", 8), Error);
    CHECK_THROWS_AS(decompress(Codec::Zstd, zstd.bytes, 1ull << 60), Error);
    CHECK_THROWS_AS(decompress(static_cast<Codec>(77), "x", 1), Error);
    CHECK(compress("short", "text/plain").codec == Codec::Raw);
    CHECK(compress(text, "image/png").codec == Codec::Raw);
    CHECK(compress(text, "video/mp4").codec == Codec::Raw);
    CHECK(compress(text, "image/svg+xml").codec == Codec::Zstd);
}
