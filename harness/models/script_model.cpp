#include "assay/base/capture.h"
#include "assay/base/error.h"
#include "assay/base/sync.h"
#include "assay/base/text.h"
#include "assay/models/prices.h"
#include "factories.h"
#include "script_file.h"

#include <algorithm>
#include <map>

namespace assay {

namespace {

std::string text_of(const Message& message) {
    std::string out;
    auto add = [&](std::string_view text) {
        if (!out.empty() && !text.empty()) out += '\n';
        out += text;
    };
    for (const ContentPart& part : message.parts) {
        if (const auto* text = std::get_if<TextPart>(&part))
            add(text->text);
        else if (const auto* call = std::get_if<ToolCall>(&part))
            add(call->name + " " + call->arguments);
        else if (const auto* result = std::get_if<ToolResult>(&part))
            add(plain_text(result->parts));
    }
    return out;
}

// What the rules look at; the texts are made once and only if a rule wants them.
class Subject {
  public:
    explicit Subject(const CompletionRequest& request)
        : request_(request) {}
    const CompletionRequest& request() const { return request_; }
    const std::string& last() {
        if (!last_)
            last_ = request_.messages.empty() ? std::string() : text_of(*request_.messages.back());
        return *last_;
    }
    const std::string& conversation() {
        if (!all_) {
            all_.emplace();
            for (const MessageRef& message : request_.messages) *all_ += text_of(*message) + '\n';
        }
        return *all_;
    }
    bool offers(std::string_view glob) const {
        return std::any_of(request_.tools.begin(), request_.tools.end(),
                           [&](const ToolSpec& tool) { return glob_match(glob, tool.name); });
    }

  private:
    const CompletionRequest& request_;
    std::optional<std::string> last_, all_;
};

bool has_all(const std::string& text, const std::vector<std::string>& needles) {
    return std::all_of(needles.begin(), needles.end(), [&](const std::string& needle) {
        return text.find(needle) != std::string::npos;
    });
}

bool matches(const ScriptRule& rule, Subject& subject, std::vector<std::string>* groups) {
    const SeedKey& key = subject.request().seed;
    if (!glob_match(rule.role, key.role) || !glob_match(rule.task, key.task)) return false;
    if (rule.attempt && *rule.attempt != key.attempt) return false;
    if (key.turn < rule.first_turn || (rule.last_turn >= 0 && key.turn > rule.last_turn))
        return false;
    if (!rule.tool.empty() && !subject.offers(rule.tool)) return false;
    if (!rule.last_has.empty() && !has_all(subject.last(), rule.last_has)) return false;
    if (!rule.conversation_has.empty() && !has_all(subject.conversation(), rule.conversation_has))
        return false;
    if (rule.conversation && !rule.conversation->search(subject.conversation(), groups))
        return false;
    return !rule.last || rule.last->search(subject.last(), groups);
}

// {{task}}, {{attempt}}, {{turn}} and {{0}} to {{9}}: the groups of the expression that matched.
std::string expand(std::string text, const SeedKey& key, const std::vector<std::string>& groups) {
    if (text.find("{{") == std::string::npos) return text;
    text = replace_all(std::move(text), "{{task}}", key.task);
    text = replace_all(std::move(text), "{{attempt}}", std::to_string(key.attempt));
    text = replace_all(std::move(text), "{{turn}}", std::to_string(key.turn));
    for (std::size_t i = 0; i < groups.size() && i < 10; ++i)
        text = replace_all(std::move(text), "{{" + std::to_string(i) + "}}", groups[i]);
    return text;
}

std::uint64_t estimate_tokens(std::size_t bytes) {
    return bytes / 4 + 1;
}

class ScriptModel final : public Model {
  public:
    ScriptModel(Script script, const Digest& file, std::string spec,
                std::shared_ptr<const PriceTable> prices)
        : script_(std::move(script))
        , file_(file)
        , spec_(std::move(spec))
        , prices_(std::move(prices)) {}

    std::string name() const override { return spec_; }
    ModelCapabilities capabilities() const override {
        ModelCapabilities can;
        can.tools = can.images = can.streaming = can.deterministic = true;
        can.context_tokens = script_.context_tokens;
        return can;
    }
    std::string connection_key() const override { return {}; }
    std::optional<Digest> fingerprint() const override { return file_; }

    Completion complete(const CompletionRequest& request, const DeltaSink& sink,
                        const Cancel& cancel) override {
        cancel.check();
        Subject subject(request);
        std::vector<std::string> groups;
        const ScriptAnswer* answer = choose(subject, groups);
        if (answer == nullptr) no_rule(subject);
        if (answer->delay_seconds > 0 && !cancel.sleep_for(from_seconds(answer->delay_seconds)))
            cancel.check();
        if (answer->fault)
            throw ModelError(*answer->fault, expand(answer->fault_message, request.seed, groups),
                             answer->retry_after);
        return completion(*answer, request, groups, sink);
    }

