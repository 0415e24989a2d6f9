#include "assay/agents/agents.h"

#include "assay/base/error.h"
#include "factories.h"

#include <algorithm>

namespace assay {

const std::vector<AgentKind>& agent_kinds() {
    static const std::vector<AgentKind> kinds = {
        {oracle_info(), {}, make_oracle},
        {noop_info(), {}, make_noop},
    };
    return kinds;
}

namespace {
void check_keys(const AgentKind& kind, const Settings& settings) {
    for (const auto& [key, value] : settings) {
        bool known = std::any_of(kind.settings.begin(), kind.settings.end(),
                                 [&, &name = key](const auto& s) { return s.first == name; });
        if (known) continue;
        std::string list;
        for (const auto& known_key : kind.settings)
            list += (list.empty() ? "" : ", ") + known_key.first;
        throw Error(ErrorKind::Usage, "agent " + kind.info.name + " has no setting '" + key + "'")
            .hint(list.empty() ? "it has no settings" : "it has: " + list);
    }
}
} // namespace

std::unique_ptr<Agent> make_agent(std::string_view name, const Settings& settings) {
    std::string list;
    for (const AgentKind& kind : agent_kinds()) {
        if (kind.info.name == name) {
            check_keys(kind, settings);
            return kind.make(settings);
        }
        list += (list.empty() ? "" : ", ") + kind.info.name;
    }
    throw Error(ErrorKind::Usage, "there is no agent '" + std::string(name) + "'")
        .hint("agents: " + list);
}

} // namespace assay
