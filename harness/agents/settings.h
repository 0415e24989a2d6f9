// Where an agent's settings come from, and their types.
#pragma once

#include "assay/api/suite.h"
#include "assay/api/task.h"
#include "assay/api/trial.h"

#include <optional>
#include <string>
#include <string_view>

namespace assay {

class AgentSettings {
  public:
    // Borrows `own`, the task and the context.
    AgentSettings(const Settings& own, const Task& task, const TrialContext& context)
        : sources_{&own, &context.agent_settings(), &task.agent_defaults} {}
    explicit AgentSettings(const Settings& own)
        : sources_{&own, nullptr, nullptr} {}

    std::optional<std::string> find(std::string_view key) const;
    std::string text(std::string_view key, std::string_view otherwise) const;
    // Throw Error(Usage) naming the key and the value.
    int integer(std::string_view key, int otherwise, int least = 0) const;
    double number(std::string_view key, double otherwise) const;
    bool flag(std::string_view key, bool otherwise) const; // true/false, yes/no, on/off, 1/0
    std::string choice(std::string_view key, std::string_view otherwise,
                       std::initializer_list<std::string_view> allowed) const;

    // Sampling from the settings that every agent with a model has: temperature, top_p, top_k,
    // max_tokens, reasoning_effort.
    Sampling sampling() const;

  private:
    const Settings* sources_[3];
};

} // namespace assay
