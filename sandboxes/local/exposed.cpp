#include "local/exposed.h"

#include "assay/base/cancel_fd.h"
#include "assay/base/log.h"
#include "assay/io/fd_stream.h"

#include <poll.h>
#include <sys/socket.h>

namespace assay::local {

namespace {
constexpr std::size_t kMaxConnections = 256; // the inside opens them
}

LocalExposed::LocalExposed(UniqueFd listener, std::uint16_t port, Service service)
    : listener_(std::move(listener))
    , port_(port)
    , service_(std::move(service))
    , acceptor_([this] { accept_loop(); }) {}

LocalExposed::~LocalExposed() {
    cancel_.cancel(Cause::Aborted, "the service is closed");
    acceptor_.join();
    for (Connection& connection : connections_) connection.thread.join();
}

void LocalExposed::accept_loop() {
    try {
        for (;;) {
            poll_one(listener_.get(), POLLIN, cancel_);
            UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            join_finished();
            std::lock_guard lock(mutex_);
            if (fd && connections_.size() < kMaxConnections) serve(std::move(fd));
        }
    } catch (const Interrupted&) {
    } catch (const std::exception& error) {
        log_warn("a service offered to a sandbox stopped: {}", error.what());
    }
}

void LocalExposed::serve(UniqueFd fd) {
    Connection& connection = connections_.emplace_back();
    auto stream =
        std::make_shared<std::unique_ptr<Stream>>(std::make_unique<FdStream>(std::move(fd)));
    connection.thread = std::thread([this, stream, &connection] {
        try {
            service_(std::move(*stream), cancel_);
        } catch (const Interrupted&) {
        } catch (const std::exception& error) {
            log_debug("a connection from a sandbox ended: {}", error.what());
        }
        std::lock_guard lock(mutex_);
        connection.done = true;
    });
}

void LocalExposed::join_finished() {
    std::list<Connection> finished;
    {
        std::lock_guard lock(mutex_);
        for (auto it = connections_.begin(); it != connections_.end();) {
            auto next = std::next(it);
            if (it->done) finished.splice(finished.end(), connections_, it);
            it = next;
        }
    }
    for (Connection& connection : finished) connection.thread.join();
}

} // namespace assay::local
