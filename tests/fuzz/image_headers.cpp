// Pictures of strangers: any bytes are a picture within the limits, or an Error; what the header
// says is what is decoded. The input is read as a file, and with the checksums of its first PNG
// chunks set right, which no change of bytes would find.
#include "assay/base/error.h"
#include "assay/engine/image.h"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace assay;
using namespace assay::engine;

namespace {

// Small, so that each input takes milliseconds; and about what the corpus has, so that few changes
// go over them.
constexpr ImageLimits kLimits = {.bytes = 1 << 16, .side = 512, .pixels = 1 << 16};
constexpr ImageLimits kTight = {.bytes = 1 << 10, .side = 16, .pixels = 64};

void require(bool condition) {
    if (!condition) std::abort();
}

void check(std::string_view bytes, const ImageLimits& limits) {
    ImageSize said;
    try {
        said = image_size(bytes, "f", limits);
        require(bytes.size() <= limits.bytes);
        require(said.width > 0 && said.height > 0 && said.width <= limits.side &&
                said.height <= limits.side);
        require(std::int64_t{said.width} * said.height <= limits.pixels);
    } catch (const Error&) {
    }
    try {
        const Image image = decode_image(bytes, "f", limits);
        require(image.size == said && said.width > 0);
        require(image.rgb.size() ==
                static_cast<std::size_t>(said.width) * static_cast<std::size_t>(said.height) * 3);
    } catch (const Error& e) {
        require(e.message().starts_with("f: ") && !e.hint().empty());
    }
}

std::uint32_t crc(std::string_view bytes) {
    std::uint32_t out = 0xffffffffu;
    for (char byte : bytes) {
        out ^= static_cast<unsigned char>(byte);
        for (int i = 0; i < 8; ++i) out = out >> 1 ^ (out & 1u ? 0xedb88320u : 0u);
    }
    return ~out;
}

std::string with_checksums(std::string file) {
    std::size_t at = 8;
    for (int i = 0; i < 16 && at + 12 <= file.size(); ++i) {
        std::uint32_t length = 0;
        for (std::size_t j = 0; j < 4; ++j)
            length = length << 8 | static_cast<unsigned char>(file[at + j]);
        if (length > file.size() - at - 12) break;
        const std::uint32_t sum = crc(std::string_view(file).substr(at + 4, length + 4));
        for (std::size_t j = 0; j < 4; ++j)
            file[at + 8 + length + j] = static_cast<char>(sum >> (24 - 8 * j) & 0xff);
        at += 12 + length;
    }
    return file;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const std::string other =
        bytes.starts_with("\x89PNG") ? with_checksums(std::string(bytes)) : "";
    for (const ImageLimits& limits : {kLimits, kTight}) {
        check(bytes, limits);
        if (!other.empty()) check(other, limits);
    }
    return 0;
}
