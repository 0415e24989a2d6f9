#include "assay/base/hash.h"

#include "assay/base/error.h"
#include "assay/base/random.h"

#include <openssl/evp.h>

#include <cstring>

namespace assay {

namespace {
struct ContextDeleter {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, ContextDeleter>;

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}
} // namespace

struct Sha256::State {
    Context context{EVP_MD_CTX_new()};
};

Sha256::Sha256()
    : state_(std::make_unique<State>()) {
    if (EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) != 1)
        throw Error(ErrorKind::Internal, "OpenSSL refused to start SHA-256");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;

void Sha256::update(std::string_view data) {
    EVP_DigestUpdate(state_->context.get(), data.data(), data.size());
}
void Sha256::update(std::span<const std::byte> data) {
    EVP_DigestUpdate(state_->context.get(), data.data(), data.size());
}
Digest Sha256::finish() {
    Digest out;
    unsigned size = 0;
    EVP_DigestFinal_ex(state_->context.get(), out.bytes.data(), &size);
    return out;
}

Digest sha256(std::string_view data) {
    Digest out;
    unsigned size = 0;
    static const EVP_MD* const algorithm = EVP_sha256();
    thread_local Context context{EVP_MD_CTX_new()};
    EVP_DigestInit_ex(context.get(), algorithm, nullptr);
    EVP_DigestUpdate(context.get(), data.data(), data.size());
    EVP_DigestFinal_ex(context.get(), out.bytes.data(), &size);
    return out;
}
Digest sha256(std::span<const std::byte> data) {
    return sha256(std::string_view(reinterpret_cast<const char*>(data.data()), data.size()));
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (std::uint8_t b : bytes) {
        out += digits[b >> 4];
        out += digits[b & 15];
    }
    return out;
}

std::string from_hex(std::string_view text) {
    if (text.size() % 2 != 0) throw Error(ErrorKind::Input, "hexadecimal text of odd length");
    std::string out;
    out.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        int high = hex_value(text[i]), low = hex_value(text[i + 1]);
        if (high < 0 || low < 0)
            throw Error(ErrorKind::Input, "not hexadecimal: " + std::string(text.substr(i, 2)));
        out += static_cast<char>(high * 16 + low);
    }
    return out;
}

std::string Digest::hex() const {
    return to_hex(bytes);
}
std::string Id::hex() const {
    return to_hex(bytes);
}

Id Id::random(Random& random) {
    Id id;
    random.fill(std::as_writable_bytes(std::span(id.bytes)));
    return id;
}
Id Id::derive(std::string_view text) {
    Id id;
    Digest digest = sha256(text);
    std::memcpy(id.bytes.data(), digest.bytes.data(), id.bytes.size());
    return id;
}
Id Id::from_hex(std::string_view text) {
    std::string raw = assay::from_hex(text);
    if (raw.size() != 16)
        throw Error(ErrorKind::Input,
                    "an id has 32 hexadecimal digits, not " + std::to_string(text.size()));
    Id id;
    std::memcpy(id.bytes.data(), raw.data(), 16);
    return id;
}

std::string base64_encode(std::string_view bytes) {
    std::string out(4 * ((bytes.size() + 2) / 3), '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                    reinterpret_cast<const unsigned char*>(bytes.data()),
                    static_cast<int>(bytes.size()));
    return out;
}

std::string base64_decode(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    for (char c : text)
        if (c != '\n' && c != '\r') clean += c;
    if (clean.size() % 4 != 0) throw Error(ErrorKind::Input, "base64 text of a wrong length");
    std::string out(clean.size() / 4 * 3, '\0');
    int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                               reinterpret_cast<const unsigned char*>(clean.data()),
                               static_cast<int>(clean.size()));
    if (size < 0) throw Error(ErrorKind::Input, "malformed base64 text");
    std::size_t padding = 0;
    while (padding < 2 && padding < clean.size() && clean[clean.size() - 1 - padding] == '=')
        ++padding;
    out.resize(static_cast<std::size_t>(size) - padding);
    return out;
}

} // namespace assay
