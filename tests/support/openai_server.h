// An OpenAI-style server that behaves as told: one behaviour per request, in order, then the last
// one again. For tests of whatever speaks chat completions.
//
//   OpenAiServer server;
//   server.status(429, R"({"error":{"message":"slow down"}})", {{"Retry-After", "1"}});
//   server.cut({delta("hel")}, 40);
//   server.say("hello");
//   auto model = make_model("openai:m@" + server.url(), options);
#pragma once

#include "assay/base/text.h"
#include "assay/net/http_server.h"

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace assay::test {

// Chunks of a stream, as JSON text.
inline std::string delta(const std::string& text) {
    return R"({"id":"x","model":"served","choices":[{"index":0,"delta":{"content":)" +
           json_quote(text) + "}}]}";
}
inline std::string finish(const std::string& reason) {
    return R"({"choices":[{"index":0,"delta":{},"finish_reason":)" + json_quote(reason) + "}]}";
}
inline std::string usage(int prompt, int cached, int completion) {
    return R"({"choices":[],"usage":{"prompt_tokens":)" + std::to_string(prompt) +
           R"(,"prompt_tokens_details":{"cached_tokens":)" + std::to_string(cached) +
           R"(},"completion_tokens":)" + std::to_string(completion) + "}}";
}

class OpenAiServer {
  public:
    using Behaviour = std::function<void(const HttpRequest&, ResponseWriter&)>;

    OpenAiServer()
        : server_(
              listen_loopback(),
              [this](const HttpRequest& request, ResponseWriter& writer) {
                  next(request)(request, writer);
              },
              options()) {}

    std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()) + "/v1"; }
    std::vector<HttpRequest> requests() const {
        std::lock_guard lock(mutex_);
        return requests_;
    }
    void then(Behaviour behaviour) {
        std::lock_guard lock(mutex_);
        queue_.push_back(std::move(behaviour));
    }

    void status(int code, std::string body, HttpHeaders headers = {}) {
        then([=](const HttpRequest&, ResponseWriter& writer) {
            HttpResponse response;
            response.status = code;
            response.headers = headers;
            response.body = body;
            writer.send(std::move(response));
        });
    }
    void json(std::string body) {
        status(200, std::move(body), {{"Content-Type", "application/json"}});
    }
    // A stream of these chunks; "[DONE]" is added.
    void stream(std::vector<std::string> chunks) {
        chunks.push_back("[DONE]");
        then([=](const HttpRequest&, ResponseWriter& writer) {
            writer.start_events();
            for (const std::string& chunk : chunks) writer.event(event_of(chunk));
            writer.finish();
        });
    }
    void say(const std::string& text) { stream({delta(text), finish("stop"), usage(10, 4, 5)}); }
    // The connection breaks after so many bytes of the events.
    void cut(const std::vector<std::string>& chunks, std::size_t bytes) {
        std::string all;
        for (const std::string& chunk : chunks) all += format_sse(event_of(chunk));
        then([part = all.substr(0, bytes)](const HttpRequest&, ResponseWriter& writer) {
            writer.start_events();
            writer.write(part);
            writer.break_connection();
        });
    }
    // Ends in order, but before the answer is finished.
    void end_early(std::vector<std::string> chunks) {
        then([=](const HttpRequest&, ResponseWriter& writer) {
            writer.start_events();
            for (const std::string& chunk : chunks) writer.event(event_of(chunk));
            writer.finish();
        });
    }
    // Sends these and then nothing more until the server stops.
    void stall(std::vector<std::string> chunks) {
        then([=](const HttpRequest&, ResponseWriter& writer) {
            writer.start_events();
            for (const std::string& chunk : chunks) writer.event(event_of(chunk));
            writer.cancel().sleep_for(std::chrono::seconds(30));
            writer.break_connection();
        });
    }
    // Byte after byte.
    void slow(std::vector<std::string> chunks) {
        chunks.push_back("[DONE]");
        then([=](const HttpRequest&, ResponseWriter& writer) {
            writer.start_events();
            for (const std::string& chunk : chunks)
                for (char c : format_sse(event_of(chunk))) writer.write(std::string_view(&c, 1));
            writer.finish();
        });
    }

  private:
    static HttpServerOptions options() {
        HttpServerOptions out;
        out.stop_grace = Nanoseconds(0); // a stalled stream shall not hold the test up
        return out;
    }
    static SseEvent event_of(const std::string& chunk) {
        SseEvent event;
        event.data = chunk;
        return event;
    }
    Behaviour next(const HttpRequest& request) {
        std::lock_guard lock(mutex_);
        requests_.push_back(request);
        if (queue_.empty())
            return [](const HttpRequest&, ResponseWriter& writer) {
                HttpResponse response;
                response.status = 500;
                response.body = "the test planned no more answers";
                writer.send(std::move(response));
            };
        Behaviour behaviour = queue_.front();
        if (queue_.size() > 1) queue_.pop_front();
        return behaviour;
    }

    mutable std::mutex mutex_;
    std::deque<Behaviour> queue_;
    std::vector<HttpRequest> requests_;
    HttpServer server_; // last: its threads use the rest
};

} // namespace assay::test
