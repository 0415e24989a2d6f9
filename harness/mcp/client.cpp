#include "assay/mcp/client.h"

#include "assay/base/log.h"
#include "tools.h"

namespace assay::mcp {

struct Client::Parts {
    // Declared in the order of use: the transport calls the peer, the peer serves session and
    // tools.
    ClientOptions options;
    std::unique_ptr<Transport> transport;
    Peer peer;
    Session session;
    Tools tools;
    bool closed = false;

    Parts(std::unique_ptr<Transport> carrier, ClientOptions given)
        : options(std::move(given))
        , transport(std::move(carrier))
        , peer(*transport, options.server, options.handlers,
               [this](const std::string& method) { notified(method); })
        , session(peer, *transport, options)
        , tools(session, transport->is_http(), options.server, options) {}

    void notified(const std::string& method) {
        if (method == "notifications/tools/list_changed") tools.mark_changed();
    }
};

Client::Client(std::unique_ptr<Transport> transport, ClientOptions options)
    : parts_(std::make_unique<Parts>(std::move(transport), std::move(options))) {
    parts_->transport->start(parts_->peer);
}

Client::~Client() {
    close();
}

void Client::close() {
    if (std::exchange(parts_->closed, true)) return;
    parts_->peer.stop();
    parts_->transport->close();
}

void Client::open(const Cancel& cancel) {
    Cancel limited = cancel.child(Cause::Deadline, parts_->options.startup_timeout,
                                  "starting MCP server '" + parts_->options.server + "'");
    try {
        parts_->session.open(limited);
    } catch (const Interrupted&) {
        cancel.check();
        throw CallTimeout(parts_->peer.describe("did not start in time"),
                          seconds(parts_->options.startup_timeout));
    }
    ServerInfo info = parts_->session.info();
    log_debug("MCP server '{}' is {} {}, revision {}", parts_->options.server, info.name,
              info.version, info.protocol);
}

ServerInfo Client::server() const {
    return parts_->session.info();
}
std::vector<ToolInfo> Client::tools(const Cancel& cancel) {
    return parts_->tools.list(cancel);
}
bool Client::tools_changed() const {
    return parts_->tools.changed();
}
std::vector<std::string> Client::warnings() const {
    return parts_->tools.warnings();
}
CallResult Client::call(const std::string& tool, const std::string& arguments,
                        const Cancel& cancel) {
    return parts_->tools.call(tool, arguments, cancel);
}
std::string Client::request(const std::string& method, const std::string& params,
                            const Cancel& cancel) {
    Request request{.method = method, .timeout = parts_->options.call_timeout};
    request.params = Json::parse(params);
    return dump(parts_->session.request(std::move(request), cancel));
}
ClientStats Client::stats() const {
    return parts_->peer.stats();
}
std::string Client::log_tail() const {
    return parts_->transport->log_tail();
}
bool Client::alive() const {
    return parts_->peer.alive();
}

} // namespace assay::mcp
