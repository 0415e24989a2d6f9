#include "assay/serve/model_server.h"

#include "answer.h"
#include "anthropic_request.h"
#include "assay/base/capture.h"
#include "assay/base/text.h"
#include "assay/net/url.h"
#include "call_queue.h"
#include "conversation_memory.h"
#include "event_pump.h"
#include "fields.h"
#include "hangup_watch.h"
#include "openai_request.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace assay {

using namespace serve;

namespace {

constexpr int kHungUp = 499;
constexpr std::size_t kShownPath = 120; // bytes, in a log

enum class Call { Chat, Completions, Messages };

Protocol protocol_of(Call call) {
    return call == Call::Messages ? Protocol::Anthropic : Protocol::OpenAi;
}

std::string path_of(const HttpRequest& request) {
    return percent_decode(request.target.substr(0, request.target.find('?')));
}

// As far as an error needs to know.
Protocol guess_protocol(const HttpRequest& request, const std::string& path) {
    return path.starts_with("/v1/messages") || request.headers.has("anthropic-version") ||
                   request.headers.has("x-api-key")
               ? Protocol::Anthropic
               : Protocol::OpenAi;
}

// Takes the same time wherever they differ.
bool same_secret(std::string_view a, std::string_view b) {
    unsigned difference = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < a.size() && !b.empty(); ++i)
        difference |=
            static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i % b.size()]);
    return difference == 0;
}

HttpResponse json_response(std::string body) {
    HttpResponse response;
    response.headers.set("Content-Type", "application/json");
    response.body = std::move(body);
    return response;
}

std::string one_line(std::string_view text) {
    return cut_middle(utf8_clean(text), kShownPath * 4);
}

} // namespace

struct ModelServer::State {
    State(Model& served, BlobStore& store, ServeOptions given)
        : model(served)
        , blobs(store)
        , options(std::move(given))
        , queue(std::max<std::size_t>(options.parallel, 1), options.most_waiting) {
        if (options.name.empty()) options.name = model.name();
        if (options.clock == nullptr) options.clock = &system_clock;
        if (options.random == nullptr) options.random = &system_random;
        limits.images = model.capabilities().images;
        limits.image_bytes = options.image_bytes;
        began = options.clock->wall_microseconds() / 1'000'000;
    }

    void route(const HttpRequest& request, const std::string& path, ResponseWriter& writer,
               ServedRequest& record);
    void check_access(const HttpRequest& request) const;
    void show_models(const std::string& path, ResponseWriter& writer) const;
    Json model_json() const;
    void answer(Call call, const std::string& body, ResponseWriter& writer, ServedRequest& record);
    ApiRequest parse(Call call, const std::string& body);
    AnswerFacts facts(Call call, const ApiRequest& request);
    std::vector<CompletionRequest> requests_of(ApiRequest request);

    Model& model;
    BlobStore& blobs;
    ServeOptions options;
    SystemClock system_clock;
    SystemRandom system_random;
    RequestLimits limits;
    std::int64_t began = 0; // seconds since the epoch
    CallQueue queue;
    ConversationMemory memory;
    HangupWatch hangups;
};

void ModelServer::State::check_access(const HttpRequest& request) const {
    if (!options.token.empty()) {
        std::string shown = request.headers.get("x-api-key");
        std::string bearer = request.headers.get("Authorization");
        if (starts_with_nocase(bearer, "Bearer ")) shown = trim(bearer.substr(7));
        if (!same_secret(shown, options.token))
            throw ApiError(ApiFault::Unauthorized,
                           shown.empty() ? "no API key: send Authorization: Bearer KEY or x-api-key"
                                         : "the API key is not the one of this server");
    } else if (request.headers.has("Origin")) {
        // Any web page may send requests to this machine; without a key this tells them apart.
        throw ApiError(ApiFault::Forbidden, "a browser may use this server only with an API key");
    }
}

Json ModelServer::State::model_json() const {
    return {{"id", options.name},
            {"object", "model"},
            {"created", began},
            {"owned_by", "assay"},
            {"type", "model"},
            {"display_name", options.name},
            {"created_at", "1970-01-01T00:00:00Z"}};
}

void ModelServer::State::show_models(const std::string& path, ResponseWriter& writer) const {
    constexpr std::string_view kList = "/v1/models";
    if (path == kList)
        return writer.send(json_response(dump({{"object", "list"},
                                               {"data", Json::array({model_json()})},
                                               {"has_more", false},
                                               {"first_id", options.name},
                                               {"last_id", options.name}})));
    std::string name = path.substr(kList.size() + 1);
    if (name != options.name)
        throw ApiError(ApiFault::ModelNotFound,
                       "there is no model " + one_line(name) + " here, only " + options.name);
    writer.send(json_response(dump(model_json())));
}

