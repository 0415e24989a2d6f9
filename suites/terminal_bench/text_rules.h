// Small pure rules of Harbor: canary lines, ${VAR} templates, rewards.
#pragma once

#include "task_toml.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace assay::terminal_bench {

// Leading canary lines (an HTML comment or a '#' line with the word "canary") and the blank lines
// after them do not reach the agent.
std::string strip_canary(std::string_view instruction);

// A value that is wholly ${VAR} or ${VAR:-default} is taken from `host`; any other stays as it is.
// A variable without value and default is Error(Input).
using HostVariable = std::function<std::optional<std::string>(const std::string& name)>;
Variables resolve(const Variables& templates, const HostVariable& host, const std::string& where);

// Rewards by key. Errors are Error(Verifier), beginning with Harbor's name for it.
using Rewards = std::map<std::string, double>;
Rewards parse_reward_text(std::string_view text); // reward.txt: one number, key "reward"
Rewards parse_reward_json(std::string_view text); // a flat object of numbers
// "reward" if it is there, else the only key; several others are refused by name.
std::string primary_key(const Rewards& rewards);

} // namespace assay::terminal_bench
