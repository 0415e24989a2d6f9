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
    if (s.min_p) add("min_p", fmt::format("{}", *s.min_p));
    if (s.repetition_penalty) add("repetition_penalty", fmt::format("{}", *s.repetition_penalty));
    if (s.presence_penalty) add("presence_penalty", fmt::format("{}", *s.presence_penalty));
    if (s.frequency_penalty) add("frequency_penalty", fmt::format("{}", *s.frequency_penalty));
    if (s.max_tokens) add("max_tokens", fmt::format("{}", *s.max_tokens));
    if (s.top_logprobs) add("top_logprobs", fmt::format("{}", *s.top_logprobs));
    if (s.tool_choice) add("tool_choice", json_quote(to_string(*s.tool_choice)));
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

std::size_t common_prefix(const std::vector<MessageRef>& a, const std::vector<MessageRef>& b) {
    auto [end, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    return static_cast<std::size_t>(end - a.begin());
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

RecordingModel::Parent RecordingModel::find_parent(const std::vector<MessageRef>& prompt) const {
    Parent best;
    std::size_t longest = 0;
    for (const Conversation& known : conversations_) {
        std::size_t shared = common_prefix(known.messages, prompt);
        // From the last on: the first that fits is mostly the one.
        for (auto at = known.calls.rbegin(); at != known.calls.rend(); ++at) {
            std::size_t n = at->length;
            // Without an answer after it, it is the same question again and not a continuation.
            if (n > shared || n >= prompt.size() || prompt[n]->role != Role::Assistant) continue;
            if (n < longest || (n == longest && best.told > n)) continue;
            bool own = sha256(to_json(*prompt[n])) == at->output;
            best = {at->call, own ? n + 1 : n};
            longest = n;
        }
    }
    return best;
}

void RecordingModel::remember(const std::vector<MessageRef>& prompt, const CallRecord& record) {
    auto continues = [&](const Conversation& known) {
        if (common_prefix(known.messages, prompt) == prompt.size()) return true; // asked again
        return record.parent &&
               std::any_of(known.calls.begin(), known.calls.end(),
                           [&](const Answered& call) { return call.call == *record.parent; });
    };
    auto found = std::find_if(conversations_.begin(), conversations_.end(), continues);
    Conversation conversation;
    if (found != conversations_.end()) {
        conversation = std::move(*found);
        conversations_.erase(found);
    } else if (conversations_.size() >= kConversations) {
        conversations_.erase(conversations_.begin());
    }
    std::size_t shared = common_prefix(conversation.messages, prompt);
    if (shared < prompt.size()) {
        std::erase_if(conversation.calls,
                      [&](const Answered& call) { return call.length > shared; });
        conversation.messages = prompt;
    }
    conversation.calls.push_back({record.id, prompt.size(), record.output.hash});
    conversations_.push_back(std::move(conversation));
}

Completion RecordingModel::complete(const CompletionRequest& request, const DeltaSink& sink,
                                    const Cancel& cancel) {
    if (role_ == "agent") context_.writer.end_turn();
    context_.budget.check();
    cancel.check();
    CallRecord record;
    Parent parent;
    {
        std::lock_guard lock(mutex_);
        record.turn = turns_++;
        parent = find_parent(request.messages);
    }
    record.id = call_id(context_.writer.id(), role_, record.turn);
    record.parent = parent.call;
    record.role = role_;
    record.sampling = sampling_json(request.sampling);
    record.began = context_.clock.wall_microseconds();
    CompletionRequest sent = request; // messages are shared: cheap
    sent.seed = seed_of(record.turn);
    sent.events = &context_.writer;
    sent.waiting = context_.waiting;
    if (!sent.parent) sent.parent = record.parent;
    sent.completion = record.id;

    MonoTime began = context_.clock.now();
    auto ended = [&] {
        record.seconds = seconds(context_.clock.now() - began);
        note_request(sent, parent, record);
    };
    try {
        Completion completion = inner_.complete(sent, sink, cancel);
        ended();
        completion.id = record.id;
        store(sent, completion, std::move(record));
        return completion;
    } catch (const ModelError& e) {
        ended();
        record.finish = fmt::format("error:{}", to_string(e.fault()));
        record.queue_seconds = e.queue_seconds();
        record.tries = e.tries();
        store_failed(e.message(), std::move(record));
        throw;
    } catch (const Interrupted& e) {
        ended();
        record.finish = fmt::format("interrupted:{}", to_string(e.reason().cause));
        store_failed(e.reason().detail, std::move(record));
        throw;
    }
}

void RecordingModel::note_request(const CompletionRequest& sent, const Parent& parent,
                                  CallRecord& record) {
    if (sent.raw_prompt)
        record.added.push_back(
            context_.blobs.put(to_json(*user_message(*sent.raw_prompt)), "application/json"));
    for (std::size_t i = parent.told; i < sent.messages.size(); ++i)
        record.added.push_back(context_.blobs.put(to_json(*sent.messages[i]), "application/json"));
    std::lock_guard lock(mutex_);
    if (same_tools(sent.tools, tools_)) return;
    tools_ = sent.tools;
    record.tools = context_.blobs.put(tools_json(tools_), "application/json");
}

void RecordingModel::store_failed(std::string_view why, CallRecord record) {
    record.error = context_.blobs.put(why, "text/plain");
    record.model = inner_.name();
    context_.budget.count(false, {}, record.seconds, record.queue_seconds);
    emit(record);
    context_.writer.call(std::move(record));
}

void RecordingModel::store(const CompletionRequest& sent, const Completion& completion,
                           CallRecord record) {
    record.output = context_.blobs.put(to_json(completion.message), "application/json");
    {
        std::lock_guard lock(mutex_);
        remember(sent.messages, record);
    }
    record.model = completion.model.empty() ? inner_.name() : completion.model;
    record.finish = to_string(completion.finish);
    record.usage = completion.usage;
    record.prompt_ids = completion.prompt_ids;
    record.completion_ids = completion.completion_ids;
    record.logprobs = completion.logprobs;
    record.prefix_broken = completion.prefix_broken;
    record.template_hash = completion.template_hash;
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
    emit(record);
    int turns = record.turn + 1;
    context_.writer.call(std::move(record));
    if (role_ == "agent") context_.observer.model_called(context_.slot, turns, completion.usage);
}

void RecordingModel::emit(const CallRecord& record) {
    std::string json = fmt::format(
        R"({{"call":"{}","role":{},"turn":{},"finish":"{}","prompt_tokens":{},)"
        R"("completion_tokens":{},"seconds":{:.6f},"tries":{}}})",
        record.id.hex(), json_quote(role_), record.turn, record.finish, record.usage.prompt_tokens,
        record.usage.completion_tokens, record.seconds, record.tries);
    if (role_ == "agent" && !record.error)
        context_.writer.begin_turn(EventKind::Model, std::move(json));
    else
        context_.writer.emit(EventKind::Model, std::move(json));
}

} // namespace assay
