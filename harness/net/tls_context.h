// OpenSSL handles and the state behind TlsContext.
#pragma once

#include "assay/net/tls.h"

#include <openssl/ssl.h>

#include <memory>

namespace assay {

template<auto Free>
struct OpensslDelete {
    template<class T>
    void operator()(T* handle) const {
        Free(handle);
    }
};
using SslContextHandle = std::unique_ptr<SSL_CTX, OpensslDelete<SSL_CTX_free>>;
using SslHandle = std::unique_ptr<SSL, OpensslDelete<SSL_free>>;
using BioHandle = std::unique_ptr<BIO, OpensslDelete<BIO_free>>;
using X509Handle = std::unique_ptr<X509, OpensslDelete<X509_free>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, OpensslDelete<EVP_PKEY_free>>;

struct TlsContext::State {
    SslContextHandle context;
};

// The oldest error of this thread's OpenSSL queue, which is emptied.
std::string openssl_error();

} // namespace assay
