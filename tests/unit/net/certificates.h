// A certificate authority made at test time through the OpenSSL API.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace assay::test {

struct Identity {
    std::string certificate_pem, key_pem;
};

class CertificateAuthority {
  public:
    CertificateAuthority()
        : key_(EVP_EC_gen("P-256"), EVP_PKEY_free)
        , certificate_(make("assay test CA", key_.get(), 24 * 3600), X509_free) {
        extend(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
        extend(certificate_.get(), NID_key_usage, "critical,keyCertSign");
        sign(certificate_.get());
    }

    std::string pem() const { return pem_of(certificate_.get()); }

    // names: "DNS:a.test,IP:127.0.0.1"
    Identity issue(const std::string& names, long seconds = 3600) const {
        std::shared_ptr<EVP_PKEY> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
        std::shared_ptr<X509> made(make("assay test service", key.get(), seconds), X509_free);
        X509_set_issuer_name(made.get(), X509_get_subject_name(certificate_.get()));
        extend(made.get(), NID_subject_alt_name, names);
        sign(made.get());
        std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
        PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
        return {pem_of(made.get()), text_of(bio.get())};
    }

  private:
    static X509* make(const std::string& name, EVP_PKEY* key, long seconds) {
        X509* made = X509_new();
        X509_set_version(made, 2);
        static long serial = 1;
        ASN1_INTEGER_set(X509_get_serialNumber(made), serial++);
        X509_gmtime_adj(X509_getm_notBefore(made), -24 * 3600);
        X509_gmtime_adj(X509_getm_notAfter(made), seconds);
        X509_NAME* subject = X509_get_subject_name(made);
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
        X509_set_issuer_name(made, subject);
        X509_set_pubkey(made, key);
        return made;
    }

    static void extend(X509* certificate, int what, const std::string& value) {
        X509_EXTENSION* made = X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str());
        if (made == nullptr) throw std::runtime_error("extension " + value);
        X509_add_ext(certificate, made, -1);
        X509_EXTENSION_free(made);
    }

    void sign(X509* certificate) const { X509_sign(certificate, key_.get(), EVP_sha256()); }

    static std::string text_of(BIO* bio) {
        char* data = nullptr;
        long size = BIO_get_mem_data(bio, &data);
        return {data, static_cast<std::size_t>(size)};
    }
    static std::string pem_of(X509* certificate) {
        std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
        PEM_write_bio_X509(bio.get(), certificate);
        return text_of(bio.get());
    }

    std::shared_ptr<EVP_PKEY> key_;
    std::shared_ptr<X509> certificate_;
};

} // namespace assay::test
