// A TCP server of one test: runs a script on each connection, in order, on its own thread.
#pragma once

#include "assay/io/fd_stream.h"
#include "assay/io/socket.h"
#include "assay/net/http_client.h"

#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace assay::test {

inline Cancel patience() {
    return Cancel().child(Cause::Deadline, std::chrono::seconds(60), "test");
}

// Reads until the end of a request header, plus `body` bytes.
inline std::string read_head(Stream& stream, std::size_t body = 0) {
    std::string text;
    std::array<char, 4096> buffer;
    for (;;) {
        auto end = text.find("\r\n\r\n");
        if (end != std::string::npos && text.size() >= end + 4 + body) return text;
        std::size_t n = stream.read(buffer, patience());
        if (n == 0) return text;
        text.append(buffer.data(), n);
    }
}

class Peer {
  public:
    using Script = std::function<void(FdStream&)>;

    explicit Peer(std::vector<Script> scripts)
        : listener_(listen_loopback())
        , thread_([this, list = std::move(scripts)] { run(list); }) {}
    ~Peer() {
        stop_.cancel(Cause::Aborted);
        thread_.join();
    }

    std::string url(const std::string& target = "/") const {
        return "http://127.0.0.1:" + std::to_string(listener_.port) + target;
    }
    std::uint16_t port() const { return listener_.port; }
    int closed() const { return closed_; } // connections that are done and closed

    // The usual script: read one request, say this, close.
    static Script says(std::string answer) {
        return [answer = std::move(answer)](FdStream& stream) {
            read_head(stream);
            stream.write(answer, patience());
        };
    }

  private:
    void serve_one(const Script& script) {
        FdStream stream(accept_one(listener_.fd.get(), stop_));
        try {
            script(stream);
        } catch (const Error&) {
            // The client went away.
        }
    }

    void run(const std::vector<Script>& scripts) {
        try {
            for (const Script& script : scripts) {
                serve_one(script);
                ++closed_;
            }
        } catch (const Interrupted&) {
        }
    }

    TcpListener listener_;
    Cancel stop_;
    std::atomic<int> closed_ = 0;
    std::thread thread_;
};

inline HttpClientSettings direct() {
    HttpClientSettings settings;
    settings.proxy = {};
    return settings;
}

} // namespace assay::test
