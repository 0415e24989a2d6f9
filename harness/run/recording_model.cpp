#include "recording_model.h"

#include "assay/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay {

namespace {

std::string sampling_json(const Sampling& s) {
    std::string out;
    auto add = [&](std::string_view key, const std::string& value) {
        out += fmt::format("{}\"{}\":{}", out.empty() ? "" : ",", key, value);
    };
    if (s.temperature) add("temperature", fmt::format("{}", *s.temperature));
    if (s.top_p) add("top_p", fmt::format("{}", *s.top_p));
    if (s.top_k) add("top_k", fmt::format("{}", *s.top_k));
    if (s.max_tokens) add("max_tokens", fmt::format("{}", *s.max_tokens));
    if (s.reasoning_effort) add("reasoning_effort", json_quote(*s.reasoning_effort));
    if (s.response_schema) add("response_schema", json_quote(*s.response_schema));
    if (!s.stop.empty()) {
        std::string list;
        for (const std::string& stop : s.stop) list += (list.empty() ? "" : ",") + json_quote(stop);
        add("stop", "[" + list + "]");
    }
    return "{" + out + "}";
}

bool same_tools(const std::vector<ToolSpec>& a, const std::vector<ToolSpec>& b) {
    return std::equal(
        a.begin(), a.end(), b.begin(), b.end(), [](const ToolSpec& x, const ToolSpec& y) {
            return x.name == y.name && x.description == y.description && x.schema == y.schema;
        });
}

std::string tools_json(const std::vector<ToolSpec>& tools) {
    std::string out;
    for (const ToolSpec& tool : tools)
        out += fmt::format(R"({}{{"name":{},"description":{},"schema":{}}})",
                           out.empty() ? "" : ",", json_quote(tool.name),
                           json_quote(tool.description), tool.schema.empty() ? "{}" : tool.schema);
    return "[" + out + "]";
}

} // namespace

SeedKey RecordingModel::seed_of(int turn) const {
    SeedKey key;
    key.seed = context_.seed;
    key.task = context_.slot.task;
    key.attempt = context_.slot.attempt;
    key.role = role_;
    key.turn = turn;
    return key;
}

SeedKey RecordingModel::next_seed() {
    std::lock_guard lock(mutex_);
    return seed_of(turns_);
}

// The whole of `known` must be a prefix of the request; 0 if it is not.
std::size_t RecordingModel::common_prefix(const Conversation& known,
                                          const CompletionRequest& request) const {
    std::size_t n = known.messages.size();
    if (n == 0 || n > request.messages.size()) return 0;
    return std::equal(known.messages.begin(), known.messages.end(), request.messages.begin()) ? n
                                                                                              : 0;
}

RecordingModel::Conversation&
RecordingModel::continue_conversation(const CompletionRequest& request, CallRecord& record) {
    std::size_t best = conversations_.size(), shared = 0;
    for (std::size_t i = 0; i < conversations_.size(); ++i) {
        std::size_t n = common_prefix(conversations_[i], request);
        if (n >= shared && n > 0) {
            best = i;
            shared = n;
        }
    }
    Conversation next;
    if (best < conversations_.size()) {
        next = std::move(conversations_[best]);
        conversations_.erase(conversations_.begin() + static_cast<std::ptrdiff_t>(best));
        record.parent = next.call;
    } else if (conversations_.size() >= kConversations) {
        conversations_.erase(conversations_.begin());
    }
    for (std::size_t i = shared; i < request.messages.size(); ++i) {
        const MessageRef& message = request.messages[i];
        next.messages.push_back(message);
        bool first = i == shared && record.parent.has_value();
        if (first && message->role == Role::Assistant && sha256(to_json(*message)) == next.output)
            continue; // the parent's own output
        add_message(*message, record);
    }
    next.call = record.id;
    conversations_.push_back(std::move(next));
    return conversations_.back();
}

void RecordingModel::add_message(const Message& message, CallRecord& record) {
    record.added.push_back(context_.blobs.put(to_json(message), "application/json"));
}

void RecordingModel::note_tools(const std::vector<ToolSpec>& tools, CallRecord& record) {
    if (same_tools(tools, tools_)) return;
    tools_ = tools;
    record.tools = context_.blobs.put(tools_json(tools), "application/json");
}

Completion RecordingModel::complete(const CompletionRequest& request, const DeltaSink& sink,
                                    const Cancel& cancel) {
    context_.budget.check();
    cancel.check();
    CallRecord record;
    CompletionRequest sent = request; // messages are shared: cheap
    {
        std::lock_guard lock(mutex_);
        record.turn = turns_++;
        record.id = call_id(context_.writer.id(), role_, record.turn);
        continue_conversation(request, record);
        note_tools(request.tools, record);
    }
    sent.seed = seed_of(record.turn);
    sent.events = &context_.writer;
    if (!sent.parent) sent.parent = record.parent;
    record.role = role_;
    record.sampling = sampling_json(request.sampling);
    record.began = context_.clock.wall_microseconds();

    MonoTime began = context_.clock.now();
    Completion completion = inner_.complete(sent, sink, cancel);
    record.seconds = seconds(context_.clock.now() - began);
    completion.id = record.id;
    store(sent, completion, std::move(record));
    return completion;
}

void RecordingModel::store(const CompletionRequest&, const Completion& completion,
                           CallRecord record) {
    record.output = context_.blobs.put(to_json(completion.message), "application/json");
    {
        std::lock_guard lock(mutex_);
        for (Conversation& known : conversations_)
            if (known.call == record.id) known.output = record.output.hash;
    }
    record.model = completion.model.empty() ? inner_.name() : completion.model;
    record.finish = to_string(completion.finish);
    record.usage = completion.usage;
    record.prompt_ids = completion.prompt_ids;
    record.completion_ids = completion.completion_ids;
    record.logprobs = completion.logprobs;
    record.prefix_broken = completion.prefix_broken;
    record.queue_seconds = completion.queue_seconds;
    record.prefill_seconds = completion.prefill_seconds;
    record.decode_seconds = completion.decode_seconds;
    record.tries = completion.tries;
    if (!completion.raw_request.empty())
        record.raw_request = context_.blobs.put(completion.raw_request, "application/json");
    if (!completion.raw_response.empty())
        record.raw_response = context_.blobs.put(completion.raw_response, "application/json");

    context_.budget.count(role_ == "agent", completion.usage, record.seconds,
                          completion.queue_seconds);
    context_.writer.emit(
        EventKind::Model,
        fmt::format(R"({{"call":"{}","role":{},"turn":{},"finish":"{}","prompt_tokens":{},)"
                    R"("completion_tokens":{},"seconds":{:.6f},"tries":{}}})",
                    record.id.hex(), json_quote(role_), record.turn, record.finish,
                    record.usage.prompt_tokens, record.usage.completion_tokens, record.seconds,
                    record.tries));
    int turns = record.turn + 1;
    context_.writer.call(std::move(record));
    if (role_ == "agent") context_.observer.model_called(context_.slot, turns, completion.usage);
}

} // namespace assay
