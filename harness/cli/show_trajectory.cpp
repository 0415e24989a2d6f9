#include "show_trajectory.h"

#include "assay/base/capture.h"
#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

namespace assay {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t kShownBytes = 4000;   // of one text
constexpr std::size_t kShownArtifacts = 50; // a task may keep thousands of files

// What a sandbox or a model wrote must not drive the reader's terminal: newlines and tabs stay.
std::string shown(std::string_view text) {
    std::string out;
    for (unsigned char c : utf8_clean(cut_middle(text, kShownBytes)))
        out += (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? '?' : static_cast<char>(c);
    while (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
}

void block(std::string_view title, std::string_view text, std::string_view indent = "") {
    fmt::print("{}  {}\n", indent, title);
    std::string body = shown(text);
    if (body.empty()) return;
    for (std::string_view line : split_lines(body)) fmt::print("{}  | {}\n", indent, line);
}

std::string text_of(const Json& json, const char* key) {
    auto found = json.find(key);
    if (found == json.end() || found->is_null()) return "";
    return found->is_string() ? found->get<std::string>() : found->dump();
}

class Printer {
  public:
    Printer(RunReader& reader, const TryRow& row)
        : reader_(reader)
        , row_(row) {
        for (CallRecord& call : reader.calls(row.row)) calls_[call.id.hex()] = std::move(call);
    }

    void print() {
        fmt::print("\n{}#{}, try {}: {}", shown(row_.task), row_.attempt, row_.number,
                   to_string(row_.end.attempt_class));
        if (row_.end.score) fmt::print(", score {:.4g}", *row_.end.score);
        fmt::print(", {}\n", format_seconds(row_.end.wall_seconds));
        reader_.events(row_.row, [&](const EventRow& event) {
            print_event(event);
            return true;
        });
        for (const ScoreRecord& score : reader_.scores(row_.row)) {
            fmt::print("{} = {:.6g}{}\n", shown(score.metric), score.value,
                       score.primary ? "  (the score)" : "");
            if (score.primary && score.explanation)
                block("explanation", reader_.blob(*score.explanation));
            if (score.primary && score.deviations != "[]")
                fmt::print("  not official: {}\n", shown(score.deviations));
        }
        print_artifacts();
        if (row_.end.error) {
            fmt::print("{}: {}\n", shown(row_.end.error->kind), shown(row_.end.error->message));
            if (!row_.end.error->trace.empty()) block("trace", row_.end.error->trace);
        }
    }

  private:
    void print_artifacts() {
        std::vector<ArtifactRow> artifacts = reader_.artifacts(row_.row);
        for (std::size_t i = 0; i < std::min(artifacts.size(), kShownArtifacts); ++i)
            fmt::print("artifact {}, {} bytes\n", shown(artifacts[i].path), artifacts[i].blob.size);
        if (artifacts.size() > kShownArtifacts)
            fmt::print("and {} more artifacts\n", artifacts.size() - kShownArtifacts);
    }

    void print_event(const EventRow& event) {
        indent_.assign(2 * static_cast<std::size_t>(std::max(event.depth - 1, 0)), ' ');
        Json json = parse_json<Json>(event.json);
        double at = static_cast<double>(event.time - row_.began) / 1e6;
        switch (event.kind) {
        case EventKind::PhaseBegin:
            fmt::print("{:>8.2f} s  == {} ==\n", at, text_of(json, "phase"));
            return;
        case EventKind::PhaseEnd:
            if (text_of(json, "end") != "done")
                fmt::print("{:>8.2f} s  {}{} ended: {}\n", at, indent_, text_of(json, "phase"),
                           shown(text_of(json, "end")));
            return;
        case EventKind::Model:
            fmt::print("{:>8.2f} s  {}{} call {}\n", at, indent_, shown(text_of(json, "role")),
                       text_of(json, "turn"));
            print_call(text_of(json, "call"));
            return;
        default:
            fmt::print("{:>8.2f} s  {}{} {}\n", at, indent_, to_string(event.kind),
                       shown(event.json));
            // A tool call's arguments and its result's text are shown; the model's part is above.
            for (const auto& [name, blob] : event.blobs)
                if (blob.media_type.starts_with("text/") || blob.media_type == "application/json") {
                    std::string text = reader_.blob(blob);
                    block(name, text, indent_);
                    if (event.kind == EventKind::Message) messages_.insert(std::move(text));
                }
        }
    }

    void print_call(const std::string& id) {
        auto found = calls_.find(id);
        if (found == calls_.end()) return;
        const CallRecord& call = found->second;
        for (const BlobRef& added : call.added) print_message(reader_.blob(added));
        if (call.error)
            block(call.finish, reader_.blob(*call.error), indent_);
        else
            print_message(reader_.blob(call.output));
    }

    void print_message(const std::string& json) {
        try {
            Message message = message_from_json(json);
            if (message.role == Role::Tool) return; // the tool result's event shows it
            std::string text = message.text();
            if (message.role == Role::User && messages_.contains(text))
                text = "(the message above)";
            block(to_string(message.role), text, indent_);
            for (const ContentPart& part : message.parts)
                if (const auto* thought = std::get_if<ReasoningPart>(&part))
                    block("reasoning", thought->text, indent_);
            for (const ToolCall* call : message.tool_calls())
                block("calls " + call->name, call->arguments, indent_);
        } catch (const Error& e) {
            fmt::print("{}  (unreadable message: {})\n", indent_, e.message());
        }
    }

    RunReader& reader_;
    const TryRow& row_;
    std::map<std::string, CallRecord> calls_;
    std::string indent_;             // of the event, by the spans around it
    std::set<std::string> messages_; // shown by their events
};

Json parsed(const std::string& text) {
    Json out = parse_json<Json>(text);
    return out.is_discarded() ? Json(text) : out;
}

Json hash_json(const std::optional<Digest>& hash) {
    return hash ? Json(hash->hex()) : Json(nullptr);
}

Json calls_json(RunReader& reader, std::int64_t row) {
    Json out = Json::array();
    for (const CallRecord& call : reader.calls(row)) {
        Json added = Json::array();
        for (const BlobRef& blob : call.added) added.push_back(parsed(reader.blob(blob)));
        out.push_back({{"id", call.id.hex()},
                       {"parent", call.parent ? Json(call.parent->hex()) : Json(nullptr)},
                       {"role", call.role},
                       {"turn", call.turn},
                       {"added", std::move(added)},
                       {"output", call.error ? Json(nullptr) : parsed(reader.blob(call.output))},
                       {"error", call.error ? Json(reader.blob(*call.error)) : Json(nullptr)},
                       {"model", call.model},
                       {"finish", call.finish},
                       {"sampling", parsed(call.sampling)},
                       {"template_hash", hash_json(call.template_hash)},
                       {"prompt_tokens", call.usage.prompt_tokens},
                       {"completion_tokens", call.usage.completion_tokens},
                       {"seconds", call.seconds},
                       {"tries", call.tries}});
    }
    return out;
}

} // namespace

void print_trajectory(RunReader& reader, const TryRow& row) {
    Printer(reader, row).print();
}

void add_trajectory(RunReader& reader, std::int64_t row, Json& attempt) {
    Json scores = Json::array(), events = Json::array(), artifacts = Json::array();
    Json measurements = Json::array();
    for (const ScoreRecord& score : reader.scores(row))
        scores.push_back({{"metric", score.metric},
                          {"value", score.value},
                          {"primary", score.primary},
                          {"scorer", score.scorer},
                          {"version", score.version},
                          {"explanation", score.explanation ? Json(reader.blob(*score.explanation))
                                                            : Json(nullptr)},
                          {"deviations", parsed(score.deviations)},
                          {"details", parsed(score.details)},
                          {"input_hash", hash_json(score.input_hash)}});
    reader.events(row, [&](const EventRow& event) {
        Json blobs = Json::object();
        for (const auto& [name, blob] : event.blobs)
            blobs[name] = {
                {"sha256", blob.hash.hex()}, {"size", blob.size}, {"type", blob.media_type}};
        events.push_back({{"seq", event.sequence},
                          {"span", event.span ? Json(*event.span) : Json(nullptr)},
                          {"kind", to_string(event.kind)},
                          {"time", iso8601(event.time)},
                          {"data", parsed(event.json)},
                          {"blobs", std::move(blobs)}});
        return true;
    });
    for (const ArtifactRow& artifact : reader.artifacts(row))
        artifacts.push_back({{"path", artifact.path}, {"size", artifact.blob.size}});
    for (const Measurement& one : reader.measurements(row))
        measurements.push_back({{"name", one.name},
                                {"unit", one.unit},
                                {"samples", one.samples},
                                {"facts", parsed(one.facts)}});
    attempt["scores"] = std::move(scores);
    attempt["calls"] = calls_json(reader, row);
    attempt["events"] = std::move(events);
    attempt["artifacts"] = std::move(artifacts);
    attempt["measurements"] = std::move(measurements);
}

} // namespace assay
