// A Model behind the two protocols that programs speak: OpenAI chat completions and completions,
// and Anthropic messages. Answers HTTP requests; whose connections they come from is the caller's.
//
//   ModelServer server(model, blobs, options);
//   HttpServer http(listen_loopback(8000), server.handler(), server.http_options());
//
//   GET  /v1/models, /v1/models/NAME, /health
//   POST /v1/chat/completions, /v1/completions, /v1/messages
//
// A client that hangs up cancels its call. Parameters that would change an answer and that are not
// understood are refused by name; see docs/serve.md. Thread-safe. Outlives its connections.
#pragma once

#include "assay/api/model.h"
#include "assay/base/clock.h"
#include "assay/base/random.h"
#include "assay/net/http_server.h"

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>

namespace assay {

// One request, for a log: nothing of what was asked or answered.
struct ServedRequest {
    std::string method, path; // as the client wrote them, cleaned and cut
    int status = 0;           // 499: the client hung up
    bool stream = false;
    Usage usage;
    std::string finish;         // of a completion
    double queue_seconds = 0;   // in the server's own queue
    double seconds = 0;         // in all
    std::string error;          // for the log; empty: none
    std::exception_ptr failure; // what the model threw
};

struct ServeOptions {
    std::string name = {};          // what clients call the model; empty: as it calls itself
    bool any_name = false;          // it answers to every name
    std::string token = {};         // what each client must show; empty: none
    std::size_t parallel = 8;       // calls at a time
    std::size_t most_waiting = 512; // calls, beyond that clients are told to come again
    std::uint64_t most_body = 64u << 20;
    std::size_t most_unread = 8u << 20; // of a stream, bytes that its client has not taken
    std::size_t image_bytes = 20u << 20;
    Nanoseconds write_timeout = std::chrono::seconds(60); // for a client to take what it is sent
    std::function<void(const ServedRequest&)> on_request = {}; // from any thread; may be empty
    const Clock* clock = nullptr; // nullptr: the system's; outlives the server, as does:
    Random* random = nullptr;     // ids, and seeds where a request has none. Thread-safe
};

class ModelServer {
  public:
    // Borrows both. Images of requests are put into `blobs`.
    ModelServer(Model& model, BlobStore& blobs, ServeOptions options);
    ~ModelServer();

    void handle(const HttpRequest& request, ResponseWriter& writer);
    HttpHandler handler(); // borrows the server
    HttpServerOptions http_options() const;
    const std::string& name() const; // of the model

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace assay
