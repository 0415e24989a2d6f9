// MXFP8 and NVFP4 against a computation from the definitions of the formats: OCP Microscaling 1.0,
// OCP 8-bit Floating Point 1.0, and how the two namings of NVFP4 scale.
#include "assay/base/error.h"
#include "catch.h"
#include "release.h"

#include <cmath>
#include <limits>
#include <random>

using namespace assay;
using namespace assay::test;
using engine::Format;
using engine::Matrix;

namespace {

float e4m3(std::uint8_t code) {
    int exponent = code / 8 % 16, mantissa = code % 8;
    double sign = code >= 128 ? -1 : 1;
    if (exponent == 15 && mantissa == 7) return std::numeric_limits<float>::quiet_NaN();
    double magnitude = exponent == 0 ? std::ldexp(mantissa / 8.0, -6)
                                     : std::ldexp(1 + mantissa / 8.0, exponent - 7);
    return static_cast<float>(std::copysign(magnitude, sign));
}

float e2m1(int code) {
    static constexpr float magnitudes[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    return code >= 8 ? -magnitudes[code - 8] : magnitudes[code];
}

struct Mistakes { // that the comparison must see
    bool swapped_nibbles = false, inverted_scale = false;
};

std::vector<float> mxfp8(const std::string& codes, const std::string& scales, Mistakes wrong = {}) {
    std::vector<float> out;
    for (std::size_t i = 0; i < codes.size(); ++i) {
        int scale = static_cast<std::uint8_t>(scales[i / 32]);
        double factor = scale == 255
                            ? std::numeric_limits<double>::quiet_NaN()
                            : std::ldexp(1.0, wrong.inverted_scale ? 127 - scale : scale - 127);
        out.push_back(static_cast<float>(e4m3(static_cast<std::uint8_t>(codes[i])) * factor));
    }
    return out;
}

std::vector<float> nvfp4(const std::string& codes, const std::string& scales, float scale,
                         Mistakes wrong = {}) {
    if (wrong.inverted_scale) scale = 1 / scale;
    std::vector<float> out;
    for (std::size_t i = 0; i < 2 * codes.size(); ++i) {
        int byte = static_cast<std::uint8_t>(codes[i / 2]);
        bool high = (i % 2 == 1) != wrong.swapped_nibbles;
        volatile float block = e4m3(static_cast<std::uint8_t>(scales[i / 16])) * scale;
        out.push_back(e2m1(high ? byte / 16 : byte % 16) * block);
    }
    return out;
}

// Bit for bit; any NaN is like another.
bool same(const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (!(std::isnan(a[i]) && std::isnan(b[i])) && std::memcmp(&a[i], &b[i], sizeof a[i]) != 0)
            return false;
    return true;
}

std::string random_bytes(std::size_t count, int least, int most, unsigned seed) {
    std::mt19937 random(seed);
    std::string out;
    while (out.size() < count)
        out += static_cast<char>(least + static_cast<int>(random() % (most - least + 1)));
    return out;
}

std::string e4m3_numbers(std::size_t count, unsigned seed) { // no NaN, no zero
    std::string out = random_bytes(count, 1, 126, seed);
    for (std::size_t i = 0; i < count; i += 3) out[i] = static_cast<char>(out[i] | 0x80);
    return out;
}

const std::byte* bytes(const std::string& data) {
    return reinterpret_cast<const std::byte*>(data.data());
}

// The other tensors of a quantised one, and what its values are.
struct Quantised {
    std::vector<WrittenTensor> tensors;
    std::vector<float> values, inverted, swapped;
};
enum class Naming { Release, ModelOptFp8, ModelOptFp4, CompressedTensors };

Quantised quantise(const WrittenTensor& tensor, Naming naming, unsigned seed) {
    std::int64_t rows = tensor.shape[0], columns = tensor.shape[1];
    auto count = static_cast<std::size_t>(rows * columns);
    Quantised out;
    if (naming == Naming::Release || naming == Naming::ModelOptFp8) {
        std::string codes = e4m3_numbers(count, seed),
                    scales = random_bytes(count / 32, 120, 130, seed);
        bool release = naming == Naming::Release;
        out.tensors = {{tensor.name, "F8_E4M3", tensor.shape, codes},
                       {tensor.name + (release ? "_scale_inv" : "_scale"),
                        release ? "U8" : "F8_E8M0",
                        {rows, columns / 32},
                        scales}};
        out.values = mxfp8(codes, scales);
        out.inverted = mxfp8(codes, scales, {.inverted_scale = true});
        return out;
    }
    std::string codes = random_bytes(count / 2, 0, 255, seed),
                scales = random_bytes(count / 16, 1, 126, seed);
    bool divides = naming == Naming::CompressedTensors;
    float global = divides ? 1234.5F : 0.0123F;
    float scale = divides ? 1 / global : global;
    out.tensors = {{tensor.name + (divides ? "_packed" : ""), "U8", {rows, columns / 2}, codes},
                   {tensor.name + "_scale", "F8_E4M3", {rows, columns / 16}, scales},
                   {tensor.name + (divides ? "_global_scale" : "_scale_2"), "F32",
                    divides ? std::vector<std::int64_t>{1} : std::vector<std::int64_t>{},
                    bytes_of(std::vector<float>{global})},
                   {tensor.name.substr(0, tensor.name.size() - 6) +
                        (divides ? "input_global_scale" : "input_scale"),
                    "F32",
                    {1},
                    bytes_of(std::vector<float>{1})}};
    out.values = nvfp4(codes, scales, scale);
    out.inverted = nvfp4(codes, scales, scale, {.inverted_scale = true});
    out.swapped = nvfp4(codes, scales, scale, {.swapped_nibbles = true});
    return out;
}

} // namespace

TEST_CASE("every MXFP8 code with every scale is what the formats define") {
    std::string codes, scales;
    for (int scale = 0; scale < 256; ++scale)
        for (int code = 0; code < 256; ++code) {
            codes += static_cast<char>(code);
            if (code % 32 == 0) scales += static_cast<char>(scale);
        }
    Matrix matrix{.format = Format::Mxfp8,
                  .rows = 256,
                  .columns = 256,
                  .data = bytes(codes),
                  .scales = bytes(scales)};
    CHECK(matrix.bytes() == 65'536 + 2'048);
    CHECK(same(values(matrix), mxfp8(codes, scales)));
    CHECK_FALSE(same(values(matrix), mxfp8(codes, scales, {.inverted_scale = true})));
    // The limits, by hand.
    std::vector<float> row(256);
    engine::dequantise(matrix, 127, 128, row.data()); // scale 1
    CHECK(row[0x7e] == 448);
    CHECK(row[0x01] == std::ldexp(1.0F, -9));
    CHECK(std::isnan(row[0x7f]));
    CHECK(std::isnan(row[0xff]));
    CHECK(std::signbit(row[0x80]));
    engine::dequantise(matrix, 0, 1, row.data()); // 2^-127
    CHECK(row[0x38] == std::ldexp(1.0F, -127));
    CHECK(row[0x01] == std::ldexp(1.0F, -136));
    engine::dequantise(matrix, 255, 256, row.data());
    CHECK(std::isnan(row[0]));
}

TEST_CASE("every NVFP4 pair with every block scale is what the formats define") {
    std::string codes, scales;
    for (int scale = 0; scale < 256; ++scale)
        for (int code = 0; code < 256; ++code) {
            codes += static_cast<char>(code);
            if (code % 8 == 0) scales += static_cast<char>(scale);
        }
    for (float scale : {1.0F, 0.00317F, 1 / 2688.0F}) {
        Matrix matrix{.format = Format::Nvfp4,
                      .rows = 256,
                      .columns = 512,
                      .data = bytes(codes),
                      .scales = bytes(scales),
                      .scale = scale};
        CHECK(same(values(matrix), nvfp4(codes, scales, scale)));
        CHECK_FALSE(same(values(matrix), nvfp4(codes, scales, scale, {.swapped_nibbles = true})));
        if (scale != 1)
            CHECK_FALSE(
                same(values(matrix), nvfp4(codes, scales, scale, {.inverted_scale = true})));
        std::vector<float> some(3 * 512);
        engine::dequantise(matrix.slice(10, 20), 2, 5, some.data());
        std::vector<float> all = values(matrix);
        CHECK(same(some, {all.begin() + 12 * 512, all.begin() + 15 * 512}));
    }
}

TEST_CASE("quantised checkpoints: each matrix tells its format by the tensors beside it") {
    // As M3.1 is said to be: experts in FP4, other linear layers in FP8, the rest plain.
    for (auto [fp8, fp4] : {std::pair{Naming::Release, Naming::ModelOptFp4},
                            {Naming::ModelOptFp8, Naming::ModelOptFp4},
                            {Naming::Release, Naming::CompressedTensors}}) {
        std::map<std::string, Quantised> quantised;
        std::size_t ignored = 0;
        auto folder = Folder([&](std::vector<WrittenTensor>& tensors) {
            std::vector<WrittenTensor> out;
            for (const WrittenTensor& tensor : tensors) {
                bool expert = tensor.name.find(".experts.") != std::string::npos;
                bool linear = tensor.name.find("_proj.weight") != std::string::npos &&
                              tensor.name.starts_with("language_model.");
                if (!expert && !linear) {
                    out.push_back(tensor);
                    continue;
                }
                auto& made = quantised[tensor.name] =
                    quantise(tensor, expert ? fp4 : fp8, static_cast<unsigned>(out.size()));
                out.insert(out.end(), made.tensors.begin(), made.tensors.end());
                ignored += expert;
            }
            tensors = out;
        });
        auto checkpoint = folder.open();
        CHECK(checkpoint->inventory().ignored.size() == ignored);
        const engine::LayerWeights& layer = checkpoint->weights().text.layers[2];
        auto check = [&](const std::string& name, const Matrix& matrix, Format format) {
            INFO(name);
            const Quantised& wanted = quantised.at("language_model.model.layers.2." + name);
            CHECK(matrix.format == format);
            CHECK(same(values(matrix), wanted.values));
            CHECK_FALSE(same(values(matrix), wanted.inverted));
            if (format == Format::Nvfp4) CHECK_FALSE(same(values(matrix), wanted.swapped));
        };
        check("self_attn.q_proj.weight", layer.q, Format::Mxfp8);
        check("self_attn.index_k_proj.weight", layer.index_k, Format::Mxfp8);
        check("block_sparse_moe.shared_experts.down_proj.weight", layer.shared.down, Format::Mxfp8);
        check("block_sparse_moe.experts.3.w1.weight", layer.experts[3].gate, Format::Nvfp4);
        check("block_sparse_moe.experts.3.w3.weight", layer.experts[3].up, Format::Nvfp4);
        check("block_sparse_moe.experts.3.w2.weight", layer.experts[3].down, Format::Nvfp4);
        CHECK(layer.router.format == Format::F32);
        CHECK(checkpoint->weights().text.head.format == Format::Bf16);
        CHECK(checkpoint->parameters() == Folder().open()->parameters());
        checkpoint->check_values();
    }
}

TEST_CASE("stacked experts may be quantised too") {
    Sizes sizes = Sizes::small();
    std::vector<WrittenTensor> tensors = release_tensors(sizes);
    fill(tensors);
    tensors = as_transformers(tensors, sizes);
    WrittenTensor& stacked =
        tensor_named(tensors, "model.language_model.layers.1.mlp.experts.gate_up_proj");
    std::int64_t values_of_expert = std::int64_t{2} * sizes.expert * sizes.hidden;
    auto count = static_cast<std::size_t>(sizes.experts * values_of_expert);
    std::string codes = e4m3_numbers(count, 1), scales = random_bytes(count / 32, 120, 130, 2);
    stacked.dtype = "F8_E4M3";
    stacked.data = codes;
    tensors.push_back({stacked.name + "_scale_inv",
                       "U8",
                       {sizes.experts, 2 * sizes.expert, sizes.hidden / 32},
                       scales});
    auto folder = Folder(flat_config(sizes), tensors);
    auto checkpoint = folder.open();
    std::vector<float> all = mxfp8(codes, scales);
    auto up_of_2 = all.begin() + 2 * values_of_expert + values_of_expert / 2;
    CHECK(same(values(checkpoint->weights().text.layers[1].experts[2].up),
               {up_of_2, up_of_2 + values_of_expert / 2}));
}

TEST_CASE("quantised tensors without their scales, or with absurd ones, are refused") {
    const std::string q = "language_model.model.layers.1.self_attn.q_proj.weight";
    auto error = [&](Naming naming,
                     const std::function<void(std::vector<WrittenTensor>&)>& change) {
        auto folder = Folder([&](std::vector<WrittenTensor>& tensors) {
            Quantised made = quantise(tensor_named(tensors, q), naming, 1);
            std::erase_if(tensors, [&](const WrittenTensor& one) { return one.name == q; });
            tensors.insert(tensors.end(), made.tensors.begin(), made.tensors.end());
            change(tensors);
        });
        return error_of([&] { folder.open(); });
    };
    auto without = [](const std::string& name) {
        return [name](std::vector<WrittenTensor>& tensors) {
            std::erase_if(tensors, [&](const WrittenTensor& one) { return one.name == name; });
        };
    };
    auto with = [](const std::string& name, std::size_t at, char byte) {
        return [=](std::vector<WrittenTensor>& tensors) {
            tensor_named(tensors, name).data[at] = byte;
        };
    };
    CHECK_THAT(error(Naming::Release, without(q + "_scale_inv")),
               Catch::Contains("missing:\n    " + q + "_scale_inv"));
    CHECK_THAT(error(Naming::ModelOptFp4, without(q + "_scale_2")),
               Catch::Contains("missing:\n    " + q + "_scale_2"));
    CHECK_THAT(error(Naming::CompressedTensors, without(q + "_global_scale")),
               Catch::Contains("missing:\n    " + q + "_global_scale"));
    CHECK_THAT(error(Naming::Release, with(q + "_scale_inv", 5, '\xff')),
               Catch::Contains("1 not finite:\n    " + q + "_scale_inv"));
    CHECK_THAT(error(Naming::ModelOptFp4, with(q + "_scale", 5, '\x7f')),
               Catch::Contains("1 not finite:\n    " + q + "_scale"));
    CHECK_THAT(error(Naming::ModelOptFp4,
                     [&](std::vector<WrittenTensor>& tensors) {
                         tensor_named(tensors, q + "_scale_2").data =
                             bytes_of(std::vector<float>{0});
                     }),
               Catch::Contains("1 not finite:\n    " + q + "_scale_2"));
    CHECK_THAT(error(Naming::ModelOptFp4,
                     [&](std::vector<WrittenTensor>& tensors) {
                         tensor_named(tensors, q + "_scale").dtype = "F8_E5M2";
                     }),
               Catch::Contains(q + "_scale: F8_E5M2"));
}
