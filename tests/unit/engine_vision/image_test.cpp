// Pictures of strangers: what is decoded, what is refused, and that nothing is allocated for what a
// header merely claims.
#include "assay/base/error.h"
#include "catch.h"
#include "encode.h"

#include <algorithm>

using namespace assay;
using namespace assay::engine;
using Catch::Contains;

namespace {

constexpr ImageSize kSize = {13, 9};
constexpr std::size_t kPixels = 13 * 9;

int worst(const Image& a, const Image& b) {
    REQUIRE(a.size == b.size);
    REQUIRE(a.rgb.size() == b.rgb.size());
    int most = 0;
    for (std::size_t i = 0; i < a.rgb.size(); ++i)
        most = std::max(most, std::abs(int{a.rgb[i]} - int{b.rgb[i]}));
    return most;
}

std::string be32(std::uint32_t value) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
    return out;
}

std::uint32_t crc(std::string_view bytes) {
    std::uint32_t out = 0xffffffffu;
    for (char byte : bytes) {
        out ^= static_cast<unsigned char>(byte);
        for (int i = 0; i < 8; ++i) out = out >> 1 ^ (out & 1u ? 0xedb88320u : 0u);
    }
    return ~out;
}

std::string chunk(const std::string& type, const std::string& content) {
    return be32(static_cast<std::uint32_t>(content.size())) + type + content +
           be32(crc(type + content));
}

constexpr std::size_t kBehindHeader = 8 + 25; // of a PNG: magic, IHDR

// Files of the three formats that say they are of another size.
std::string png_claiming(int width, int height) {
    std::string file = png_of(checkered(13, 9));
    std::string header = be32(static_cast<std::uint32_t>(width)) +
                         be32(static_cast<std::uint32_t>(height)) + file.substr(24, 5);
    return file.substr(0, 8) + chunk("IHDR", header) + file.substr(kBehindHeader);
}

std::string jpeg_claiming(int width, int height) {
    std::string file = jpeg_of(checkered(13, 9));
    const std::size_t frame = file.find("\xff\xc0");
    REQUIRE(frame != std::string::npos);
    file.replace(
        frame + 5, 4,
        be32(static_cast<std::uint32_t>(height) << 16 | static_cast<std::uint32_t>(width)));
    return file;
}

std::string webp_claiming(int width, int height) {
    std::string file = webp_of(checkered(13, 9));
    REQUIRE(file.substr(12, 4) == "VP8L");
    const auto bits = static_cast<std::uint32_t>(width - 1) | static_cast<std::uint32_t>(height - 1)
                                                                  << 14;
    for (std::size_t i = 0; i < 4; ++i) file[21 + i] = static_cast<char>(bits >> (8 * i) & 0xff);
    return file;
}

std::string message_of(const std::string& file, const ImageLimits& limits = {}) {
    try {
        decode_image(file, "a.png", limits);
    } catch (const Error& e) {
        CHECK(e.kind() == ErrorKind::Input);
        CHECK_FALSE(e.hint().empty());
        CHECK_THAT(e.message(), Catch::StartsWith("a.png: "));
        CHECK(e.message().find('\n') == std::string::npos);
        return e.message();
    }
    return "";
}

} // namespace

TEST_CASE("PNG of every kind becomes RGB") {
    const Image image = checkered(13, 9);
    CHECK(worst(decode_image(png_of(image), "x"), image) == 0);
    CHECK(image_size(png_of(image), "x") == kSize);
    CHECK(worst(decode_image(png_of(kSize, text_of(image.rgb), {.interlaced = true}), "x"),
                image) == 0);

    std::string alpha, grey, grey_alpha;
    Image of_grey{kSize, {}};
    for (std::size_t i = 0; i < kPixels; ++i) {
        for (std::size_t c = 0; c < 3; ++c) alpha += static_cast<char>(image.rgb[3 * i + c]);
        alpha += static_cast<char>(i); // is dropped, not blended
        grey += static_cast<char>(i);
        grey_alpha += static_cast<char>(i);
        grey_alpha += '\0';
        of_grey.rgb.insert(of_grey.rgb.end(), 3, static_cast<std::uint8_t>(i));
    }
    CHECK(worst(decode_image(png_of(kSize, alpha, {SPNG_COLOR_TYPE_TRUECOLOR_ALPHA}), "x"),
                image) == 0);
    CHECK(worst(decode_image(png_of(kSize, grey, {SPNG_COLOR_TYPE_GRAYSCALE}), "x"), of_grey) == 0);
    CHECK(worst(decode_image(png_of(kSize, grey_alpha, {SPNG_COLOR_TYPE_GRAYSCALE_ALPHA}), "x"),
                of_grey) == 0);
}

