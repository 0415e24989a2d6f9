// A small plan and small rows for the tests of the store.
#pragma once

#include "assay/store/store.h"

#include <string>

namespace assay {

inline PlanRecord sample_plan(int tasks = 3, int attempts = 2) {
    PlanRecord plan;
    plan.run = Id::derive("sample run");
    plan.suite = "example";
    plan.suite_version = "1";
    plan.source = "samples";
    plan.seed = 0xfedcba9876543210; // above 2^63: kept whole
    plan.settings = R"({"jobs":2})";
    plan.metrics = R"([{"name":"reward"}])";
    plan.arms = {{arm_id(plan.run, "tools@null"), "tools@null", "tools", "1", "null", "", "{}"}};
    for (int task = 1; task <= tasks; ++task)
        for (int attempt = 1; attempt <= attempts; ++attempt) {
            std::string name = "task-" + std::to_string(task);
            plan.slots.push_back({slot_id(plan.run, name, "tools@null", attempt), plan.arms[0].id,
                                  name, "family-" + std::to_string(task % 2), "sha256:0", attempt,
                                  static_cast<std::int64_t>(plan.slots.size())});
        }
    plan.refused = {{"task-x", "needs Windows"}};
    return plan;
}

inline TryEnd scored(double value) {
    TryEnd end;
    end.agent = AgentEnd::Done;
    end.verify = VerifyEnd::Done;
    end.attempt_class = AttemptClass::Scored;
    end.score = value;
    end.accepted = true;
    return end;
}

} // namespace assay
