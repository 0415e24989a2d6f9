#include "assay/store/records.h"

#include "assay/base/error.h"
#include "assay/store/plan_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace assay {

namespace {

constexpr std::array<std::string_view, 5> kAgentEnds = {"none", "done", "limit", "error",
                                                        "cancelled"};
constexpr std::array<std::string_view, 4> kVerifyEnds = {"none", "done", "error", "cancelled"};
constexpr std::array<std::string_view, 6> kClasses = {
    "scored", "agent_failure", "limit", "infrastructure_error", "verifier_error", "cancelled"};

template<class Enum, std::size_t N>
Enum named(const std::array<std::string_view, N>& names, std::string_view text, const char* what) {
    for (std::size_t i = 0; i < N; ++i)
        if (names[i] == text) return static_cast<Enum>(i);
    throw Error(ErrorKind::Input, "no such " + std::string(what) + ": " + std::string(text));
}

// Parts are separated by a byte that no part holds in practice; the lengths make it certain.
Id derive(std::string_view what, const Id& base, std::string_view text, int number) {
    std::string key = std::string(what) + '\0' + base.hex() + '\0' + std::to_string(text.size()) +
                      '\0' + std::string(text) + '\0' + std::to_string(number);
    return Id::derive(key);
}

} // namespace

std::string_view to_string(AgentEnd end) {
    return kAgentEnds.at(static_cast<std::size_t>(end));
}
std::string_view to_string(VerifyEnd end) {
    return kVerifyEnds.at(static_cast<std::size_t>(end));
}
std::string_view to_string(AttemptClass c) {
    return kClasses.at(static_cast<std::size_t>(c));
}
std::vector<std::string> connection_lines(const std::vector<ConnectionChange>& changes) {
    struct Story {
        int first = 0, last = 0, lowest = 0, highest = 0;
        std::map<std::string, int> causes{};
    };
    std::map<std::string, Story> stories;
    for (const ConnectionChange& change : changes) {
        auto [at, is_new] = stories.try_emplace(change.connection);
        Story& story = at->second;
        if (is_new) story = {change.before, 0, change.before, change.before};
        story.last = change.after;
        story.lowest = std::min(story.lowest, change.after);
        story.highest = std::max(story.highest, change.after);
        ++story.causes[change.cause];
    }
    std::vector<std::string> out;
    for (const auto& [connection, story] : stories) {
        std::string causes;
        for (const auto& [cause, count] : story.causes)
            causes += fmt::format("{}{} {}", causes.empty() ? "" : ", ", count, cause);
        out.push_back(fmt::format("{}: {} calls at a time at first, {} at last, {} to {} (changes: "
                                  "{})",
                                  connection, story.first, story.last, story.lowest, story.highest,
                                  causes));
    }
    return out;
}

AgentEnd agent_end_from(std::string_view text) {
    return named<AgentEnd>(kAgentEnds, text, "end of an agent");
}
VerifyEnd verify_end_from(std::string_view text) {
    return named<VerifyEnd>(kVerifyEnds, text, "end of a verification");
}
AttemptClass attempt_class_from(std::string_view text) {
    return named<AttemptClass>(kClasses, text, "class of an attempt");
}

Id arm_id(const Id& run, std::string_view label) {
    return derive("arm", run, label, 0);
}
Id slot_id(const Id& run, std::string_view task, std::string_view arm_label, int attempt) {
    return derive("slot", arm_id(run, arm_label), task, attempt);
}
Id try_id(const Id& slot, int number) {
    return derive("try", slot, "", number);
}
Id call_id(const Id& attempt, std::string_view role, int turn) {
    return derive("call", attempt, role, turn);
}

Digest PlanRecord::digest() const {
    return sha256(plan_body_json(*this));
}

} // namespace assay
