#include "peer.h"

#include "assay/base/log.h"
#include "assay/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay::mcp {

using namespace std::chrono_literals;

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Peer::Peer(Transport& transport, std::string server, std::map<std::string, RequestHandler> handlers,
           std::function<void(const std::string&)> notified)
    : transport_(transport)
    , server_(std::move(server))
    , handlers_(std::move(handlers))
    , notified_(std::move(notified)) {}

std::string Peer::describe(const std::string& what) const {
    std::string text = fmt::format("MCP server '{}' {}", server_, what);
    if (std::string log = transport_.log_tail(); !log.empty())
        text += "; its last lines on stderr:\n" + log;
    return text;
}

ClientStats Peer::stats() const {
    std::lock_guard lock(mutex_);
    return stats_;
}

bool Peer::alive() const {
    std::lock_guard lock(mutex_);
    return lost_.empty();
}

void Peer::stop() {
    stopping_.cancel(Cause::Aborted, "MCP client closed");
    lost("was closed");
}

// --- requests of ours -------------------------------------------------------------------------

std::string Peer::send_new(const Request& request, const WaitingRef& waiting,
                           const Cancel& cancel) {
    std::int64_t number;
    std::string id;
    {
        std::lock_guard lock(mutex_);
        if (!lost_.empty()) throw Error(ErrorKind::Sandbox, describe(lost_));
        number = next_id_++;
        id = std::to_string(number);
        waiting->since = std::chrono::steady_clock::now();
        waiting_[id] = waiting;
    }
    Json message = {{"jsonrpc", "2.0"}, {"id", number}, {"method", request.method}};
    if (!request.params.empty()) message["params"] = request.params;
    if (request.reset_on_progress) message["params"]["_meta"]["progressToken"] = number;
    std::string text = dump(message);
    Outgoing outgoing{text, id, request.is_initialize, request.headers};
    try {
        transport_.send(outgoing, cancel);
    } catch (...) {
        std::lock_guard lock(mutex_);
        waiting_.erase(id);
        throw;
    }
    return id;
}

Json Peer::request(const Request& request, const Cancel& cancel) {
    auto waiting = std::make_shared<Waiting>();
    std::string id;
    try {
        // The limit holds for sending, too: a server may have stopped reading its stdin.
        Cancel sending = cancel.child(Cause::Deadline, request.timeout, "sending to MCP server");
        id = send_new(request, waiting, sending);
    } catch (const Interrupted&) {
        cancel.check();
        throw CallTimeout(describe(fmt::format("does not read '{}' ({:g} s)", request.method,
                                               seconds(request.timeout))),
                          seconds(request.timeout));
    } catch (const Error& e) {
        // A write that fails is how we see a server's death first; its exit status says more.
        if (e.kind() != ErrorKind::Io) throw;
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, 1500ms, [&] { return !lost_.empty(); });
        std::string why = lost_.empty() ? "does not accept messages: " + e.message() : lost_;
        lock.unlock();
        throw Error(ErrorKind::Sandbox, describe(why));
    }
    wait(id, waiting, request, cancel);
    return result_of(*waiting, request);
}

void Peer::wait(const std::string& id, const WaitingRef& waiting, const Request& request,
                const Cancel& cancel) {
    auto watch = cancel.on_cancel([this] {
        std::lock_guard lock(mutex_);
        wake_.notify_all();
    });
    const MonoTime began = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (!waiting->done) {
        MonoTime until = waiting->since + request.timeout;
        if (request.reset_on_progress) until = std::min(until, began + request.ceiling);
        bool late = std::chrono::steady_clock::now() >= until;
        if (late || cancel.cancelled()) {
            waiting_.erase(id);
            lock.unlock();
            give_up(id, request, late ? "timeout" : "cancelled");
            cancel.check();
            double limit = seconds(until - began);
            throw CallTimeout(describe(fmt::format("gave no answer to '{}' within {:.3g} s",
                                                   request.method, limit)),
                              limit);
        }
        if (auto deadline = cancel.deadline()) until = std::min(until, *deadline);
        wake_.wait_until(lock, until);
    }
}

void Peer::give_up(const std::string& id, const Request& request, const std::string& reason) {
    if (transport_.abandon(id) || request.is_initialize) return;
    try {
        Cancel brief = stopping_.child(Cause::Deadline, 500ms, "cancelling a request");
        notify("notifications/cancelled", {{"requestId", Json::parse(id)}, {"reason", reason}},
               brief);
    } catch (const std::exception&) {
        // The server hears of it or not: its answer is dropped either way.
    }
}

