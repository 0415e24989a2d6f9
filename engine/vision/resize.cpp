#include "resize.h"

#include "codecs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace assay::engine {

namespace {

constexpr double kMostAspect = 200;
constexpr double kSupport = 2; // of the cubic, in pixels of the smaller picture
constexpr int kMostBits = 22;  // of a weight behind the point
constexpr int kWeightEnd = 1 << 15;

double cubic(double x) {
    constexpr double a = -0.5;
    x = std::abs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

// The pixels that one pixel of the result is made of.
struct Taps {
    int first = 0;
    std::vector<double> exact;
    std::vector<int> weights; // with `bits` behind the point
};

struct Filter {
    std::vector<Taps> taps; // of each pixel of the result
    int bits = 0;

    std::uint8_t to_byte(int sum) const {
        return static_cast<std::uint8_t>(std::clamp(sum >> bits, 0, 255));
    }
    int half() const { return 1 << (bits - 1); }
};

Taps taps_of(int at, double scale, int from) {
    const double stretch = std::max(scale, 1.0); // antialiasing: as wide as a pixel of the result
    const double reach = kSupport * stretch, shrink = 1 / stretch;
    const double centre = scale * (at + 0.5);
    const int end = std::min(from, static_cast<int>(std::floor(centre + reach + 0.5)));
    Taps out;
    out.first = std::max(0, static_cast<int>(std::floor(centre - reach + 0.5)));
    double sum = 0;
    for (int j = out.first; j < end; ++j) {
        out.exact.push_back(cubic((j - centre + 0.5) * shrink));
        sum += out.exact.back();
    }
    for (double& weight : out.exact) weight /= sum;
    return out;
}

// Weights get as many bits as let the largest fit 16: so has PyTorch, whose pixels differ here and
// there by a level from those of Pillow's 22 bits.
Filter filter(int from, int to) {
    Filter out;
    double largest = 0;
    for (int i = 0; i < to; ++i) {
        out.taps.push_back(taps_of(i, static_cast<double>(from) / to, from));
        for (double weight : out.taps.back().exact) largest = std::max(largest, weight);
    }
    while (out.bits < kMostBits &&
           static_cast<int>(std::floor(0.5 + largest * (1 << (out.bits + 1)))) < kWeightEnd)
        ++out.bits;
    for (Taps& one : out.taps)
        for (double weight : one.exact)
            one.weights.push_back(static_cast<int>(std::round(weight * (1 << out.bits))));
    return out;
}

Image resize_rows(const Image& image, int width) {
    const Filter across = filter(image.size.width, width);
    Image out{{width, image.size.height}, {}};
    out.rgb.reserve(static_cast<std::size_t>(width) * static_cast<std::size_t>(image.size.height) *
                    3);
    const std::size_t stride = static_cast<std::size_t>(image.size.width) * 3;
    for (std::size_t y = 0; y < static_cast<std::size_t>(image.size.height); ++y)
        for (const Taps& one : across.taps) {
            const std::uint8_t* in =
                image.rgb.data() + y * stride + static_cast<std::size_t>(one.first) * 3;
            int red = across.half(), green = red, blue = red;
            for (int weight : one.weights) {
                red += weight * in[0];
                green += weight * in[1];
                blue += weight * in[2];
                in += 3;
            }
            for (int sum : {red, green, blue}) out.rgb.push_back(across.to_byte(sum));
        }
    return out;
}

Image resize_columns(const Image& image, int height) {
    const std::size_t stride = static_cast<std::size_t>(image.size.width) * 3;
    Image out{{image.size.width, height}, {}};
    out.rgb.reserve(stride * static_cast<std::size_t>(height));
    std::vector<int> sums(stride);
    const Filter down = filter(image.size.height, height);
    for (const Taps& one : down.taps) {
        std::fill(sums.begin(), sums.end(), down.half());
        const std::uint8_t* in = image.rgb.data() + static_cast<std::size_t>(one.first) * stride;
        for (int weight : one.weights) {
            for (std::size_t x = 0; x < stride; ++x) sums[x] += weight * in[x];
            in += stride;
        }
        for (int sum : sums) out.rgb.push_back(down.to_byte(sum));
    }
    return out;
}

} // namespace

ImageSize target_size(ImageSize size, const SizeLimits& limits, const std::string& name) {
    const double h = size.height, w = size.width, f = limits.factor;
    const auto least = static_cast<double>(limits.least), most = static_cast<double>(limits.most);
    if (std::max(h, w) / std::min(h, w) > kMostAspect)
        refuse_image(name, fmt::format("{} x {} pixels", size.width, size.height),
                     fmt::format("one side may have {} times the pixels of the other, not more",
                                 kMostAspect));
    // A side below half of a multiple counts as 0 here: then the area is brought up to the least,
    // or down to it.
    double height = std::nearbyint(h / f) * f;
    double width = std::nearbyint(w / f) * f;
    if (height * width > most) {
        const double shrink = std::sqrt(h * w / most);
        height = std::max(f, std::floor(h / shrink / f) * f);
        width = std::max(f, std::floor(w / shrink / f) * f);
    } else if (height * width < least) {
        const double grow = std::sqrt(least / (h * w));
        height = std::ceil(h * grow / f) * f;
        width = std::ceil(w * grow / f) * f;
    }
    return {static_cast<int>(width), static_cast<int>(height)};
}

Image resize(Image image, ImageSize size) {
    if (size.width != image.size.width) image = resize_rows(image, size.width);
    if (size.height != image.size.height) image = resize_columns(image, size.height);
    return image;
}

} // namespace assay::engine