void ModelServer::State::route(const HttpRequest& request, const std::string& path,
                               ResponseWriter& writer, ServedRequest& record) {
    static const std::map<std::string, Call, std::less<>> calls = {
        {"/v1/chat/completions", Call::Chat},
        {"/v1/completions", Call::Completions},
        {"/v1/messages", Call::Messages}};
    bool get = request.method == "GET" || request.method == "HEAD";
    if (path == "/health" && get) return writer.send(json_response("{}"));
    check_access(request);
    if ((path == "/v1/models" || path.starts_with("/v1/models/")) && get)
        return show_models(path, writer);
    auto call = calls.find(path);
    if (call == calls.end())
        throw ApiError(ApiFault::NotFound,
                       "this server has no " + request.method + " " + one_line(path) +
                           "; it has /v1/models, /v1/chat/completions, /v1/completions and "
                           "/v1/messages");
    if (request.method != "POST") throw ApiError(ApiFault::NotFound, path + " takes only POST");
    answer(call->second, request.body, writer, record);
}

ApiRequest ModelServer::State::parse(Call call, const std::string& body) {
    ApiRequest request = call == Call::Chat          ? parse_chat_request(body, limits, blobs)
                         : call == Call::Completions ? parse_completions_request(body, limits)
                                                     : parse_messages_request(body, limits, blobs);
    if (!options.any_name && request.model != options.name)
        throw ApiError(ApiFault::ModelNotFound,
                       "there is no model " + one_line(request.model) + " here, only " +
                           options.name,
                       "model");
    if (!request.tools.empty() && !model.capabilities().tools)
        bad_request("tools", "the model calls no tools");
    return request;
}

AnswerFacts ModelServer::State::facts(Call call, const ApiRequest& request) {
    const char* prefix = call == Call::Chat          ? "chatcmpl-"
                         : call == Call::Completions ? "cmpl-"
                                                     : "msg_";
    AnswerFacts out;
    out.id = prefix + Id::random(*options.random).hex();
    out.model = options.name;
    out.created = options.clock->wall_microseconds() / 1'000'000;
    out.logprobs = request.sampling.top_logprobs.has_value();
    out.include_usage = request.include_usage;
    out.token_bytes = [this](std::int32_t token) { return model.token_bytes(token); };
    return out;
}

// One for a conversation, one for each prompt.
std::vector<CompletionRequest> ModelServer::State::requests_of(ApiRequest request) {
    CompletionRequest base;
    base.sampling = std::move(request.sampling);
    base.tools = std::move(request.tools);
    base.seed.seed = request.seed ? *request.seed : options.random->next();
    base.seed.task = "serve";
    if (request.prompts.empty()) {
        base.messages = memory.recognise(std::move(request.messages));
        return {std::move(base)};
    }
    std::vector<CompletionRequest> out;
    for (std::string& prompt : request.prompts) {
        out.push_back(base);
        out.back().raw_prompt = std::move(prompt);
        out.back().seed.turn = static_cast<int>(out.size()) - 1;
    }
    return out;
}

namespace {

// The answer to one request on its way: whole, or as events from the first piece on. Before that an
// error still has its status.
class Outgoing {
  public:
    Outgoing(ResponseWriter& writer, Call call, AnswerFacts facts, bool stream,
             std::size_t most_unread, const Cancel& cancel)
        : writer_(writer)
        , call_(call)
        , facts_(std::move(facts))
        , most_unread_(most_unread)
        , cancel_(cancel) {
        auto out = [this](const SseEvent& event) { push(event); };
        if (!stream) return;
        stream_ = call == Call::Chat          ? chat_stream(facts_, out)
                  : call == Call::Completions ? completions_stream(facts_, out)
                                              : messages_stream(facts_, out);
    }

    DeltaSink sink() {
        if (!stream_) return {};
        return [this](const Delta& delta) { stream_->delta(delta); };
    }
    void add(Completion completion) {
        if (stream_) stream_->end(completion);
        done_.push_back(std::move(completion));
    }
    // False: the client did not take it.
    bool finish() {
        if (stream_) {
            stream_->finish();
            return pump_ && pump_->finish();
        }
        writer_.send(json_response(call_ == Call::Chat ? chat_answer(facts_, done_.at(0))
                                   : call_ == Call::Completions
                                       ? completions_answer(facts_, done_)
                                       : messages_answer(facts_, done_.at(0))));
        return true;
    }
    void fail(const ApiError& error) {
        if (!pump_) return writer_.send(error_response(error, protocol_of(call_)));
        stream_->fail(error);
        pump_->finish();
    }

