#include "script_file.h"

#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <map>

namespace assay {

using Json = nlohmann::ordered_json;

namespace {

constexpr double kMaxDelay = 86'400;

// Values of one object, each asked for by key; what was not asked for is an error in the end.
class Fields {
  public:
    Fields(const Json& json, std::string where)
        : json_(json)
        , where_(std::move(where)) {
        if (!json.is_object()) fail("must be a JSON object");
    }
    [[noreturn]] void fail(const std::string& what) const {
        throw Error(ErrorKind::Input, where_ + ": " + what);
    }
    const Json* find(const char* key) {
        known_.push_back(key);
        auto at = json_.find(key);
        return at == json_.end() ? nullptr : &*at;
    }
    // A string, or an array of lines.
    std::optional<std::string> text(const char* key) {
        const Json* value = find(key);
        if (value == nullptr) return std::nullopt;
        if (value->is_string()) return value->get<std::string>();
        if (!value->is_array()) fail("\"" + std::string(key) + "\" must be a string or lines");
        std::string out;
        for (const Json& line : *value) {
            if (!line.is_string()) fail("\"" + std::string(key) + "\": a line must be a string");
            if (!out.empty() || &line != &value->front()) out += '\n';
            out += line.get<std::string>();
        }
        return out;
    }
    std::optional<double> number(const char* key) {
        const Json* value = find(key);
        if (value == nullptr) return std::nullopt;
        if (!value->is_number() || value->get<double>() < 0)
            fail("\"" + std::string(key) + "\" must be a number >= 0");
        return value->get<double>();
    }
    std::optional<std::uint64_t> count(const char* key) {
        auto value = number(key);
        if (!value) return std::nullopt;
        if (*value > 1e15) fail("\"" + std::string(key) + "\" is too large");
        return static_cast<std::uint64_t>(*value);
    }
    std::vector<std::string> texts(const char* key) { // a string or several
        const Json* value = find(key);
        std::vector<std::string> out;
        if (value == nullptr) return out;
        if (value->is_string()) return {value->get<std::string>()};
        if (!value->is_array()) fail("\"" + std::string(key) + "\" must be a string or an array");
        for (const Json& one : *value) {
            if (!one.is_string()) fail("\"" + std::string(key) + "\" must hold strings");
            out.push_back(one.get<std::string>());
        }
        return out;
    }
    void done() const {
        for (const auto& [key, value] : json_.items())
            if (std::find(known_.begin(), known_.end(), key) == known_.end())
                fail("unknown key \"" + key + "\"");
    }
    const std::string& where() const { return where_; }