TEST_CASE("PNG with a palette, with 16 bits, with one bit") {
    spng_plte palette{};
    palette.n_entries = 128;
    Image want{kSize, {}};
    std::string indices;
    for (std::uint8_t i = 0; i < 128; ++i)
        palette.entries[i] = {static_cast<std::uint8_t>(255 - i), i, 77, 0};
    for (std::uint8_t i = 0; i < kPixels; ++i) {
        indices += static_cast<char>(i);
        want.rgb.insert(want.rgb.end(), {static_cast<std::uint8_t>(255 - i), i, 77});
    }
    spng_trns transparent{};
    transparent.n_type3_entries = 5; // changes nothing
    CHECK(worst(decode_image(
                    png_of(kSize, indices, {SPNG_COLOR_TYPE_INDEXED}, &palette, &transparent), "x"),
                want) == 0);

    std::string wide;
    Image upper{kSize, {}};
    for (std::size_t i = 0; i < kPixels * 3; ++i) {
        const std::uint16_t sample = static_cast<std::uint16_t>(i * 97 + 255);
        wide.append(reinterpret_cast<const char*>(&sample), 2);
        upper.rgb.push_back(static_cast<std::uint8_t>(sample >> 8));
    }
    CHECK(worst(decode_image(png_of(kSize, wide, {SPNG_COLOR_TYPE_TRUECOLOR, 16}), "x"), upper) ==
          0);

    Image bits{{8, 2}, {}};
    for (int bit : {1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 0, 0, 0, 0})
        bits.rgb.insert(bits.rgb.end(), 3, static_cast<std::uint8_t>(bit * 255));
    CHECK(worst(decode_image(png_of({8, 2}, "\xaa\xf0", {SPNG_COLOR_TYPE_GRAYSCALE, 1}), "x"),
                bits) == 0);
}

TEST_CASE("JPEG becomes RGB, however it lies in the camera") {
    Image smooth{{40, 24}, {}};
    for (int i = 0; i < 40 * 24; ++i)
        smooth.rgb.insert(smooth.rgb.end(), {static_cast<std::uint8_t>(i % 40 * 6),
                                             static_cast<std::uint8_t>(i / 40 * 10), 90});
    for (int flags : {0, TJFLAG_PROGRESSIVE})
        for (int subsampling : {TJSAMP_444, TJSAMP_420}) {
            std::string file =
                jpeg_of(smooth.size, text_of(smooth.rgb), TJPF_RGB, subsampling, flags);
            CHECK(worst(decode_image(file, "x"), smooth) < 12);
            // Orientation 6, a quarter turn: not applied.
            std::string turned = std::string("\xff\xe1\0\x22"
                                             "Exif\0\0MM\0*\0\0\0\x08\0\x01"
                                             "\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0",
                                             36);
            std::string other = file.substr(0, 2) + turned + file.substr(2);
            CHECK(worst(decode_image(other, "x"), decode_image(file, "x")) == 0);
        }
    std::string grey(40 * 24, '\x50');
    Image image = decode_image(jpeg_of({40, 24}, grey, TJPF_GRAY, TJSAMP_GRAY), "x");
    CHECK(std::all_of(image.rgb.begin(), image.rgb.end(), [](int v) { return v == 0x50; }));
}

