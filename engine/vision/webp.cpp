#include "codecs.h"

#include <webp/decode.h>

namespace assay::engine {

namespace {

const std::uint8_t* data(std::string_view bytes) {
    return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

ImageSize size(std::string_view bytes, const std::string& name) {
    WebPBitstreamFeatures features{};
    if (WebPGetFeatures(data(bytes), bytes.size(), &features) != VP8_STATUS_OK)
        refuse_image(name, "broken or cut short WebP: its header cannot be read");
    if (features.has_animation != 0)
        refuse_image(name, "animated WebP", "give one frame as a picture of its own");
    return {features.width, features.height};
}

void decode(std::string_view bytes, const std::string& name, Image& out) {
    if (WebPDecodeRGBInto(data(bytes), bytes.size(), out.rgb.data(), out.rgb.size(),
                          3 * out.size.width) == nullptr)
        refuse_image(name, "broken or cut short WebP: its pixels cannot be read");
}

} // namespace

const Codec kWebp = {"WebP",
                     [](std::string_view bytes) {
                         return bytes.size() >= 12 && bytes.starts_with("RIFF") &&
                                bytes.substr(8, 4) == "WEBP";
                     },
                     size, decode};

} // namespace assay::engine
