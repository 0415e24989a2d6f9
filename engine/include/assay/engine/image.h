// Pictures of strangers as 8-bit RGB: PNG, JPEG and WebP, of one frame. Size and dimensions are
// checked against the limits before anything of their size is allocated.
//
// Colours are those that Pillow's convert("RGB") gives: alpha is dropped and not blended, palettes
// and grey become RGB, colour profiles, gamma and the EXIF orientation change nothing. Of 16-bit
// PNGs the upper 8 bits are taken. Animations and JPEGs in CMYK are refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::engine {

struct ImageSize {
    int width = 0, height = 0;
    bool operator==(const ImageSize&) const = default;
};

struct Image {
    ImageSize size;
    std::vector<std::uint8_t> rgb; // [height, width, 3]
};

struct ImageLimits {
    std::uint64_t bytes = 64u << 20; // of the file
    int side = 32000;
    std::int64_t pixels = 64 << 20;
};

// `name` stands in messages. Both throw Error(Input) for a file that is broken, cut short, of
// another format or over a limit; the first reads the header alone.
ImageSize image_size(std::string_view bytes, const std::string& name,
                     const ImageLimits& limits = {});
Image decode_image(std::string_view bytes, const std::string& name, const ImageLimits& limits = {});

} // namespace assay::engine
