#include "tools.h"

#include "fields.h"

#include <fmt/format.h>

#include <set>

namespace assay::serve {

namespace {
constexpr std::size_t kMostTools = 1024;
constexpr std::size_t kLongestName = 128;
constexpr const char* kNameLetters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
} // namespace

void check_tools(const std::vector<ToolSpec>& tools, const std::optional<ToolChoice>& choice) {
    if (tools.size() > kMostTools) bad_request("tools", fmt::format("more than {}", kMostTools));
    std::set<std::string> names;
    for (std::size_t i = 0; i < tools.size(); ++i) {
        const std::string& name = tools[i].name;
        if (name.empty() || name.size() > kLongestName ||
            name.find_first_not_of(kNameLetters) != std::string::npos)
            bad_request(
                item_path("tools", i),
                fmt::format("a name has 1 to {} letters, digits, _, - and .", kLongestName));
        if (!names.insert(name).second)
            bad_request(item_path("tools", i), "the name " + name + " is there twice");
    }
    if (!choice) return;
    if (choice->kind == ToolChoice::Kind::Named && !names.contains(choice->name))
        bad_request("tool_choice", "no tool has that name");
    if (choice->kind == ToolChoice::Kind::Required && tools.empty())
        bad_request("tool_choice", "there are no tools to choose from");
}

} // namespace assay::serve
