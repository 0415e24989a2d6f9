#include "codecs.h"

#include <spng.h>

#include <memory>

namespace assay::engine {

namespace {

constexpr std::string_view kMagic("\x89PNG\r\n\x1a\n", 8);
constexpr std::size_t kLargestChunk = 16u << 20, kAllChunks = 64u << 20; // beside the pixels

struct Free {
    void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};
using Context = std::unique_ptr<spng_ctx, Free>;

void check(int result, const std::string& name) {
    if (result != 0)
        refuse_image(name, std::string("broken or cut short PNG: ") + spng_strerror(result));
}

Context open(std::string_view bytes, const std::string& name) {
    Context context(spng_ctx_new(0));
    if (!context) throw std::bad_alloc();
    check(spng_set_chunk_limits(context.get(), kLargestChunk, kAllChunks), name);
    check(spng_set_png_buffer(context.get(), bytes.data(), bytes.size()), name);
    return context;
}

std::uint32_t big_endian(std::string_view bytes) {
    std::uint32_t out = 0;
    for (std::size_t i = 0; i < 4; ++i) out = out << 8 | static_cast<unsigned char>(bytes[i]);
    return out;
}

// An animation says so before its first picture, which a decoder that does not know would show.
bool animated(std::string_view bytes) {
    std::size_t at = kMagic.size();
    while (at + 8 <= bytes.size()) {
        std::string_view type = bytes.substr(at + 4, 4);
        if (type == "acTL") return true;
        if (type == "IDAT") return false;
        at += std::size_t{12} + big_endian(bytes.substr(at, 4));
    }
    return false;
}

ImageSize size(std::string_view bytes, const std::string& name) {
    Context context = open(bytes, name);
    spng_ihdr header{};
    check(spng_get_ihdr(context.get(), &header), name);
    if (animated(bytes)) refuse_image(name, "animated PNG", "give one frame as a PNG of its own");
    return {static_cast<int>(header.width), static_cast<int>(header.height)}; // at most 2^31 - 1
}

void decode(std::string_view bytes, const std::string& name, Image& out) {
    Context context = open(bytes, name);
    check(spng_decode_image(context.get(), out.rgb.data(), out.rgb.size(), SPNG_FMT_RGB8, 0), name);
}

} // namespace

const Codec kPng = {"PNG", [](std::string_view bytes) { return bytes.starts_with(kMagic); }, size,
                    decode};

} // namespace assay::engine
