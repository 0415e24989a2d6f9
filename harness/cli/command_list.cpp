// assay list: what this build can run, or the attempts of a run.
#include "assay/agents/agents.h"
#include "assay/base/error.h"
#include "assay/models/models.h"
#include "commands.h"
#include "registry.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace assay {

namespace {

using Json = nlohmann::ordered_json;

struct Line {
    std::string name, description;
    SettingList settings;
};

std::vector<Line> lines_of(const std::string& what) {
    std::vector<Line> lines;
    if (what == "suites")
        for (const SuiteEntry& entry : suite_registry())
            lines.push_back(
                {entry.name, entry.description, make_suite(entry, {})->info().settings});
    if (what == "sandboxes")
        for (const SandboxEntry& entry : sandbox_registry())
            lines.push_back({entry.name, entry.description, {}});
    if (what == "models")
        for (const ModelKind& kind : model_kinds())
            lines.push_back({kind.form, kind.description, {}});
    if (what == "agents")
        for (const AgentKind& kind : agent_kinds())
            lines.push_back({kind.info.name, kind.info.description, kind.settings});
    return lines;
}

void print_json(const std::vector<Line>& lines) {
    Json out = Json::array();
    for (const Line& line : lines) {
        Json one = {{"name", line.name}, {"description", line.description}};
        for (const auto& [key, help] : line.settings) one["settings"][key] = help;
        out.push_back(std::move(one));
    }
    std::printf("%s\n", out.dump(2).c_str());
}

} // namespace

int command_list(const Arguments& arguments) {
    const std::string& what = arguments.what;
    if (what != "suites" && what != "agents" && what != "models" && what != "sandboxes") {
        if (!RealFileSystem().exists(what))
            throw Error(ErrorKind::Usage, "assay list " + what + ": neither a registry nor a file")
                .hint("suites, agents, models, sandboxes or a RUN.db");
        Arguments show = arguments;
        show.files = {what};
        return command_show(show);
    }
    std::vector<Line> lines = lines_of(what);
    if (arguments.json) {
        print_json(lines);
        return 0;
    }
    const char* option = what == "suites" ? "--set" : "--agent-set";
    std::size_t width = 0;
    for (const Line& line : lines) width = std::max(width, line.name.size());
    for (const Line& line : lines) {
        fmt::print("{:<{}}  {}\n", line.name, width, line.description);
        for (const auto& [key, help] : line.settings)
            fmt::print("{:<{}}    {} {}=…  {}\n", "", width, option, key, help);
    }
    return 0;
}

} // namespace assay
