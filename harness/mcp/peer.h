// JSON-RPC in both directions over a Transport: ids, waiting, timeouts, requests of the server.
// Knows neither eras nor tools.
#pragma once

#include "assay/mcp/client.h"
#include "assay/mcp/message.h"

#include <nlohmann/json.hpp>

#include <condition_variable>
#include <mutex>

namespace assay::mcp {

using Json = nlohmann::ordered_json; // the order of a schema's properties matters to models

inline constexpr int kMethodNotFound = -32601;

std::string dump(const Json& json);

// The answer cannot come because the HTTP session is gone: open a new one.
class SessionGone : public Error {
  public:
    explicit SessionGone(std::string message)
        : Error(ErrorKind::Sandbox, std::move(message)) {}
};

struct Request {
    std::string method;
    Json params = Json::object();
    Nanoseconds timeout{};
    Nanoseconds ceiling{};          // hard limit where progress resets the timeout
    bool reset_on_progress = false; // asks for progress, too
    bool is_initialize = false;     // may not be cancelled
    std::vector<std::pair<std::string, std::string>> headers = {};
};

class Peer final : public Receiver {
  public:
    // `notified` is called on a transport thread and must not block.
    Peer(Transport& transport, std::string server, std::map<std::string, RequestHandler> handlers,
         std::function<void(const std::string& method)> notified);

    Json request(const Request& request, const Cancel& cancel);
    void notify(const std::string& method, const Json& params, const Cancel& cancel);
    // Answer of our own handler, as for a request of the server. Throws RpcError if there is none.
    Json handle(const std::string& method, const std::string& params);

    ClientStats stats() const;
    bool alive() const;
    void stop(); // no answer is given any more; wakes who waits
    // "MCP server 'x' " + what + the last lines of its stderr.
    std::string describe(const std::string& what) const;

    void received(std::string_view text) override;
    void dropped(const std::string& why) override;
    void lost(const std::string& why) override;
    void failed(const std::string& request_id, const std::string& why, bool session_gone) override;

  private:
    struct Waiting {
        bool done = false;
        std::string result, error; // JSON text, one of them
        std::string failure;
        bool session_gone = false;
        MonoTime since; // of the request or its last progress
    };
    using WaitingRef = std::shared_ptr<Waiting>;

    void dispatch(IncomingMessage message);
    void settle(const IncomingMessage& message);
    void answer(const IncomingMessage& message);
    void progress(const std::string& params);
    void fail_all(const std::string& why);
    std::string send_new(const Request& request, const WaitingRef& waiting, const Cancel& cancel);
    void wait(const std::string& id, const WaitingRef& waiting, const Request& request,
              const Cancel& cancel);
    void give_up(const std::string& id, const Request& request, const std::string& reason);
    Json result_of(const Waiting& waiting, const Request& request) const;

    Transport& transport_;
    std::string server_;
    std::map<std::string, RequestHandler> handlers_;
    std::function<void(const std::string&)> notified_;
    Cancel stopping_;

    mutable std::mutex mutex_; // all below
    std::condition_variable wake_;
    std::map<std::string, WaitingRef> waiting_; // by id as JSON text
    std::int64_t next_id_ = 1;
    std::string lost_; // why nothing will come any more
    ClientStats stats_;
};

} // namespace assay::mcp
