#include "trajectory.h"

#include "assay/base/capture.h"
#include "assay/base/error.h"
#include "assay/base/hash.h"
#include "assay/base/json.h"
#include "assay/base/text.h"
#include "html_text.h"

#include <nlohmann/json.hpp>

#include <map>
#include <set>

namespace assay {

using Json = nlohmann::ordered_json;

namespace {

class Builder {
  public:
    Builder(RunReader& reader, const TryRow& row, const TrajectoryLimits& limits)
        : reader_(reader)
        , row_(row)
        , limits_(limits) {
        for (CallRecord& call : reader.calls(row.row)) {
            std::string id = call.id.hex();
            calls_.emplace(std::move(id), std::move(call));
        }
    }

    std::string build() {
        reader_.events(row_.row, [&](const EventRow& event) {
            add_event(event);
            return true;
        });
        Json out = {{"began", row_.began}, {"items", std::move(items_)}, {"cut", cut_}};
        for (const ArtifactRow& artifact : reader_.artifacts(row_.row)) {
            out["artifacts"].push_back(
                {{"path", clean(artifact.path)}, {"size", artifact.blob.size}});
            if (artifact.path.ends_with(".cast") && !out.contains("cast"))
                out["cast"] =
                    cut_middle(utf8_clean(reader_.blob(artifact.blob)), limits_.total / 2);
        }
        return out.dump(-1, ' ', false, Json::error_handler_t::replace);
    }

  private:
    static std::string clean(std::string_view text) { return visible_controls(plain_output(text)); }

    std::string text_of(const BlobRef& ref) { return shown(reader_.blob(ref)); }

    std::string shown(std::string_view text) const { return clean(cut_middle(text, limits_.text)); }

    void push(const EventRow& event, const char* kind, const Json& item) {
        Json full = {{"k", kind},
                     {"t", static_cast<double>(event.time - row_.began) / 1e6},
                     {"l", event.depth}};
        full.update(item);
        used_ += full.dump(-1, ' ', false, Json::error_handler_t::replace).size();
        if (used_ > limits_.total) {
            ++cut_;
            return;
        }
        items_.push_back(std::move(full));
    }

    static Json parsed(const std::string& text) {
        Json json = parse_json<Json>(text);
        return json.is_object() ? json : Json::object();
    }

    void add_event(const EventRow& event) {
        Json data = parsed(event.json);
        std::map<std::string, std::string> texts;
        for (const auto& [name, ref] : event.blobs) {
            if (ref.media_type.starts_with("image/"))
                data["image"] = image(ref);
            else
                texts[name] += text_of(ref);
        }
        if (event.kind == EventKind::Model) {
            add_call(event, data);
            return;
        }
        if (event.kind == EventKind::Message) told_.insert(sha256(texts["text"]));
        for (auto& [name, text] : texts) data[name] = std::move(text);
        if (event.kind == EventKind::ToolResult && data.contains("id") && data["id"].is_string())
            shown_results_.insert(data["id"].get<std::string>());
        std::string kind(to_string(event.kind));
        push(event, kind.c_str(), {{"d", std::move(data)}});
    }

    std::string image(const BlobRef& ref) {
        if (ref.size > limits_.text * 4) return "";
        return "data:" + ref.media_type + ";base64," + base64_encode(reader_.blob(ref));
    }

    // A model call: first what was new in its prompt, then its answer.
    void add_call(const EventRow& event, const Json& data) {
        auto found = calls_.find(data.value("call", ""));
        if (found == calls_.end()) {
            push(event, "model", {{"d", data}});
            return;
        }
        const CallRecord& call = found->second;
        for (const BlobRef& ref : call.added) add_message(event, call.role, ref);
        Json answer = {{"role", call.role},
                       {"turn", call.turn},
                       {"finish", call.finish},
                       {"model", clean(call.model)},
                       {"seconds", call.seconds},
                       {"prompt", call.usage.prompt_tokens},
                       {"cached", call.usage.cached_tokens},
                       {"completion", call.usage.completion_tokens},
                       {"tries", call.tries}};
        if (call.usage.cost) answer["cost"] = *call.usage.cost;
        if (call.prefix_broken) answer["prefix_broken"] = *call.prefix_broken;
        answer["parts"] =
            call.error ? Json::array({{{"text", text_of(*call.error)}}}) : parts(call.output);
        push(event, "model", {{"d", std::move(answer)}});
    }

    void add_message(const EventRow& event, const std::string& role, const BlobRef& ref) {
        Message message = message_from_json(reader_.blob(ref));
        if (is_shown(message)) return; // its event, which also knows the time, is in the list
        push(event, "message",
             {{"d",
               {{"for", role},
                {"role", std::string(to_string(message.role))},
                {"parts", parts_json(message)}}}});
    }

    bool is_shown(const Message& message) {
        if (message.role == Role::User && message.parts.size() == 1) {
            const auto* text = std::get_if<TextPart>(&message.parts[0]);
            auto told = text == nullptr ? told_.end() : told_.find(sha256(shown(text->text)));
            if (told == told_.end()) return false;
            told_.erase(told); // one event stands for one message
            return true;
        }
        bool all = message.role == Role::Tool && !message.parts.empty();
        for (const ContentPart& part : message.parts) {
            const auto* result = std::get_if<ToolResult>(&part);
            all = all && result != nullptr && shown_results_.contains(result->call_id);
        }
        return all;
    }

    Json parts(const BlobRef& ref) {
        try {
            return parts_json(message_from_json(reader_.blob(ref)));
        } catch (const Error& e) {
            return Json::array({{{"text", std::string("[unreadable: ") + e.message() + "]"}}});
        }
    }

    Json parts_json(const Message& message) {
        Json out = Json::array();
        for (const ContentPart& part : message.parts) {
            if (const auto* text = std::get_if<TextPart>(&part))
                out.push_back({{"text", shown(text->text)}});
            else if (const auto* reasoning = std::get_if<ReasoningPart>(&part))
                out.push_back({{"reasoning", shown(reasoning->text)}});
            else if (const auto* call = std::get_if<ToolCall>(&part))
                out.push_back({{"call", clean(call->name)},
                               {"id", clean(call->id)},
                               {"arguments", shown(call->arguments)}});
            else if (const auto* result = std::get_if<ToolResult>(&part))
                out.push_back({{"result", clean(result->name)},
                               {"text", shown(plain_text(result->parts))},
                               {"error", result->is_error}});
            else if (const auto* picture = std::get_if<ImagePart>(&part))
                out.push_back({{"image", image(picture->blob)}});
            else
                out.push_back({{"text", "[video]"}});
        }
        return out;
    }

    RunReader& reader_;
    const TryRow& row_;
    const TrajectoryLimits& limits_;
    std::map<std::string, CallRecord> calls_;
    std::set<std::string> shown_results_;
    std::multiset<Digest> told_; // texts of message events that no call's prompt had yet
    Json items_ = Json::array();
    std::size_t used_ = 0, cut_ = 0;
};

} // namespace

std::string trajectory_json(RunReader& reader, const TryRow& row, const TrajectoryLimits& limits) {
    return Builder(reader, row, limits).build();
}

} // namespace assay