  private:
    struct Progress { // of one (task, attempt, role)
        int last_turn = -1;
        std::map<std::size_t, std::size_t> used; // rule -> times
    };

    const ScriptAnswer* choose(Subject& subject, std::vector<std::string>& groups) {
        const SeedKey& key = subject.request().seed;
        auto all = progress_.lock();
        Progress& progress =
            (*all)[key.task + '\n' + std::to_string(key.attempt) + '\n' + key.role];
        // The same attempt is tried again from its start after an infrastructure error.
        if (key.turn < progress.last_turn) progress = {};
        progress.last_turn = key.turn;
        for (std::size_t i = 0; i < script_.rules.size(); ++i) {
            const ScriptRule& rule = script_.rules[i];
            auto found = progress.used.find(i);
            std::size_t used = found == progress.used.end() ? 0 : found->second;
            if (rule.uses != 0 && used >= rule.uses) continue;
            groups.clear();
            if (!matches(rule, subject, &groups)) continue;
            if (rule.uses != 0) progress.used[i] = used + 1;
            return &rule.answers[std::min(used, rule.answers.size() - 1)];
        }
        return nullptr;
    }

    [[noreturn]] void no_rule(Subject& subject) const {
        const CompletionRequest& request = subject.request();
        std::string last = "there is no message";
        if (!request.messages.empty())
            last = "the last message, from " +
                   std::string(to_string(request.messages.back()->role)) +
                   ", is: " + cut_middle(subject.last(), 600);
        throw ModelError(ModelFault::Fatal, "script " + script_.name + ": no rule answers task '" +
                                                request.seed.task + "', attempt " +
                                                std::to_string(request.seed.attempt) + ", role " +
                                                request.seed.role + ", turn " +
                                                std::to_string(request.seed.turn) + "; " + last);
    }

    Completion completion(const ScriptAnswer& answer, const CompletionRequest& request,
                          const std::vector<std::string>& groups, const DeltaSink& sink) const {
        Completion out;
        out.model = spec_;
        out.message.role = Role::Assistant;
        std::size_t bytes = 0;
        auto emit = [&](Delta::Kind kind, std::string_view text) {
            bytes += text.size();
            if (sink) sink({kind, text});
        };
        if (answer.reasoning) {
            std::string text = expand(*answer.reasoning, request.seed, groups);
            emit(Delta::Kind::Reasoning, text);
            out.message.parts.push_back(ReasoningPart{std::move(text), {}});
        }
        if (answer.say) {
            std::string text = expand(*answer.say, request.seed, groups);
            emit(Delta::Kind::Text, text);
            out.message.parts.push_back(TextPart{std::move(text)});
        }
        for (std::size_t i = 0; i < answer.calls.size(); ++i) {
            ToolCall call = answer.calls[i];
            call.arguments = expand(std::move(call.arguments), request.seed, groups);
            if (call.id.empty())
                call.id = "call_" + std::to_string(request.seed.turn) + "_" + std::to_string(i + 1);
            emit(Delta::Kind::ToolCall, call.arguments);
            out.message.parts.push_back(std::move(call));
        }
        out.finish =
            answer.finish.value_or(answer.calls.empty() ? Finish::Stop : Finish::ToolCalls);
        fill_usage(out.usage, answer, request, bytes);
        return out;
    }

    void fill_usage(Usage& usage, const ScriptAnswer& answer, const CompletionRequest& request,
                    std::size_t bytes) const {
        if (answer.prompt_tokens) {
            usage.prompt_tokens = *answer.prompt_tokens;
        } else {
            std::size_t prompt = 0;
            for (const MessageRef& message : request.messages) prompt += text_of(*message).size();
            usage.prompt_tokens = estimate_tokens(prompt);
        }
        usage.completion_tokens = answer.completion_tokens.value_or(estimate_tokens(bytes));
        usage.cached_tokens = answer.cached_tokens;
        usage.reasoning_tokens = answer.reasoning_tokens;
        usage.cost = answer.cost;
        if (!usage.cost && prices_) usage.cost = prices_->cost(script_.name, usage);
    }

    const Script script_;
    const Digest file_;
    const std::string spec_;
    const std::shared_ptr<const PriceTable> prices_;
    Sync<std::map<std::string, Progress>> progress_;
};

} // namespace

std::unique_ptr<Model> make_script_model(std::string_view rest, const ModelOptions& options) {
    if (rest.empty())
        throw Error(ErrorKind::Usage, "model script: the file is missing").hint("script:FILE");
    RealFileSystem real;
    FileSystem& files = options.files != nullptr ? *options.files : real;
    Path path{std::string(rest)};
    std::string text;
    try {
        text = files.read(path, 64u << 20);
    } catch (const Error& e) {
        throw Error(ErrorKind::Input, "model script: " + e.message()).hint("see docs/models.md");
    }
    Script script = parse_script(text, path.filename().string());
    return std::make_unique<ScriptModel>(std::move(script), sha256(text),
                                         "script:" + std::string(rest), options.prices);
}

} // namespace assay