Json Peer::result_of(const Waiting& waiting, const Request& request) const {
    if (waiting.session_gone) throw SessionGone(describe(waiting.failure));
    if (!waiting.failure.empty()) throw Error(ErrorKind::Sandbox, describe(waiting.failure));
    if (!waiting.error.empty()) {
        Json error = Json::parse(waiting.error, nullptr, false);
        if (!error.is_object()) error = {{"message", waiting.error}};
        int code = 0;
        if (auto it = error.find("code"); it != error.end() && it->is_number_integer())
            code = it->get<int>();
        std::string text = "no message";
        if (auto it = error.find("message"); it != error.end() && it->is_string())
            text = it->get<std::string>();
        throw RpcError(code,
                       fmt::format("MCP server '{}' answered '{}' with error {}: {}", server_,
                                   request.method, code, text),
                       error.contains("data") ? dump(error["data"]) : "null");
    }
    Json result = Json::parse(waiting.result, nullptr, false);
    if (!result.is_object())
        throw Error(ErrorKind::Sandbox, fmt::format("MCP server '{}' answered '{}' with a result "
                                                    "that is not an object",
                                                    server_, request.method));
    return result;
}

void Peer::notify(const std::string& method, const Json& params, const Cancel& cancel) {
    Json message = {{"jsonrpc", "2.0"}, {"method", method}};
    if (!params.empty()) message["params"] = params;
    std::string text = dump(message);
    transport_.send({text, {}, false, {}}, cancel);
}

// --- what the server sends ----------------------------------------------------------------------

void Peer::received(std::string_view text) {
    for (IncomingMessage& message : read_messages(text)) dispatch(std::move(message));
}

void Peer::dispatch(IncomingMessage message) {
    using Kind = IncomingMessage::Kind;
    switch (message.kind) {
    case Kind::Request:
        return answer(message);
    case Kind::Notification:
        if (message.method == "notifications/progress") return progress(message.body);
        return notified_(message.method);
    case Kind::Result:
    case Kind::Error:
        return settle(message);
    case Kind::Malformed: {
        std::lock_guard lock(mutex_);
        ++stats_.malformed;
        if (stats_.malformed <= 10) // not a line a line of garbage
            log_debug("MCP server '{}' sent {}", server_, message.problem);
        return;
    }
    }
}

void Peer::settle(const IncomingMessage& message) {
    std::lock_guard lock(mutex_);
    auto found = waiting_.find(message.id);
    // An error without an id is the answer to a message that the server could not read: to ours, if
    // only one is under way.
    if (found == waiting_.end() && message.id.empty() && waiting_.size() == 1)
        found = waiting_.begin();
    if (found == waiting_.end()) {
        ++stats_.unknown_answers;
        return;
    }
    Waiting& waiting = *found->second;
    (message.kind == IncomingMessage::Kind::Result ? waiting.result : waiting.error) = message.body;
    waiting.done = true;
    waiting_.erase(found);
    wake_.notify_all();
}

void Peer::progress(const std::string& params) {
    Json json = Json::parse(params, nullptr, false);
    if (!json.is_object() || !json.contains("progressToken")) return;
    std::lock_guard lock(mutex_);
    auto found = waiting_.find(dump(json["progressToken"]));
    if (found != waiting_.end()) {
        found->second->since = std::chrono::steady_clock::now();
        wake_.notify_all();
    }
}

Json Peer::handle(const std::string& method, const std::string& params) {
    if (method == "ping") return Json::object();
    auto found = handlers_.find(method);
    if (found == handlers_.end())
        throw RpcError(kMethodNotFound, "this client does not offer '" + method + "'", "null");
    return Json::parse(found->second(params));
}

void Peer::answer(const IncomingMessage& message) {
    Json reply = {{"jsonrpc", "2.0"}, {"id", Json::parse(message.id)}};
    try {
        reply["result"] = handle(message.method, message.body);
    } catch (const RpcError& e) {
        reply["error"] = {{"code", e.code()}, {"message", e.message()}};
        std::lock_guard lock(mutex_);
        ++stats_.refused_requests;
    } catch (const std::exception& e) {
        reply["error"] = {{"code", -32603}, {"message", e.what()}};
    }
    try {
        std::string text = dump(reply);
        Cancel brief = stopping_.child(Cause::Deadline, 5s, "answering MCP server");
        transport_.send({text, {}, false, {}}, brief);
    } catch (const std::exception& e) {
        log_debug("MCP server '{}' did not take our answer: {}", server_, e.what());
    }
}

void Peer::dropped(const std::string& why) {
    {
        std::lock_guard lock(mutex_);
        ++stats_.dropped;
    }
    fail_all(why);
}

void Peer::fail_all(const std::string& why) {
    std::lock_guard lock(mutex_);
    for (auto& [id, waiting] : waiting_) {
        waiting->failure = why;
        waiting->done = true;
    }
    waiting_.clear();
    wake_.notify_all();
}

void Peer::lost(const std::string& why) {
    {
        std::lock_guard lock(mutex_);
        if (lost_.empty()) lost_ = why;
    }
    fail_all(why);
}

void Peer::failed(const std::string& request_id, const std::string& why, bool session_gone) {
    std::lock_guard lock(mutex_);
    auto found = waiting_.find(request_id);
    if (found == waiting_.end()) return;
    found->second->failure = why;
    found->second->session_gone = session_gone;
    found->second->done = true;
    waiting_.erase(found);
    wake_.notify_all();
}

} // namespace assay::mcp
