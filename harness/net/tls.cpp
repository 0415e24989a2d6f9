#include "assay/net/tls.h"

#include "tls_context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>

namespace assay {

namespace {

constexpr std::size_t kRecord = 16 * 1024;

bool is_address(const std::string& host) {
    char bytes[16];
    return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

} // namespace

// OpenSSL works on two memory BIOs; the transport is read and written outside of ssl_mutex, so that
// a blocked reader does not stop a writer. Bytes leave the BIO only under write_mutex, which keeps
// the records in order. Lock order: write_mutex, ssl_mutex.
struct TlsStream::State {
    std::shared_ptr<const TlsContext> context; // outlives ssl
    std::unique_ptr<Stream> transport;
    std::mutex write_mutex;
    std::mutex ssl_mutex;
    SslHandle ssl;
    BIO* in = nullptr; // owned by ssl
    BIO* out = nullptr;
    bool write_failed = false; // half a record may be out; guarded by write_mutex
    std::atomic<bool> closed = false;

    std::string take_output() {
        std::lock_guard lock(ssl_mutex);
        std::string bytes(BIO_ctrl_pending(out), '\0');
        if (!bytes.empty()) BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
        return bytes;
    }

    void flush_locked(const Cancel& cancel) { // write_mutex is held
        if (write_failed) throw TlsError("TLS: an earlier write failed");
        write_failed = true;
        for (std::string bytes = take_output(); !bytes.empty(); bytes = take_output())
            transport->write(bytes, cancel);
        write_failed = false;
    }

    // Of the reader: answers of the protocol itself. A writer that is at work flushes them too.
    void flush_if_free(const Cancel& cancel) {
        std::unique_lock lock(write_mutex, std::try_to_lock);
        if (lock) flush_locked(cancel);
    }

    // An orderly end is worth a moment, not a hang: the peer may not read.
    void send_close_notify() { // write_mutex is held
        constexpr auto kPatience = std::chrono::milliseconds(500);
        {
            std::lock_guard lock(ssl_mutex);
            ERR_clear_error();
            SSL_shutdown(ssl.get());
        }
        try {
            flush_locked(Cancel().child(Cause::Deadline, kPatience, "close_notify"));
        } catch (const std::exception&) {
        } // the peer is gone: nothing is lost
    }

    // False: end of the transport.
    bool pull(const Cancel& cancel) {
        std::array<char, kRecord> buffer;
        std::size_t n = transport->read(buffer, cancel);
        if (n == 0) return false;
        std::lock_guard lock(ssl_mutex);
        BIO_write(in, buffer.data(), static_cast<int>(n));
        return true;
    }

    std::string handshake_error() {
        long verify = SSL_get_verify_result(ssl.get());
        if (verify == X509_V_OK) return "TLS handshake failed: " + openssl_error();
        ERR_clear_error();
        return std::string("the server's certificate was not accepted: ") +
               X509_verify_cert_error_string(verify);
    }

