#include "assay/base/capture.h"
#include "assay/base/error.h"
#include "assay/base/log.h"
#include "assay/models/prices.h"
#include "assay/net/http_client.h"
#include "assay/net/sse.h"
#include "factories.h"
#include "openai_request.h"
#include "openai_response.h"

#include <fmt/format.h>

#include <atomic>

namespace assay {

namespace {

constexpr std::string_view kDefaultBase = "https://api.openai.com/v1";
constexpr std::size_t kMostRaw = 64u << 20;

ModelFault fault_of(HttpFailure failure) {
    switch (failure) {
    case HttpFailure::Resolve:
    case HttpFailure::Connect:
    case HttpFailure::Closed:
    case HttpFailure::BadResponse:
        return ModelFault::Retry;
    case HttpFailure::Timeout:
        return ModelFault::Timeout;
    case HttpFailure::Tls:
    case HttpFailure::TooLarge:
        return ModelFault::Fatal;
    }
    return ModelFault::Fatal;
}

struct Endpoint {
    std::string model, base_url, key;
    bool official = false; // the service whose dialect it is; others follow with exceptions
};

// One answer as it comes in.
struct Incoming {
    explicit Incoming(const DeltaSink& to)
        : sink(to) {}
    const DeltaSink& sink;
    OpenAiStream stream;
    SseParser events;
    std::string raw;
    bool is_stream = false;
    std::optional<MonoTime> first_piece;

    bool take(std::string_view data) {
        if (raw.size() + data.size() > kMostRaw)
            throw ModelError(ModelFault::Fatal, "the answer is longer than any model writes");
        raw += data;
        if (!is_stream) return true;
        for (const SseEvent& event : events.feed(data)) stream.feed(event.data, sink);
        if (!first_piece && stream.began()) first_piece = std::chrono::steady_clock::now();
        return true; // also after [DONE]: what ends in order leaves the connection usable
    }
};

class OpenAiModel final : public Model {
  public:
    OpenAiModel(Endpoint endpoint, const ModelOptions& options)
        : endpoint_(std::move(endpoint))
        , url_(endpoint_.base_url + "/chat/completions")
        , place_(parse_url(url_).safe_text())
        , options_(options)
        , newer_limit_name_(endpoint_.official) {}

    std::string name() const override { return "openai:" + endpoint_.model; }
    ModelCapabilities capabilities() const override {
        ModelCapabilities can;
        can.tools = can.streaming = true;
        can.images = options_.blobs != nullptr;
        can.context_tokens = options_.context_tokens;
        return can;
    }
    std::string connection_key() const override {
        return "openai:" + place_ + "#" + endpoint_.model;
    }

    Completion complete(const CompletionRequest& request, const DeltaSink& sink,
                        const Cancel& cancel) override {
        try {
            return exchange(request, sink, cancel);
        } catch (const ModelError& e) {
            if (e.fault() != ModelFault::BadRequest || !request.sampling.max_tokens ||
                e.message().find("max_completion_tokens") == std::string::npos ||
                newer_limit_name_.exchange(true))
                throw;
        }
        return exchange(request, sink, cancel); // with the name that the server asked for
    }

  private:
    Completion exchange(const CompletionRequest& request, const DeltaSink& sink,
                        const Cancel& cancel) {
        OpenAiDialect dialect;
        dialect.model = endpoint_.model;
        dialect.max_completion_tokens = newer_limit_name_;
        dialect.send_reasoning = !endpoint_.official;
        dialect.top_logprobs = options_.top_logprobs;
        std::string body = openai_request_body(request, dialect, options_.blobs);
        Incoming incoming(sink);
        auto began = std::chrono::steady_clock::now();
        HttpResponse response = post(body, incoming, cancel);
        if (!response.ok()) {
            // Some servers echo the key. Now, for of a text that is cut later half a key may stay.
            if (options_.redactor != nullptr)
                response.body = options_.redactor->clean(std::move(response.body));
            throw at_place(openai_error(response.status, response.body,
                                        response.headers.get("Retry-After"),
                                        response.headers.get("Date")));
        }
        Completion out;
        try {
            out =
                incoming.is_stream ? incoming.stream.finish() : parse_openai_response(incoming.raw);
        } catch (const ModelError& e) {
            throw at_place(e);
        }
        finish(out, incoming, began);
        out.raw_request = std::move(body);
        out.raw_response = std::move(incoming.raw);
        return out;
    }

