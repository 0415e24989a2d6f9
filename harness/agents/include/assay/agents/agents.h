// The agents, by name. A registry for harness/cli: `assay list agents`, --agent, --agent-set k=v.
//
//   auto agent = make_agent("tools", {{"shell_timeout", "60"}});
//   agent->setup(task, context);
//   agent->run(task, context);
//
// Settings come from three places: those given here, then TrialContext::agent_settings(), then
// Task::agent_defaults; the first that has the key wins.
#pragma once

#include "assay/api/agent.h"
#include "assay/api/suite.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct AgentKind {
    AgentInfo info;
    SettingList settings;
    std::unique_ptr<Agent> (*make)(const Settings& settings);
};

const std::vector<AgentKind>& agent_kinds();

// Throws Error(Usage) for an unknown name, an unknown key or a value that does not parse.
std::unique_ptr<Agent> make_agent(std::string_view name, const Settings& settings = {});

} // namespace assay
