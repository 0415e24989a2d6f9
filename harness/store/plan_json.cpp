#include "assay/store/plan_json.h"

#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"

#include <nlohmann/json.hpp>

#include <set>
#include <tuple>

namespace assay {

namespace {

using Json = nlohmann::json; // object keys sorted: the canonical form needs that

Json parse(std::string_view text) {
    if (nested_too_deep(text)) throw Error(ErrorKind::Input, "plan: JSON nested too deeply");
    return Json::parse(text, nullptr, false);
}

// Settings travel as values, so that spaces and key order in their text change no digest.
Json value_of(const std::string& text, const char* what) {
    Json out = parse(text);
    if (out.is_discarded())
        throw Error(ErrorKind::Input, std::string("plan: ") + what + " is not JSON: " + text);
    return out;
}

Json arm_json(const ArmRecord& arm) {
    return {{"id", arm.id.hex()},
            {"label", arm.label},
            {"agent", arm.agent},
            {"agent_version", arm.agent_version},
            {"model", arm.model},
            {"judge", arm.judge},
            {"settings", value_of(arm.settings, "the settings of an arm")}};
}

Json slot_json(const SlotRecord& slot) {
    return {{"id", slot.id.hex()},   {"arm", slot.arm.hex()},      {"task", slot.task},
            {"family", slot.family}, {"digest", slot.task_digest}, {"attempt", slot.attempt},
            {"order", slot.order}};
}

Json body_of(const PlanRecord& plan) {
    Json arms = Json::array(), slots = Json::array(), refused = Json::array();
    for (const ArmRecord& arm : plan.arms) arms.push_back(arm_json(arm));
    for (const SlotRecord& slot : plan.slots) slots.push_back(slot_json(slot));
    for (const auto& [task, why] : plan.refused) refused.push_back({{"task", task}, {"why", why}});
    return {{"run", plan.run.hex()},
            {"suite", plan.suite},
            {"suite_version", plan.suite_version},
            {"source", plan.source},
            {"seed", plan.seed},
            {"settings", value_of(plan.settings, "settings")},
            {"metrics", value_of(plan.metrics, "metrics")},
            {"arms", std::move(arms)},
            {"slots", std::move(slots)},
            {"refused", std::move(refused)}};
}

std::string dump(const Json& json, int indent) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string text_at(const Json& object, const char* key) {
    return object.at(key).get<std::string>();
}

ArmRecord arm_from(const Json& json) {
    return {Id::from_hex(text_at(json, "id")), text_at(json, "label"), text_at(json, "agent"),
            text_at(json, "agent_version"),    text_at(json, "model"), text_at(json, "judge"),
            dump(json.at("settings"), -1)};
}

SlotRecord slot_from(const Json& json) {
    return {Id::from_hex(text_at(json, "id")),
            Id::from_hex(text_at(json, "arm")),
            text_at(json, "task"),
            text_at(json, "family"),
            text_at(json, "digest"),
            whole_number<int>(json.at("attempt"), "plan: attempt"),
            whole_number<std::int64_t>(json.at("order"), "plan: order")};
}

PlanRecord plan_from(const Json& body) {
    PlanRecord plan;
    plan.run = Id::from_hex(text_at(body, "run"));
    plan.suite = text_at(body, "suite");
    plan.suite_version = text_at(body, "suite_version");
    plan.source = text_at(body, "source");
    plan.seed = whole_number<std::uint64_t>(body.at("seed"), "plan: seed");
    plan.settings = dump(body.at("settings"), -1);
    plan.metrics = dump(body.at("metrics"), -1);
    for (const Json& arm : body.at("arms")) plan.arms.push_back(arm_from(arm));
    for (const Json& slot : body.at("slots")) plan.slots.push_back(slot_from(slot));
    for (const Json& entry : body.at("refused"))
        plan.refused.emplace_back(text_at(entry, "task"), text_at(entry, "why"));
    return plan;
}

void check(const PlanRecord& plan) {
    std::set<Id> arms, ids;
    std::set<std::string> labels;
    for (const ArmRecord& arm : plan.arms)
        if (!arms.insert(arm.id).second || !labels.insert(arm.label).second)
            throw Error(ErrorKind::Input, "plan: the arm " + arm.label + " is there twice");
    std::set<std::tuple<std::string_view, Id, int>> planned;
    std::set<std::int64_t> orders;
    for (const SlotRecord& slot : plan.slots) {
        std::string name = slot.task + " attempt " + std::to_string(slot.attempt);
        if (!arms.contains(slot.arm))
            throw Error(ErrorKind::Input, "plan: " + name + " names an arm that is not there");
        if (slot.attempt < 1)
            throw Error(ErrorKind::Input, "plan: " + name + ": attempts count from 1");
        if (!ids.insert(slot.id).second ||
            !planned.insert({slot.task, slot.arm, slot.attempt}).second ||
            !orders.insert(slot.order).second)
            throw Error(ErrorKind::Input, "plan: " + name + " is planned twice");
    }
}

} // namespace

std::string plan_body_json(const PlanRecord& plan) {
    return dump(body_of(plan), -1);
}

std::string plan_to_json(const PlanRecord& plan) {
    Json out = {{"assay_plan", 1}, {"digest", plan.digest().hex()}, {"plan", body_of(plan)}};
    return dump(out, 1) + "\n";
}

PlanRecord plan_from_json(std::string_view text) {
    Json file = parse(text);
    if (file.is_discarded() || !file.is_object() || !file.contains("assay_plan"))
        throw Error(ErrorKind::Input, "plan: not a plan of assay")
            .hint("`assay plan ... --out PLAN.json` writes one");
    PlanRecord plan;
    std::string digest;
    try {
        int version = whole_number<int>(file["assay_plan"], "plan: assay_plan");
        if (version != 1)
            throw Error(ErrorKind::Input, "plan: format " + std::to_string(version) +
                                              " is newer than this assay, which reads format 1");
        digest = text_at(file, "digest");
        plan = plan_from(file.at("plan"));
    } catch (const Json::exception& e) {
        throw Error(ErrorKind::Input, std::string("plan: ") + e.what());
    }
    check(plan);
    if (plan.digest().hex() != digest)
        throw Error(ErrorKind::Input, "plan: its content does not fit its digest " + digest +
                                          ": it was changed after it was made")
            .hint("make a new one with `assay plan`");
    return plan;
}

} // namespace assay
