// Times the marked cases of every variant, on one thread: rms_norm against a plain copy of the same
// bytes, the rest against the most that this thread can multiply and read, measured here. Prints
// ratios, asserts nothing.
#include "assay/kernels/device.h"
#include "assay/kernels/rms_norm.h"
#include "block_attention_cases.h"
#include "fold_block_cases.h"
#include "limits.h"
#include "linear_bf16_cases.h"
#include "linear_cases.h"
#include "rms_norm_cases.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>

using namespace assay::kernels;

namespace {

double median_seconds(const std::function<void()>& call) {
    std::vector<double> times;
    double all = 0;
    for (int i = 0; i < 25 && (all < 2 || i < 3); ++i) {
        auto began = std::chrono::steady_clock::now();
        call();
        std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        all += took.count();
        if (i >= 5 || all > 1) times.push_back(took.count());
    }
    auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    return *middle;
}

void report(const char* variant, const char* name, double bytes, double seconds, double copy) {
    std::printf("rms_norm/%-10s %-8s %10.1f us %8.1f GB/s", variant, name, seconds * 1e6,
                bytes / seconds / 1e9);
    if (copy > 0) std::printf("  %.2f of a copy", copy / seconds);
    std::printf("\n");
}

struct Limits {
    double flops, flops_bf16, read;
};

void report_op(const char* op, const char* variant, const char* name, double flops, double bytes,
               double seconds, double peak, double read) {
    std::printf("%s/%-10s %-15s %10.1f us %8.1f GFLOP/s", op, variant, name, seconds * 1e6,
                flops / seconds / 1e9);
    if (peak > 0) std::printf("  %.2f of peak", flops / seconds / peak);
    std::printf(" %7.1f GB/s  %.2f of reading\n", bytes / seconds / 1e9, bytes / seconds / read);
}

void linear_bf16(const Limits& most) {
    for (const auto& c : cases::kLinearBf16) {
        if (!c.bench) continue;
        cases::LinearBf16Data data = cases::linear_bf16_data(c);
        std::vector<float> y(static_cast<std::size_t>(c.m * c.n));
        const double weights = static_cast<double>(c.n * c.k);
        for (const LinearBf16Variant& variant : linear_bf16_variants()) {
            if (!variant.available() || variant.run == linear_bf16_reference) continue;
            double seconds = median_seconds([&] {
                variant.run({data.x.data(), nullptr, data.w.data(), y.data(), c.m, c.n, c.k, c.k,
                             c.n, false});
            });
            report_op("linear_bf16", variant.name, c.name, 2 * weights * static_cast<double>(c.m),
                      weights * 2, seconds, most.flops_bf16, most.read);
        }
    }
}

void linear(const Limits& most) {
    for (const auto& c : cases::kLinear) {
        if (!c.bench) continue;
        cases::LinearData data = cases::linear_data(c);
        std::vector<float> y(static_cast<std::size_t>(c.m * c.n));
        const double weights = static_cast<double>(c.n * c.k);
        for (const LinearVariant& variant : linear_variants()) {
            if (!variant.available()) continue;
            double seconds = median_seconds([&] {
                variant.run(
                    {data.x.data(), data.weights(c), c.type, y.data(), c.m, c.n, c.k, c.k, c.n});
            });
            report_op("linear", variant.name, c.name, 2 * weights * static_cast<double>(c.m),
                      weights * (c.type == WeightType::F32 ? 4 : 2), seconds, most.flops,
                      most.read);
        }
    }
}

void block_attention(const Limits& most) {
    for (const auto& c : cases::kBlockAttention) {
        if (!c.bench) continue;
        cases::BlockAttentionData data = cases::block_attention_data(c);
        double tokens = 0;
        for (int one : data.tokens) tokens += one;
        for (const BlockAttentionVariant& variant : block_attention_variants()) {
            if (!variant.available()) continue;
            double seconds = median_seconds([&] { cases::attend(variant.attend, c, data); });
            double work = tokens * static_cast<double>(c.dim);
            report_op("block_attention", variant.name, c.name,
                      4 * work * static_cast<double>(c.heads), 8 * work, seconds, most.flops,
                      most.read);
        }
    }
}

void fold_block(const Limits& most) {
    for (const auto& c : cases::kFold) {
        if (!c.bench) continue;
        const cases::FoldData data = cases::fold_data(c);
        double seen = 0, tokens = 0; // of all rows; of the cache
        for (int b = 0; b < c.blocks; ++b) {
            for (int r = 0; r < c.rows; ++r) seen += cases::fold_tokens(c, r, b);
            tokens += cases::fold_tokens(c, c.rows - 1, b);
        }
        const bool wide = c.type == CacheType::F32;
        const double work = seen * static_cast<double>(c.dim * c.heads);
        const double bytes = tokens * static_cast<double>(c.dim) * (wide ? 4 : 2);
        for (const FoldVariant& variant : fold_variants()) {
            if (!variant.available() || variant.name == kFoldReference.name) continue;
            double seconds = median_seconds([&] { cases::fold_all(variant, c, data); });
            const double peak = wide ? most.flops : most.flops_bf16;
            report_op("fold", variant.name, c.name, 4 * work, 2 * bytes, seconds, peak, most.read);
            seconds = median_seconds([&] { cases::rank_all(variant, c, data); });
            report_op("rank", variant.name, c.name, 2 * work, bytes, seconds, peak, most.read);
        }
    }
}

void rms_norm() {
    for (const auto& c : cases::kRmsNorm) {
        if (!c.bench) continue;
        cases::RmsNormData data = cases::rms_norm_data(c);
        std::vector<float> out(data.x.size());
        std::size_t size = data.x.size() * sizeof(float);
        auto moved = static_cast<double>(2 * size);
        double copy = median_seconds([&] { std::memcpy(out.data(), data.x.data(), size); });
        for (const RmsNormVariant& variant : rms_norm_variants()) {
            if (!variant.available()) {
                std::printf("rms_norm/%-10s %-8s skipped: not on this machine\n", variant.name,
                            c.name);
                continue;
            }
            RmsNormArgs args = {data.x.data(), data.weight.data(), out.data(),
                                c.rows,        c.columns,          1e-6f};
            if (!variant.on_device) {
                report(variant.name, c.name, moved,
                       median_seconds([&] { variant.run(args, nullptr); }), copy);
                continue;
            }
            DeviceBuffer x(size), weight(data.weight.size() * sizeof(float)), result(size);
            x.upload(data.x.data(), size);
            weight.upload(data.weight.data(), data.weight.size() * sizeof(float));
            args.x = static_cast<const float*>(x.data());
            args.weight = static_cast<const float*>(weight.data());
            args.out = static_cast<float*>(result.data());
            // 100 launches to one wait, so that the wait does not count.
            double batch = median_seconds([&] {
                for (int i = 0; i < 100; ++i) variant.run(args, nullptr);
                device_synchronize();
            });
            report(variant.name, c.name, moved, batch / 100, 0);
        }
    }
}

} // namespace

int main() {
    rms_norm();
    const Limits most{limits::peak_f32(1), limits::peak_bf16(1), limits::peak_read(1)};
    std::printf("limits of one thread: %.1f GFLOP/s f32, %.1f GFLOP/s bf16, %.1f GB/s\n",
                most.flops / 1e9, most.flops_bf16 / 1e9, most.read / 1e9);
    linear_bf16(most);
    linear(most);
    block_attention(most);
    fold_block(most);
}
