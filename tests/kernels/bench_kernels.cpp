// Times the marked cases of every variant: GB/s, and the share of a plain copy of the same bytes
// in the same memory. Prints ratios, asserts nothing.
#include "assay/kernels/device.h"
#include "assay/kernels/rms_norm.h"
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
    for (int i = 0; i < 25; ++i) {
        auto began = std::chrono::steady_clock::now();
        call();
        std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        if (i >= 5) times.push_back(took.count());
    }
    std::nth_element(times.begin(), times.begin() + 10, times.end());
    return times[10];
}

void report(const char* variant, const char* name, double bytes, double seconds, double copy) {
    std::printf("rms_norm/%-10s %-8s %10.1f us %8.1f GB/s", variant, name, seconds * 1e6,
                bytes / seconds / 1e9);
    if (copy > 0) std::printf("  %.2f of a copy", copy / seconds);
    std::printf("\n");
}

} // namespace

int main() {
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
