// A service of the harness on a listening socket inside a sandbox.
#pragma once

#include "assay/api/sandbox.h"
#include "assay/base/fd.h"

#include <list>
#include <mutex>
#include <thread>

namespace assay::local {

class LocalExposed final : public Exposed {
  public:
    LocalExposed(UniqueFd listener, std::uint16_t port, Service service);
    ~LocalExposed() override; // cancels the connections and waits for their threads
    std::string address() const override { return "127.0.0.1:" + std::to_string(port_); }

  private:
    struct Connection {
        std::thread thread;
        bool done = false;
    };
    void accept_loop();
    void serve(UniqueFd fd);
    void join_finished();

    UniqueFd listener_;
    std::uint16_t port_;
    Service service_;
    Cancel cancel_;
    std::mutex mutex_;
    std::list<Connection> connections_;
    std::thread acceptor_;
};

} // namespace assay::local