  private:
    const Json& json_;
    std::string where_;
    std::vector<std::string> known_;
};

template<class E>
E named(Fields& fields, const std::string& name, std::initializer_list<E> all, const char* what) {
    std::string list;
    for (E one : all) {
        if (to_string(one) == name) return one;
        list += (list.empty() ? "" : ", ") + std::string(to_string(one));
    }
    fields.fail("unknown " + std::string(what) + " \"" + name + "\" (known: " + list + ")");
}

ToolCall call_from(const Json& json, const std::string& where, std::size_t number) {
    Fields fields(json, where + ", call " + std::to_string(number + 1));
    ToolCall call;
    call.name = fields.text("name").value_or("");
    if (call.name.empty()) fields.fail("\"name\" is missing");
    call.id = fields.text("id").value_or("");
    if (const Json* arguments = fields.find("arguments")) // a string is passed on as it is written
        call.arguments = arguments->is_string() ? arguments->get<std::string>() : arguments->dump();
    else
        call.arguments = "{}";
    fields.done();
    return call;
}

void read_usage(Fields& fields, ScriptAnswer& answer) {
    const Json* json = fields.find("usage");
    if (json == nullptr) return;
    Fields usage(*json, fields.where() + ", usage");
    answer.prompt_tokens = usage.count("prompt");
    answer.completion_tokens = usage.count("completion");
    answer.cached_tokens = usage.count("cached").value_or(0);
    answer.reasoning_tokens = usage.count("reasoning").value_or(0);
    answer.cost = usage.number("cost");
    usage.done();
}

ScriptAnswer read_answer(Fields& fields) {
    ScriptAnswer answer;
    answer.reasoning = fields.text("reasoning");
    answer.say = fields.text("say");
    if (const Json* json = fields.find("say_json")) {
        if (answer.say) fields.fail("give \"say\" or \"say_json\", not both");
        answer.say = json->dump();
    }
    if (const Json* calls = fields.find("calls")) {
        if (!calls->is_array()) fields.fail("\"calls\" must be an array");
        for (std::size_t i = 0; i < calls->size(); ++i)
            answer.calls.push_back(call_from((*calls)[i], fields.where(), i));
    }
    if (auto finish = fields.text("finish"))
        answer.finish = named(fields, *finish,
                              {Finish::Stop, Finish::Length, Finish::ToolCalls,
                               Finish::ContentFilter, Finish::Unknown},
                              "finish");
    answer.delay_seconds = fields.number("delay").value_or(0);
    if (answer.delay_seconds > kMaxDelay) fields.fail("\"delay\" is longer than a day");
    if (auto fault = fields.text("fault"))
        answer.fault = named(fields, *fault,
                             {ModelFault::Retry, ModelFault::Overload, ModelFault::Timeout,
                              ModelFault::ContextOverflow, ModelFault::BadRequest, ModelFault::Auth,
                              ModelFault::NotFound, ModelFault::Refused, ModelFault::Fatal},
                             "fault");
    answer.fault_message = fields.text("message").value_or("planned by the script");
    answer.retry_after = fields.number("retry_after");
    read_usage(fields, answer);
    if (!answer.say && !answer.reasoning && answer.calls.empty() && !answer.fault)
        fields.fail("it answers nothing: give \"say\", \"say_json\", \"calls\" or \"fault\"");
    return answer;
}

void read_turns(Fields& fields, ScriptRule& rule) {
    const Json* turn = fields.find("turn");
    if (turn == nullptr) return;
    auto whole = [](const Json& json) {
        return json.is_number_integer() && json >= 0 && json <= std::numeric_limits<int>::max();
    };
    if (whole(*turn)) {
        rule.first_turn = rule.last_turn = turn->get<int>();
    } else if (turn->is_array() && turn->size() == 2 && whole((*turn)[0]) && whole((*turn)[1])) {
        rule.first_turn = (*turn)[0].get<int>();
        rule.last_turn = (*turn)[1].get<int>();
    } else {
        fields.fail("\"turn\" must be a number from 0, or [first, last]");
    }
}

void read_conditions(Fields& fields, ScriptRule& rule) {
    rule.role = fields.text("role").value_or("*");
    rule.task = fields.text("task").value_or("*");
    rule.tool = fields.text("tool").value_or("");
    if (auto attempt = fields.count("attempt")) rule.attempt = static_cast<int>(*attempt);
    read_turns(fields, rule);
    rule.last_has = fields.texts("last_has");
    rule.conversation_has = fields.texts("conversation_has");
    auto pattern = [&](const char* key, std::optional<Pattern>& into) {
        auto text = fields.text(key);
        if (!text) return;
        try {
            into.emplace(*text);
        } catch (const Error& e) {
            fields.fail("\"" + std::string(key) + "\": " + e.message());
        }
    };
    pattern("last", rule.last);
    pattern("conversation", rule.conversation);
}

ScriptRule read_rule(const Json& json, const std::string& where) {
    Fields fields(json, where);
    ScriptRule rule;
    read_conditions(fields, rule);
    fields.find("comment");
    const Json* once = fields.find("once");
    if (once != nullptr && !once->is_boolean()) fields.fail("\"once\" must be true or false");
    bool only_once = once != nullptr && once->get<bool>();
    if (const Json* sequence = fields.find("sequence")) {
        if (!sequence->is_array() || sequence->empty())
            fields.fail("\"sequence\" must be an array of answers");
        for (std::size_t i = 0; i < sequence->size(); ++i) {
            Fields one((*sequence)[i], where + ", answer " + std::to_string(i + 1));
            one.find("comment");
            rule.answers.push_back(read_answer(one));
            one.done();
        }
        rule.uses = rule.answers.size();
    } else {
        rule.answers.push_back(read_answer(fields));
        rule.uses = only_once ? 1 : 0;
    }
    fields.done();
    return rule;
}

Json parse(std::string_view text, const std::string& where) {
    try {
        return Json::parse(text);
    } catch (const Json::exception& e) {
        throw Error(ErrorKind::Input, where + ": " + e.what());
    }
}

Script read_document(const Json& json, std::string name) {
    Script script;
    script.name = std::move(name);
    Fields fields(json, "script " + script.name);
    fields.find("comment");
    script.context_tokens = fields.count("context_tokens");
    const Json* rules = fields.find("rules");
    const Json* otherwise = fields.find("default");
    if (rules == nullptr && otherwise == nullptr)
        fields.fail("give \"rules\", \"default\" or both");
    if (rules != nullptr && !rules->is_array()) fields.fail("\"rules\" must be an array");
    for (std::size_t i = 0; rules != nullptr && i < rules->size(); ++i)
        script.rules.push_back(
            read_rule((*rules)[i], fields.where() + ", rule " + std::to_string(i + 1)));
    if (otherwise != nullptr) {
        Fields one(*otherwise, fields.where() + ", default");
        ScriptRule rule;
        rule.answers.push_back(read_answer(one));
        one.done();
        script.rules.push_back(std::move(rule));
    }
    fields.done();
    return script;
}

} // namespace

Script parse_script(std::string_view text, std::string name) {
    const std::string where = "script " + name;
    if (nested_too_deep(text)) throw Error(ErrorKind::Input, where + ": nested too deeply");
    // One document, or a rule a line: an object with a document's keys is the former.
    Json whole = Json::parse(text, nullptr, false);
    if (!whole.is_discarded() &&
        (!whole.is_object() || whole.contains("rules") || whole.contains("default")))
        return read_document(whole, std::move(name));
    auto lines = split_lines(text);
    std::size_t first = 0;
    while (first < lines.size() && trim(lines[first]).empty()) ++first;
    bool by_line = first < lines.size() && Json::accept(lines[first]);
    if (!by_line) return read_document(parse(text, where), std::move(name));
    Script script;
    script.name = std::move(name);
    for (std::size_t i = first; i < lines.size(); ++i) {
        if (trim(lines[i]).empty()) continue;
        std::string line = where + ", line " + std::to_string(i + 1);
        script.rules.push_back(read_rule(parse(lines[i], line), line));
    }
    return script;
}

} // namespace assay