    HttpResponse post(const std::string& body, Incoming& incoming, const Cancel& cancel) {
        HttpRequest http;
        http.method = "POST";
        http.headers.set("Content-Type", "application/json");
        http.headers.set("Accept", "text/event-stream, application/json");
        if (!endpoint_.key.empty()) http.headers.set("Authorization", "Bearer " + endpoint_.key);
        http.body = body;
        HttpOptions how;
        how.timeout = options_.timeout;
        how.idle_timeout = options_.idle_timeout;
        how.max_body = kMostRaw;
        how.on_header = [&](const HttpResponse& head) {
            incoming.is_stream =
                head.headers.get("Content-Type").find("text/event-stream") != std::string::npos;
        };
        how.on_data = [&](std::string_view data) { return incoming.take(data); };
        try {
            return client_.send(url_, std::move(http), how, cancel);
        } catch (const HttpError& e) {
            if (incoming.stream.done()) return {}; // the answer was whole, only its end was not
            throw at_place(ModelError(fault_of(e.failure()), e.message()));
        } catch (const ModelError& e) {
            throw at_place(e);
        } catch (const Error& e) { // the connection died below HTTP
            if (e.kind() != ErrorKind::Io) throw;
            throw at_place(ModelError(ModelFault::Retry, e.message()));
        }
    }

    // With the name and place of the model in front, so that a message can be acted on.
    ModelError at_place(const ModelError& e) const {
        return ModelError(e.fault(),
                          fmt::format("{} at {}: {}", endpoint_.model, place_, e.message()),
                          e.retry_after_seconds());
    }

    void finish(Completion& out, const Incoming& incoming, MonoTime began) {
        auto now = std::chrono::steady_clock::now();
        if (incoming.first_piece) { // as seen from here: the server's own queue is in it
            out.prefill_seconds = seconds(*incoming.first_piece - began);
            out.decode_seconds = seconds(now - *incoming.first_piece);
        } else {
            out.decode_seconds = seconds(now - began);
        }
        if (out.model.empty()) out.model = endpoint_.model;
        if (out.usage.prompt_tokens == 0 && !warned_usage_.exchange(true))
            log_warn("{} at {} reports no token usage: budgets on tokens and cost will not hold",
                     endpoint_.model, place_);
        if (options_.prices) out.usage.cost = options_.prices->cost(endpoint_.model, out.usage);
    }

    const Endpoint endpoint_;
    const std::string url_, place_;
    const ModelOptions options_;
    HttpClient client_;
    std::atomic<bool> newer_limit_name_;
    std::atomic<bool> warned_usage_{false};
};

std::string variable(const ModelOptions& options, const char* name) {
    auto found = options.environment.find(name);
    return found == options.environment.end() ? std::string() : found->second;
}

} // namespace

std::unique_ptr<Model> make_openai_model(std::string_view rest, const ModelOptions& options) {
    Endpoint endpoint;
    std::size_t at = std::string_view::npos;
    for (std::string_view scheme : {"@http://", "@https://"})
        if (at == std::string_view::npos) at = rest.rfind(scheme);
    endpoint.model = rest.substr(0, at);
    // Taken for a part of the name, an address would send key and prompts to the default server.
    if (std::size_t sign = rest.rfind('@'); at == std::string_view::npos && sign != at)
        throw Error(ErrorKind::Usage,
                    fmt::format("model openai:{}: the part after @ is no http(s) URL", rest))
            .hint(fmt::format("write openai:{}@http://{}; a model whose name has an @ needs the "
                              "URL after it: openai:NAME@https://HOST/v1",
                              rest.substr(0, sign), rest.substr(sign + 1)));
    if (at != std::string_view::npos) endpoint.base_url = rest.substr(at + 1);
    if (endpoint.base_url.empty()) endpoint.base_url = variable(options, "OPENAI_BASE_URL");
    if (endpoint.base_url.empty()) endpoint.base_url = kDefaultBase;
    while (!endpoint.base_url.empty() && endpoint.base_url.back() == '/')
        endpoint.base_url.pop_back();
    endpoint.key = variable(options, "OPENAI_API_KEY");
    if (endpoint.model.empty())
        throw Error(ErrorKind::Usage, "model openai: the model's name is missing")
            .hint("openai:MODEL[@BASE_URL], e.g. openai:my-model@http://127.0.0.1:8000/v1");
    try {
        endpoint.official = parse_url(endpoint.base_url).host == parse_url(kDefaultBase).host;
    } catch (const Error& e) {
        throw Error(ErrorKind::Usage, "model openai: base URL: " + e.message());
    }
    if (endpoint.official && endpoint.key.empty())
        throw Error(ErrorKind::Usage, "model openai:" + endpoint.model + ": no API key")
            .hint("set OPENAI_API_KEY, or name your own server: openai:MODEL@http://HOST:PORT/v1");
    return std::make_unique<OpenAiModel>(std::move(endpoint), options);
}

} // namespace assay
