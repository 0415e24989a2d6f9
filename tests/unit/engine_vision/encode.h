// Writes pictures for the tests.
#pragma once

#include "assay/engine/image.h"

#include <spng.h>
#include <turbojpeg.h>
#include <webp/encode.h>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

inline assay::engine::Image checkered(int width, int height) {
    assay::engine::Image out{{width, height}, {}};
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            for (int c = 0; c < 3; ++c)
                out.rgb.push_back(static_cast<std::uint8_t>((x * 7 + y * 13 + c * 50) & 0xff));
    return out;
}

struct PngKind {
    int colour = SPNG_COLOR_TYPE_TRUECOLOR, depth = 8;
    bool interlaced = false;
};

// `raw` as a PNG has it, without filters: samples of more than 8 bits are of this machine's order.
inline std::string png_of(assay::engine::ImageSize size, const std::string& raw,
                          const PngKind& kind = {}, const spng_plte* palette = nullptr,
                          spng_trns* transparent = nullptr) {
    spng_ctx* context = spng_ctx_new(SPNG_CTX_ENCODER);
    spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1);
    spng_ihdr header{static_cast<std::uint32_t>(size.width),
                     static_cast<std::uint32_t>(size.height),
                     static_cast<std::uint8_t>(kind.depth),
                     static_cast<std::uint8_t>(kind.colour),
                     0,
                     0,
                     static_cast<std::uint8_t>(kind.interlaced ? 1 : 0)};
    int failed = spng_set_ihdr(context, &header);
    if (palette != nullptr) {
        spng_plte copy = *palette;
        failed |= spng_set_plte(context, &copy);
    }
    if (transparent != nullptr) failed |= spng_set_trns(context, transparent);
    failed |=
        spng_encode_image(context, raw.data(), raw.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    std::size_t length = 0;
    void* buffer = spng_get_png_buffer(context, &length, &failed);
    std::string out(static_cast<const char*>(buffer), buffer != nullptr ? length : 0);
    std::free(buffer);
    spng_ctx_free(context);
    if (failed != 0) throw std::runtime_error(spng_strerror(failed));
    return out;
}

inline std::string text_of(const std::vector<std::uint8_t>& bytes) {
    return {bytes.begin(), bytes.end()};
}

inline std::string png_of(const assay::engine::Image& image) {
    return png_of(image.size, text_of(image.rgb));
}

inline std::string jpeg_of(assay::engine::ImageSize size, const std::string& raw, int format,
                           int subsampling = TJSAMP_444, int flags = 0) {
    tjhandle handle = tjInitCompress();
    unsigned char* buffer = nullptr;
    unsigned long length = 0;
    int failed = tjCompress2(handle, reinterpret_cast<const unsigned char*>(raw.data()), size.width,
                             0, size.height, format, &buffer, &length, subsampling, 95, flags);
    std::string out(reinterpret_cast<const char*>(buffer), failed == 0 ? length : 0);
    tjFree(buffer);
    tjDestroy(handle);
    if (failed != 0) throw std::runtime_error("no JPEG");
    return out;
}

inline std::string jpeg_of(const assay::engine::Image& image) {
    return jpeg_of(image.size, text_of(image.rgb), TJPF_RGB);
}

inline std::string webp_of(const assay::engine::Image& image, bool lossless = true) {
    std::uint8_t* buffer = nullptr;
    const int width = image.size.width, height = image.size.height;
    const std::size_t length =
        lossless ? WebPEncodeLosslessRGB(image.rgb.data(), width, height, 3 * width, &buffer)
                 : WebPEncodeRGB(image.rgb.data(), width, height, 3 * width, 90, &buffer);
    std::string out(reinterpret_cast<const char*>(buffer), length);
    WebPFree(buffer);
    if (out.empty()) throw std::runtime_error("no WebP");
    return out;
}