    void handshake(const Cancel& cancel) {
        for (;;) {
            ERR_clear_error();
            int done = SSL_do_handshake(ssl.get());
            int why = SSL_get_error(ssl.get(), done);
            std::string problem;
            if (done != 1 && why != SSL_ERROR_WANT_READ) problem = handshake_error();
            try {
                std::lock_guard lock(write_mutex);
                flush_locked(cancel); // also the alert that tells the peer what is wrong
            } catch (const Error&) {
                if (problem.empty()) throw;
            }
            if (!problem.empty()) throw TlsError(problem);
            if (done == 1) return;
            if (!pull(cancel)) throw TlsError("the peer closed during the TLS handshake");
        }
    }
};

TlsStream::TlsStream(std::unique_ptr<State> state)
    : state_(std::move(state)) {}

TlsStream::~TlsStream() {
    close();
}

namespace {

template<class State>
std::unique_ptr<State> make_state(std::unique_ptr<Stream> transport,
                                  std::shared_ptr<const TlsContext> context, SSL_CTX* handle) {
    auto state = std::make_unique<State>();
    state->ssl.reset(SSL_new(handle));
    if (!state->ssl) throw TlsError("cannot set up TLS: " + openssl_error());
    state->in = BIO_new(BIO_s_mem());
    state->out = BIO_new(BIO_s_mem());
    SSL_set_bio(state->ssl.get(), state->in, state->out);
    state->transport = std::move(transport);
    state->context = std::move(context);
    return state;
}

} // namespace

std::unique_ptr<TlsStream> TlsStream::connect(std::unique_ptr<Stream> transport,
                                              std::shared_ptr<const TlsContext> context,
                                              const std::string& host, const Cancel& cancel) {
    SSL_CTX* handle = context->state_->context.get();
    auto state = make_state<State>(std::move(transport), std::move(context), handle);
    SSL* ssl = state->ssl.get();
    if (is_address(host)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
    } else {
        SSL_set_tlsext_host_name(ssl, host.c_str());
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (SSL_set1_host(ssl, host.c_str()) != 1)
            throw TlsError("cannot verify the host name " + host);
    }
    SSL_set_connect_state(ssl);
    state->handshake(cancel);
    return std::unique_ptr<TlsStream>(new TlsStream(std::move(state)));
}

std::unique_ptr<TlsStream> TlsStream::accept(std::unique_ptr<Stream> transport,
                                             std::shared_ptr<const TlsContext> context,
                                             const Cancel& cancel) {
    SSL_CTX* handle = context->state_->context.get();
    auto state = make_state<State>(std::move(transport), std::move(context), handle);
    SSL_set_accept_state(state->ssl.get());
    state->handshake(cancel);
    return std::unique_ptr<TlsStream>(new TlsStream(std::move(state)));
}

std::size_t TlsStream::read(std::span<char> into, const Cancel& cancel) {
    cancel.check();
    if (into.empty()) return 0;
    for (;;) {
        {
            std::lock_guard lock(state_->ssl_mutex);
            ERR_clear_error();
            std::size_t n = 0;
            int done = SSL_read_ex(state_->ssl.get(), into.data(), into.size(), &n);
            if (done == 1) return n;
            int why = SSL_get_error(state_->ssl.get(), done);
            if (why == SSL_ERROR_ZERO_RETURN) return 0;
            if (why != SSL_ERROR_WANT_READ) throw TlsError("TLS read: " + openssl_error());
        }
        state_->flush_if_free(cancel);
        if (state_->pull(cancel)) continue;
        if (state_->closed) return 0;
        throw TlsError("TLS read: the connection was cut off");
    }
}

void TlsStream::write(std::string_view data, const Cancel& cancel) {
    cancel.check();
    std::lock_guard write_lock(state_->write_mutex);
    while (!data.empty()) {
        std::string_view part = data.substr(0, kRecord);
        {
            std::lock_guard lock(state_->ssl_mutex);
            ERR_clear_error();
            std::size_t n = 0;
            if (SSL_write_ex(state_->ssl.get(), part.data(), part.size(), &n) != 1)
                throw TlsError("TLS write: " + openssl_error());
            data.remove_prefix(n);
        }
        state_->flush_locked(cancel);
    }
}

void TlsStream::shutdown_write() {
    std::lock_guard write_lock(state_->write_mutex);
    state_->send_close_notify();
}

void TlsStream::close() {
    if (state_->closed.exchange(true)) return;
    {
        std::unique_lock write_lock(state_->write_mutex, std::try_to_lock);
        if (write_lock) state_->send_close_notify(); // else a writer is at work: no orderly end
    }
    state_->transport->close();
}

bool TlsStream::is_stale() {
    try {
        for (int round = 0; round < 16; ++round) {
            {
                std::lock_guard lock(state_->ssl_mutex);
                ERR_clear_error();
                char byte;
                int done = SSL_peek(state_->ssl.get(), &byte, 1);
                if (done > 0) return true;
                if (SSL_get_error(state_->ssl.get(), done) != SSL_ERROR_WANT_READ) return true;
            }
            pollfd one{state_->transport->poll_fd(), POLLIN, 0};
            if (one.fd < 0) return true;
            if (::poll(&one, 1, 0) == 0) return false;
            if (!state_->pull(Cancel())) return true;
        }
    } catch (const std::exception&) {
    }
    return true;
}

} // namespace assay
