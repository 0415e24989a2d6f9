#include "assay/base/error.h"
#include "catch.h"
#include "run_fixture.h"

using namespace assay;
using namespace assay::test;

namespace {

PlanRecord three_by_two() {
    ListedTasks tasks(plain_tasks(3));
    StepSuite suite;
    PlanRequest request;
    request.run = Id::derive("r");
    request.attempts = 2;
    ArmRecord one, two;
    one.agent = two.agent = "tools";
    one.model = "null:a";
    two.model = "null:b";
    request.arms = {one, two};
    return make_plan(suite.info(), tasks, request);
}

} // namespace

TEST_CASE("the plan goes attempt, task, arm, and its ids can be made again") {
    PlanRecord plan = three_by_two();
    REQUIRE(plan.slots.size() == 12);
    CHECK(plan.arms[0].label == "tools@null:a");
    CHECK(plan.slots[0].task == "t0");
    CHECK(plan.slots[1].task == "t0");
    CHECK(plan.slots[1].arm == plan.arms[1].id);
    CHECK(plan.slots[2].task == "t1");
    CHECK(plan.slots[6].attempt == 2);
    CHECK(plan.slots[0].family == "t0");
    PlanRecord again = three_by_two();
    for (std::size_t i = 0; i < plan.slots.size(); ++i) {
        CHECK(plan.slots[i].id == again.slots[i].id);
        for (std::size_t j = 0; j < i; ++j) CHECK(plan.slots[i].id != plan.slots[j].id);
    }
}

TEST_CASE("two arms of the same name are told apart") {
    ListedTasks tasks(plain_tasks(1));
    StepSuite suite;
    PlanRequest request;
    request.arms.resize(2);
    request.arms[0].agent = request.arms[1].agent = "tools";
    PlanRecord plan = make_plan(suite.info(), tasks, request);
    CHECK(plan.arms[0].id != plan.arms[1].id);
    CHECK(plan.arms[1].label == "tools #2");
}

TEST_CASE("a plan keeps whether its metric can be official: never on a suite's own samples") {
    ListedTasks tasks(plain_tasks(1));
    auto metrics_of = [&](bool official, const char* source) {
        StepSuite suite;
        SuiteInfo info = suite.info();
        info.metrics[0].official = official;
        PlanRequest request;
        request.arms.resize(1);
        request.source = source;
        return make_plan(info, tasks, request).metrics;
    };
    CHECK_THAT(metrics_of(true, "/tasks"), Catch::EndsWith(R"("official":true}])"));
    CHECK_THAT(metrics_of(true, ""), Catch::EndsWith(R"("official":false}])"));
    CHECK_THAT(metrics_of(false, "/tasks"), Catch::EndsWith(R"("official":false}])"));
}

TEST_CASE("shards are disjoint and cover the plan") {
    PlanRecord plan = three_by_two();
    std::map<Id, int> seen;
    for (int i = 1; i <= 5; ++i)
        for (const SlotRecord& slot : shard_slots(plan.slots, i, 5)) ++seen[slot.id];
    CHECK(seen.size() == plan.slots.size());
    for (const auto& [id, times] : seen) CHECK(times == 1);
    CHECK(parse_shard("2/8") == std::pair(2, 8));
    for (const char* bad : {"0/2", "3/2", "1", "a/b", "1/2/3", "1/2x", ""})
        CHECK_THROWS_AS(parse_shard(bad), Error);
}

TEST_CASE("a plan that holds nothing names what was refused") {
    ListedTasks tasks({});
    tasks.refused_ = {{"windows-task", "needs Windows"}};
    StepSuite suite;
    PlanRequest request;
    request.arms.resize(1);
    CHECK_THROWS_WITH(make_plan(suite.info(), tasks, request),
                      Catch::Contains("windows-task: needs Windows"));
}
