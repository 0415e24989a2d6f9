#include "assay/engine/weights.h"

#include <array>
#include <bit>
#include <cstring>

namespace assay::engine {

namespace {

constexpr std::int64_t kMxfp8Block = 32, kNvfp4Block = 16;

// OCP 8-bit Floating Point, E4M3: bias 7, no infinity, all ones are NaN.
constexpr float e4m3(unsigned code) {
    unsigned exponent = code >> 3 & 15, mantissa = code & 7;
    std::uint32_t sign = (code & 0x80u) << 24;
    if ((code & 0x7f) == 0x7f) return std::bit_cast<float>(sign | 0x7fc00000u);
    if (exponent == 0) {
        float magnitude = static_cast<float>(mantissa) / 512;
        return sign == 0 ? magnitude : -magnitude;
    }
    return std::bit_cast<float>(sign | (exponent + 120) << 23 | mantissa << 20);
}

constexpr std::array<float, 256> make_e4m3() {
    std::array<float, 256> table{};
    for (unsigned code = 0; code < 256; ++code) table[code] = e4m3(code);
    return table;
}

constexpr std::array<float, 256> kE4m3 = make_e4m3();
constexpr std::array<float, 16> kE2m1 = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                                         -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};

// OCP Microscaling, E8M0: 2^(code - 127); the smallest is subnormal, 255 is NaN.
float e8m0(unsigned code) {
    if (code == 255) return std::bit_cast<float>(0x7fc00000u);
    return std::bit_cast<float>(code == 0 ? 0x00400000u : code << 23);
}

unsigned byte_at(const std::byte* at) {
    return std::to_integer<unsigned>(*at);
}

void from_bf16(const std::byte* in, std::int64_t count, float* out) {
    for (std::int64_t i = 0; i < count; ++i) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, in + 2 * i, sizeof bits);
        out[i] = std::bit_cast<float>(std::uint32_t{bits} << 16);
    }
}

void from_mxfp8(const std::byte* in, const std::byte* scales, std::int64_t count, float* out) {
    for (std::int64_t block = 0; block < count / kMxfp8Block; ++block) {
        float scale = e8m0(byte_at(scales + block));
        for (std::int64_t i = block * kMxfp8Block; i < (block + 1) * kMxfp8Block; ++i)
            out[i] = kE4m3[byte_at(in + i)] * scale;
    }
}

void from_nvfp4(const std::byte* in, const std::byte* scales, float scale, std::int64_t count,
                float* out) {
    for (std::int64_t block = 0; block < count / kNvfp4Block; ++block) {
        float own = kE4m3[byte_at(scales + block)] * scale;
        for (std::int64_t i = block * kNvfp4Block; i < (block + 1) * kNvfp4Block; i += 2) {
            unsigned pair = byte_at(in + i / 2);
            out[i] = kE2m1[pair & 15] * own;
            out[i + 1] = kE2m1[pair >> 4] * own;
        }
    }
}

} // namespace

std::string_view to_string(Format format) {
    switch (format) {
    case Format::F32:
        return "f32";
    case Format::Bf16:
        return "bf16";
    case Format::Mxfp8:
        return "mxfp8";
    case Format::Nvfp4:
        return "nvfp4";
    }
    return "?";
}

std::uint64_t Matrix::bytes() const {
    auto values = static_cast<std::uint64_t>(rows) * static_cast<std::uint64_t>(columns);
    switch (format) {
    case Format::F32:
        return values * 4;
    case Format::Bf16:
        return values * 2;
    case Format::Mxfp8:
        return values + values / kMxfp8Block;
    case Format::Nvfp4:
        return values / 2 + values / kNvfp4Block;
    }
    return 0;
}

Matrix Matrix::slice(std::int64_t begin, std::int64_t count) const {
    Matrix out = *this;
    out.rows = count;
    if (empty()) return out;
    std::int64_t values = begin * columns;
    switch (format) {
    case Format::F32:
        out.data += values * 4;
        break;
    case Format::Bf16:
        out.data += values * 2;
        break;
    case Format::Mxfp8:
        out.data += values;
        out.scales += values / kMxfp8Block;
        break;
    case Format::Nvfp4:
        out.data += values / 2;
        out.scales += values / kNvfp4Block;
        break;
    }
    return out;
}

void dequantise(const Matrix& matrix, std::int64_t begin, std::int64_t end, float* out) {
    Matrix rows = matrix.slice(begin, end - begin);
    std::int64_t count = rows.rows * rows.columns;
    if (count == 0) return;
    switch (rows.format) {
    case Format::F32:
        std::memcpy(out, rows.data, static_cast<std::size_t>(count) * sizeof *out);
        break;
    case Format::Bf16:
        from_bf16(rows.data, count, out);
        break;
    case Format::Mxfp8:
        from_mxfp8(rows.data, rows.scales, count, out);
        break;
    case Format::Nvfp4:
        from_nvfp4(rows.data, rows.scales, rows.scale, count, out);
        break;
    }
}

} // namespace assay::engine
