// The constructors behind the registry, one pair an agent.
#pragma once

#include "assay/agents/agents.h"

namespace assay {

const AgentInfo& oracle_info();
const AgentInfo& noop_info();
const AgentInfo& tools_info();
const AgentInfo& terminus_info();
const AgentInfo& command_info();
std::unique_ptr<Agent> make_oracle(const Settings& settings);
std::unique_ptr<Agent> make_noop(const Settings& settings);
std::unique_ptr<Agent> make_tools(const Settings& settings);
std::unique_ptr<Agent> make_terminus(const Settings& settings);
std::unique_ptr<Agent> make_command(const Settings& settings);

} // namespace assay
