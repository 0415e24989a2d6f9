#include "factories.h"

namespace assay {

namespace {

// Runs the task's reference solution: every task must score 1 with it.
class OracleAgent final : public Agent {
  public:
    const AgentInfo& info() const override { return oracle_info(); }
    void run(const Task& task, TrialContext& context) override {
        context.suite().solve(task, context);
    }
};

// Does nothing: every task must score 0 with it.
class NoopAgent final : public Agent {
  public:
    const AgentInfo& info() const override { return noop_info(); }
    void run(const Task&, TrialContext&) override {}
};

} // namespace

const AgentInfo& oracle_info() {
    static const AgentInfo info{"oracle", "1", "runs the task's reference solution", false};
    return info;
}
const AgentInfo& noop_info() {
    static const AgentInfo info{"noop", "1", "does nothing", false};
    return info;
}
std::unique_ptr<Agent> make_oracle(const Settings&) {
    return std::make_unique<OracleAgent>();
}
std::unique_ptr<Agent> make_noop(const Settings&) {
    return std::make_unique<NoopAgent>();
}

} // namespace assay