TEST_CASE("WebP becomes RGB") {
    const Image image = checkered(13, 9);
    CHECK(worst(decode_image(webp_of(image), "x"), image) == 0);
    CHECK(decode_image(webp_of(image, false), "x").size == kSize);
}

TEST_CASE("what a header claims is refused before anything of its size is allocated") {
    // 16383 x 16383 pixels take 768 MiB; no limit on memory would be needed to see that they are
    // not asked for: each of these files ends after some hundred bytes.
    for (const std::string& file :
         {png_claiming(16383, 16383), jpeg_claiming(16383, 16383), webp_claiming(16383, 16383)}) {
        CHECK(file.size() < 1000);
        CHECK_THAT(message_of(file), Contains("16383 x 16383 pixels"));
    }
    CHECK_FALSE(message_of(png_claiming(2'000'000'000, 2'000'000'000)).empty());
    CHECK_THAT(message_of(png_claiming(40'000, 1)), Contains("40000 x 1 pixels"));
    CHECK_THAT(message_of(jpeg_claiming(40'000, 1)), Contains("40000 x 1 pixels"));
    CHECK_FALSE(message_of(png_claiming(0, 5)).empty());
    CHECK_FALSE(message_of(jpeg_claiming(0, 5)).empty());
}

TEST_CASE("a small file of many pixels is a bomb where limits let it through") {
    std::string file = png_of({4000, 3000}, std::string(std::size_t{4000} * 3000 * 3, 'x'));
    CHECK(file.size() < 200'000);
    CHECK(decode_image(file, "x").rgb.size() == 36'000'000); // the attack
    CHECK_THAT(message_of(file, {.pixels = 1 << 20}), Contains("4000 x 3000 pixels"));
    CHECK_THAT(message_of(file, {.side = 3999}), Contains("4000 x 3000 pixels"));
    CHECK_THAT(message_of(file, {.bytes = 1000}), Contains("of PNG"));
}

TEST_CASE("files that are cut short or damaged give one error each") {
    const Image image = checkered(64, 48);
    const std::string files[] = {png_of(image), jpeg_of(image), webp_of(image),
                                 webp_of(image, false)};
    for (const std::string& file : files) {
        REQUIRE(message_of(file).empty());
        for (std::size_t part = 1; part < 16; ++part) {
            INFO(part);
            CHECK_FALSE(message_of(file.substr(0, file.size() * part / 16)).empty());
        }
    }
    std::string damaged = files[0];
    damaged[damaged.size() / 2] ^= 1; // its checksum tells
    CHECK_THAT(message_of(damaged), Contains("PNG"));
    CHECK_THAT(message_of(""), Contains("empty"));
    CHECK_THAT(message_of("hello"), Contains("neither PNG nor JPEG nor WebP"));
}

TEST_CASE("animations and formats that are not read are named") {
    std::string png = png_of(checkered(13, 9));
    std::string animated =
        png.substr(0, kBehindHeader) + chunk("acTL", be32(2) + be32(0)) + png.substr(kBehindHeader);
    CHECK_THAT(message_of(animated), Contains("animated PNG"));
    std::string webp("RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x0c\0\0\x08\0\0"
                     "ANIM\x06\0\0\0\0\0\0\0\0\0",
                     44);
    CHECK_THAT(message_of(webp), Contains("animated WebP"));
    CHECK_THAT(message_of(jpeg_of(kSize, std::string(kPixels * 4, '\x70'), TJPF_CMYK)),
               Contains("CMYK"));
    CHECK_THAT(message_of("GIF89a"), Contains("GIF is not read"));
    CHECK_THAT(message_of(std::string("\0\0\0\x18"
                                      "ftypavif",
                                      12)),
               Contains("AVIF"));
    std::string film("\0\0\0\x18"
                     "ftypisom",
                     12);
    CHECK_THAT(message_of(film), Contains("MP4 is not read"));
    try {
        decode_image(film, "x");
    } catch (const Error& e) {
        CHECK_THAT(e.hint(), Contains("give the frames"));
    }
}
