// TLS over any Stream (OpenSSL with memory BIOs): the transport may be a socket, a proxy tunnel or
// a connection into a sandbox.
#pragma once

#include "assay/base/error.h"
#include "assay/base/stream.h"

#include <memory>
#include <string>

namespace assay {

class TlsError : public Error { // handshake, certificate, broken records; kind Io
  public:
    explicit TlsError(std::string message)
        : Error(ErrorKind::Io, std::move(message)) {}
};

// Certificates and settings, shared by connections. Thread-safe once made.
class TlsContext {
  public:
    // Trusts the system's CAs (SSL_CERT_FILE and SSL_CERT_DIR are honoured) and those in `ca_pem`.
    static std::shared_ptr<const TlsContext> client(const std::string& ca_pem = {});
    static std::shared_ptr<const TlsContext> server(const std::string& certificate_chain_pem,
                                                    const std::string& key_pem);
    ~TlsContext();

  private:
    friend class TlsStream;
    struct State;
    explicit TlsContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

class TlsStream final : public Stream {
  public:
    // Handshake, with verification of chain and name (or address). Throws TlsError.
    static std::unique_ptr<TlsStream> connect(std::unique_ptr<Stream> transport,
                                              std::shared_ptr<const TlsContext> context,
                                              const std::string& host, const Cancel& cancel);
    static std::unique_ptr<TlsStream> accept(std::unique_ptr<Stream> transport,
                                             std::shared_ptr<const TlsContext> context,
                                             const Cancel& cancel);
    ~TlsStream() override;

    // End of file without the peer's close_notify is an Error: somebody cut the connection.
    std::size_t read(std::span<char> into, const Cancel& cancel) override;
    void write(std::string_view data, const Cancel& cancel) override;
    void shutdown_write() override; // close_notify
    void close() override;

    // For idle connections, without blocking: the peer has closed, or sent what nobody asked for.
    // Session tickets and the like are taken in.
    bool is_stale();

  private:
    struct State;
    explicit TlsStream(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace assay