  private:
    void push(const SseEvent& event) {
        if (broken_) return;
        try {
            if (!pump_) pump_.emplace(writer_, most_unread_, cancel_);
        } catch (const std::exception&) { // not into the model, which calls this
            broken_ = true;
            return cancel_.cancel(Cause::Aborted, "the client went away");
        }
        pump_->push(event);
    }

    ResponseWriter& writer_;
    const Call call_;
    const AnswerFacts facts_;
    const std::size_t most_unread_;
    const Cancel cancel_;
    std::unique_ptr<AnswerStream> stream_;
    std::optional<EventPump> pump_;
    bool broken_ = false;
    std::vector<Completion> done_;
};

// What the client is told. nullopt: it is not there any more.
std::optional<ApiError> explain_failure(const Cancel& call, const Cancel& connection) {
    try {
        throw;
    } catch (const ApiError& e) {
        return e;
    } catch (const ModelError& e) {
        return api_error(e);
    } catch (const Interrupted& e) {
        if (call.cancelled() && !connection.cancelled()) return std::nullopt;
        return ApiError(ApiFault::Stopped, e.what());
    } catch (const std::exception& e) {
        return ApiError(ApiFault::Fatal, e.what());
    }
}

} // namespace

void ModelServer::State::answer(Call call, const std::string& body, ResponseWriter& writer,
                                ServedRequest& record) {
    ApiRequest request = parse(call, body);
    record.stream = request.stream;
    Cancel cancel = writer.cancel().child();
    auto watch = hangups.watch(writer.poll_fd(), cancel);
    Outgoing out(writer, call, facts(call, request), request.stream, options.most_unread, cancel);
    try {
        MonoTime queued = options.clock->now();
        CallQueue::Place place = queue.enter(cancel);
        record.queue_seconds = seconds(options.clock->now() - queued);
        for (const CompletionRequest& one : requests_of(std::move(request))) {
            Completion completion = model.complete(one, out.sink(), cancel);
            memory.answered(completion.message);
            record.usage = record.usage + completion.usage;
            record.finish = to_string(completion.finish);
            out.add(std::move(completion));
        }
        record.status = out.finish() ? 200 : kHungUp;
    } catch (...) {
        record.failure = std::current_exception();
        auto told = explain_failure(cancel, writer.cancel());
        record.status = told ? status_of(told->fault(), protocol_of(call)) : kHungUp;
        record.error = told ? told->what() : "the client hung up";
        if (!told) return writer.break_connection();
        out.fail(*told);
    }
}

ModelServer::ModelServer(Model& model, BlobStore& blobs, ServeOptions options)
    : state_(std::make_unique<State>(model, blobs, std::move(options))) {}

ModelServer::~ModelServer() = default;

const std::string& ModelServer::name() const {
    return state_->options.name;
}

void ModelServer::handle(const HttpRequest& request, ResponseWriter& writer) {
    MonoTime began = state_->options.clock->now();
    ServedRequest record;
    std::string path = path_of(request);
    record.method = cut_middle(utf8_clean(request.method), kShownPath);
    record.path = cut_middle(utf8_clean(path), kShownPath);
    record.status = 200;
    auto log = [&] {
        record.seconds = seconds(state_->options.clock->now() - began);
        if (state_->options.on_request) state_->options.on_request(record);
    };
    try {
        state_->route(request, path, writer, record);
    } catch (const ApiError& e) {
        Protocol protocol = guess_protocol(request, path);
        record.status = status_of(e.fault(), protocol);
        record.error = e.what();
        log();
        return writer.send(error_response(e, protocol));
    } catch (const std::exception& e) { // the client went away while it was answered
        record.status = kHungUp;
        record.error = e.what();
        log();
        throw;
    }
    log();
}

HttpHandler ModelServer::handler() {
    return [this](const HttpRequest& request, ResponseWriter& writer) { handle(request, writer); };
}

HttpServerOptions ModelServer::http_options() const {
    HttpServerOptions out;
    out.max_body = state_->options.most_body;
    out.max_connections = state_->options.parallel + state_->options.most_waiting + 16;
    out.write_timeout = state_->options.write_timeout;
    out.stop_grace = std::chrono::seconds(2);
    out.refusal = refusal;
    return out;
}

} // namespace assay
