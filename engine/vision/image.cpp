#include "assay/engine/image.h"

#include "assay/base/error.h"
#include "assay/base/text.h"
#include "codecs.h"

#include <fmt/format.h>

#include <array>

namespace assay::engine {

void refuse_image(const std::string& name, const std::string& what, const std::string& hint) {
    throw Error(ErrorKind::Input, name + ": " + what)
        .hint(hint.empty() ? "give a whole PNG, JPEG or WebP" : hint);
}

namespace {

struct Magic {
    std::size_t at;
    std::string_view bytes;
    const char* name;
    bool video;
};

// What else is met, so that the message can say it. The brands of pictures go first.
constexpr std::array<Magic, 13> kOthers = {{
    {0, "GIF8", "GIF", false},
    {0, "BM", "BMP", false},
    {0, std::string_view("II*\0", 4), "TIFF", false},
    {0, std::string_view("MM\0*", 4), "TIFF", false},
    {4, "ftypavif", "AVIF", false},
    {4, "ftypheic", "HEIC", false},
    {0, "<svg", "SVG", false},
    {0, "%PDF", "PDF", false},
    {4, "ftyp", "MP4", true},
    {0, "\x1a\x45\xdf\xa3", "WebM or Matroska", true},
    {8, "AVI ", "AVI", true},
    {0, "OggS", "Ogg", true},
    {0, "FLV", "FLV", true},
}};

const Codec& codec_of(std::string_view bytes, const std::string& name) {
    for (const Codec* codec : {&kPng, &kJpeg, &kWebp})
        if (codec->matches(bytes)) return *codec;
    if (bytes.empty()) refuse_image(name, "empty file");
    for (const Magic& other : kOthers)
        if (bytes.size() > other.at && bytes.substr(other.at).starts_with(other.bytes))
            refuse_image(name, std::string(other.name) + " is not read",
                         other.video ? "give the frames of a video, each as PNG, JPEG or WebP"
                                     : "convert it to PNG, JPEG or WebP");
    refuse_image(name, "neither PNG nor JPEG nor WebP");
}

ImageSize checked_size(const Codec& codec, std::string_view bytes, const std::string& name,
                       const ImageLimits& limits) {
    if (bytes.size() > limits.bytes)
        refuse_image(
            name,
            fmt::format("{} of {}", format_bytes(static_cast<double>(bytes.size())), codec.name),
            fmt::format("a picture may have {}", format_bytes(static_cast<double>(limits.bytes))));
    const ImageSize size = codec.size(bytes, name);
    if (size.width < 1 || size.height < 1) refuse_image(name, "no pixels");
    if (size.width > limits.side || size.height > limits.side ||
        std::int64_t{size.width} * size.height > limits.pixels)
        refuse_image(name, fmt::format("{} of {} x {} pixels", codec.name, size.width, size.height),
                     fmt::format("a picture may have {} pixels, and {} on a side", limits.pixels,
                                 limits.side));
    return size;
}

} // namespace

ImageSize image_size(std::string_view bytes, const std::string& name, const ImageLimits& limits) {
    return checked_size(codec_of(bytes, name), bytes, name, limits);
}

Image decode_image(std::string_view bytes, const std::string& name, const ImageLimits& limits) {
    const Codec& codec = codec_of(bytes, name);
    Image out;
    out.size = checked_size(codec, bytes, name, limits);
    out.rgb.resize(static_cast<std::size_t>(out.size.width) *
                   static_cast<std::size_t>(out.size.height) * 3);
    codec.decode(bytes, name, out);
    return out;
}

} // namespace assay::engine
