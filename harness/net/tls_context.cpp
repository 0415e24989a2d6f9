#include "tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace assay {

namespace {

BioHandle memory_bio(const std::string& text) {
    return BioHandle(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

X509Handle next_certificate(BIO* from) {
    return X509Handle(PEM_read_bio_X509(from, nullptr, nullptr, nullptr));
}

std::unique_ptr<SSL_CTX, OpensslDelete<SSL_CTX_free>> make_context(const SSL_METHOD* method) {
    SslContextHandle context(SSL_CTX_new(method));
    if (!context) throw TlsError("cannot set up TLS: " + openssl_error());
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    return context;
}

void trust(SSL_CTX* context, const std::string& ca_pem) {
    BioHandle bio = memory_bio(ca_pem);
    int count = 0;
    while (X509Handle certificate = next_certificate(bio.get())) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get());
        ++count;
    }
    ERR_clear_error();
    if (count == 0) throw TlsError("the extra CA file holds no PEM certificate");
}

} // namespace

std::string openssl_error() {
    unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
    return reason != nullptr ? reason : "unknown error";
}

TlsContext::TlsContext(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
TlsContext::~TlsContext() = default;

std::shared_ptr<const TlsContext> TlsContext::client(const std::string& ca_pem) {
    auto state = std::make_unique<State>();
    state->context = make_context(TLS_client_method());
    SSL_CTX* context = state->context.get();
    SSL_CTX_set_default_verify_paths(context); // absent files are no error: then nothing verifies
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    if (!ca_pem.empty()) trust(context, ca_pem);
    ERR_clear_error();
    return std::shared_ptr<const TlsContext>(new TlsContext(std::move(state)));
}

std::shared_ptr<const TlsContext> TlsContext::server(const std::string& certificate_chain_pem,
                                                     const std::string& key_pem) {
    auto state = std::make_unique<State>();
    state->context = make_context(TLS_server_method());
    SSL_CTX* context = state->context.get();
    BioHandle chain = memory_bio(certificate_chain_pem), key_bio = memory_bio(key_pem);
    X509Handle own = next_certificate(chain.get());
    KeyHandle key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
    if (!own || !key || SSL_CTX_use_certificate(context, own.get()) != 1 ||
        SSL_CTX_use_PrivateKey(context, key.get()) != 1)
        throw TlsError("cannot use the server certificate and key: " + openssl_error());
    while (X509Handle issuer = next_certificate(chain.get()))
        SSL_CTX_add1_chain_cert(context, issuer.get());
    ERR_clear_error();
    return std::shared_ptr<const TlsContext>(new TlsContext(std::move(state)));
}

} // namespace assay
