// Every variant that this machine can run, against the reference, bit for bit; and the reference
// against a plain formula in double. Builds with nvcc, the C++ library and catch.hpp alone.
#include "assay/kernels/device.h"
#include "assay/kernels/rms_norm.h"
#include "catch.h"
#include "rms_norm_cases.h"
#include "skip.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>

using namespace assay::kernels;
using cases::RmsNormCase;
using cases::RmsNormData;

namespace {

constexpr float kEpsilon = 1e-6f;

std::vector<float> run_on_host(RmsNormFunction function, const RmsNormCase& c,
                               const RmsNormData& data) {
    std::vector<float> out(data.x.size(), -1.0f);
    function({data.x.data(), data.weight.data(), out.data(), c.rows, c.columns, kEpsilon}, nullptr);
    return out;
}

std::vector<float> run_on_device(RmsNormFunction function, const RmsNormCase& c,
                                 const RmsNormData& data) {
    std::size_t bytes = data.x.size() * sizeof(float);
    std::size_t weight_bytes = data.weight.size() * sizeof(float);
    DeviceBuffer x(bytes + 1), weight(weight_bytes), out(bytes + 1);
    x.upload(data.x.data(), bytes);
    weight.upload(data.weight.data(), weight_bytes);
    function({static_cast<const float*>(x.data()), static_cast<const float*>(weight.data()),
              static_cast<float*>(out.data()), c.rows, c.columns, kEpsilon},
             nullptr);
    device_synchronize();
    std::vector<float> host(data.x.size(), -1.0f);
    out.download(host.data(), bytes);
    return host;
}

// The first element whose bits differ (two NaNs are the same), or -1.
long first_difference(const std::vector<float>& a, const std::vector<float>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (std::isnan(a[i]) && std::isnan(b[i])) continue;
        if (std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i]))
            return static_cast<long>(i);
    }
    return -1;
}

// A plausible mistake: the sum is folded from first to last, with no lanes.
void rms_norm_in_another_order(const RmsNormArgs& args, void*) {
    for (std::int64_t r = 0; r < args.rows; ++r) {
        float sum = 0;
        for (std::int64_t c = 0; c < args.columns; ++c)
            sum = std::fma(args.x[r * args.columns + c], args.x[r * args.columns + c], sum);
        float scale = 1.0f / std::sqrt(sum / static_cast<float>(args.columns) + args.epsilon);
        for (std::int64_t c = 0; c < args.columns; ++c)
            args.out[r * args.columns + c] = args.x[r * args.columns + c] * scale * args.weight[c];
    }
}

} // namespace

TEST_CASE("rms_norm: every variant equals the reference bit for bit") {
    for (const RmsNormVariant& variant : rms_norm_variants()) {
        if (!variant.available()) {
            assay::test::note_skip(std::string("rms_norm/") + variant.name,
                                   "not available on this machine");
            continue;
        }
        for (const RmsNormCase& c : cases::kRmsNorm) {
            INFO(variant.name << ", " << c.name);
            RmsNormData data = cases::rms_norm_data(c);
            std::vector<float> want = run_on_host(rms_norm_reference, c, data);
            std::vector<float> got = variant.on_device ? run_on_device(variant.run, c, data)
                                                       : run_on_host(variant.run, c, data);
            CHECK(first_difference(want, got) == -1);
        }
    }
}

TEST_CASE("rms_norm: the reference agrees with the formula in double") {
    for (const RmsNormCase& c : cases::kRmsNorm) {
        if (c.scale != 1.0f) continue; // float overflows and underflows where double does not
        INFO(c.name);
        RmsNormData data = cases::rms_norm_data(c);
        std::vector<float> got = run_on_host(rms_norm_reference, c, data);
        double worst = 0;
        for (std::int64_t r = 0; r < c.rows; ++r) {
            double sum = 0;
            const float* x = data.x.data() + r * c.columns;
            for (std::int64_t i = 0; i < c.columns; ++i) sum += static_cast<double>(x[i]) * x[i];
            double scale = 1 / std::sqrt(sum / static_cast<double>(c.columns) + kEpsilon);
            for (std::int64_t i = 0; i < c.columns; ++i) {
                double want = x[i] * scale * data.weight[static_cast<std::size_t>(i)];
                double have = got[static_cast<std::size_t>(r * c.columns + i)];
                worst = std::max(worst, std::abs(have - want) / (std::abs(want) + 1e-6));
            }
        }
        CHECK(worst < 1e-5);
    }
}

TEST_CASE("rms_norm: the comparison sees another order of the sum") {
    const RmsNormCase c = {"wrong order", 64, 2051, 1, false};
    RmsNormData data = cases::rms_norm_data(c);
    CHECK(first_difference(run_on_host(rms_norm_reference, c, data),
                           run_on_host(rms_norm_in_another_order, c, data)) != -1);
}

TEST_CASE("rms_norm: x and out may be the same memory, and rows do not depend on one another") {
    const RmsNormCase c = {"in place", 7, 1000, 1, false};
    RmsNormData data = cases::rms_norm_data(c);
    std::vector<float> want = run_on_host(rms_norm_reference, c, data);
    for (const RmsNormVariant& variant : rms_norm_variants()) {
        if (variant.on_device || !variant.available()) continue;
        std::vector<float> same = data.x;
        for (std::int64_t r = 0; r < c.rows; ++r) { // one row a call
            float* row = same.data() + r * c.columns;
            variant.run({row, data.weight.data(), row, 1, c.columns, kEpsilon}, nullptr);
        }
        INFO(variant.name);
        CHECK(first_difference(want, same) == -1);
    }
}

TEST_CASE("a machine without a driver has zero devices, and says so instead of crashing") {
    int devices = device_count();
    std::printf("CUDA: %s, %d device(s)\n", built_with_cuda() ? "built" : "stub", devices);
    CHECK(devices >= 0);
    if (!built_with_cuda()) CHECK(devices == 0);
    if (devices == 0) {
        CHECK(rms_norm_best(true) == nullptr);
        CHECK_THROWS_AS(DeviceBuffer(16), std::runtime_error);
        float value = 1;
        CHECK_THROWS_AS(rms_norm_cuda({&value, &value, &value, 1, 1, kEpsilon}, nullptr),
                        std::runtime_error);
    } else {
        CHECK(std::string(rms_norm_best(true)->name) == "cuda");
        CHECK_FALSE(device_name(0).empty());
    }
    CHECK(rms_norm_best(false) != nullptr);
}
