// The tower against a slow one in double that is written from the specification, and its
// determinism.
#include "encode.h"
#include "fixture.h"
#include "vision/tower.h"

#include <cmath>
#include <thread>

using namespace assay;
using namespace assay::engine;

namespace {

using Row = std::vector<double>;
using Rows = std::vector<Row>;

Row product(const Matrix& matrix, const Vector* bias, const Row& x) {
    std::vector<float> w(static_cast<std::size_t>(matrix.rows * matrix.columns));
    dequantise(matrix, 0, matrix.rows, w.data());
    Row out(static_cast<std::size_t>(matrix.rows));
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (bias != nullptr) out[i] = (*bias)[i];
        for (std::size_t j = 0; j < x.size(); ++j) out[i] += w[i * x.size() + j] * x[j];
    }
    return out;
}

Row product(const Affine& affine, const Row& x) {
    return product(affine.weight, &affine.bias, x);
}

Row norm(const LayerNormWeights& weights, double epsilon, const Row& x) {
    double mean = 0, variance = 0;
    for (double value : x) mean += value / static_cast<double>(x.size());
    for (double value : x)
        variance += (value - mean) * (value - mean) / static_cast<double>(x.size());
    Row out;
    for (std::size_t i = 0; i < x.size(); ++i)
        out.push_back((x[i] - mean) / std::sqrt(variance + epsilon) * weights.weight[i] +
                      weights.bias[i]);
    return out;
}

Row two_layers(const Affine& first, const Affine& second, const Row& x) {
    Row inner = product(first, x);
    for (double& value : inner) value *= 0.5 * (1 + std::erf(value / std::sqrt(2.0)));
    return product(second, inner);
}

void turn(const VisionConfig& c, std::array<int, 3> position, Row& heads) {
    const int dim = c.hidden / c.heads, axis = dim / 3 / 2; // frequencies of an axis
    for (int h = 0; h < c.heads; ++h)
        for (int j = 0; j < 3 * axis; ++j) {
            const double angle = position[static_cast<std::size_t>(j / axis)] *
                                 std::pow(c.rope_theta, -2.0 * (j % axis) / (2 * axis));
            double& a = heads[static_cast<std::size_t>(h * dim + j)];
            double& b = heads[static_cast<std::size_t>(h * dim + j + 3 * axis)];
            const double x = a, y = b;
            a = x * std::cos(angle) - y * std::sin(angle);
            b = y * std::cos(angle) + x * std::sin(angle);
        }
}

Row attend(const VisionConfig& c, const Row& q, const Rows& keys, const Rows& values) {
    const auto dim = static_cast<std::size_t>(c.hidden / c.heads);
    Row out(q.size());
    for (std::size_t h = 0; h < q.size(); h += dim) {
        double sum = 0;
        for (std::size_t r = 0; r < keys.size(); ++r) {
            double score = 0;
            for (std::size_t d = h; d < h + dim; ++d) score += q[d] * keys[r][d];
            const double p = std::exp(score / std::sqrt(static_cast<double>(dim)));
            sum += p;
            for (std::size_t d = h; d < h + dim; ++d) out[d] += p * values[r][d];
        }
        for (std::size_t d = h; d < h + dim; ++d) out[d] /= sum;
    }
    return out;
}

// Of one segment: patches in the order of the tower.
Rows slow_tower(const VisionConfig& c, const VisionWeights& w, const PatchGrid& grid,
                const std::vector<float>& patches) {
    Rows rows;
    std::vector<std::array<int, 3>> places;
    for (int t = 0; t < grid.frames; ++t)
        for (int y = 0; y < grid.rows; y += c.merge)
            for (int x = 0; x < grid.columns; x += c.merge)
                for (int i = 0; i < c.merge * c.merge; ++i)
                    places.push_back({t, y + i / c.merge, x + i % c.merge});
    const std::size_t width = patches.size() / places.size();
    for (std::size_t r = 0; r < places.size(); ++r)
        rows.push_back(
            norm(w.pre_norm, c.norm_epsilon,
                 product(w.patch, nullptr,
                         Row(patches.begin() + static_cast<std::ptrdiff_t>(r * width),
                             patches.begin() + static_cast<std::ptrdiff_t>((r + 1) * width)))));
    for (const VisionLayerWeights& layer : w.layers) {
        Rows q, k, v;
        for (std::size_t r = 0; r < rows.size(); ++r) {
            const Row x = norm(layer.norm1, c.norm_epsilon, rows[r]);
            q.push_back(product(layer.q, x));
            k.push_back(product(layer.k, x));
            v.push_back(product(layer.v, x));
            turn(c, places[r], q.back());
            turn(c, places[r], k.back());
        }
        for (std::size_t r = 0; r < rows.size(); ++r) {
            const Row mixed = product(layer.out, attend(c, q[r], k, v));
            for (std::size_t i = 0; i < mixed.size(); ++i) rows[r][i] += mixed[i];
            const Row mlp =
                two_layers(layer.fc1, layer.fc2, norm(layer.norm2, c.norm_epsilon, rows[r]));
            for (std::size_t i = 0; i < mlp.size(); ++i) rows[r][i] += mlp[i];
        }
    }
    return rows;
}

struct Rig {
    explicit Rig(Compute compute = Compute::F32, int threads = 1)
        : vision(VisionModel::create(*checkpoint, compute, threads)) {}
    std::vector<float> features(const Media& media) { return vision->features(media, Cancel()); }

    std::unique_ptr<Checkpoint> checkpoint = Checkpoint::open(kVl);
    std::unique_ptr<VisionModel> vision;
};

// Frames that are not alike: 14 x 22 patches, over one block of keys.
Media clip(const VisionModel& vision, int frames) {
    std::vector<std::string> files;
    for (int i = 0; i < frames; ++i) {
        Image image = checkered(308, 196);
        for (std::size_t j = static_cast<std::size_t>(i); j < image.rgb.size(); j += 11)
            image.rgb[j] = static_cast<std::uint8_t>(j * 5);
        files.push_back(png_of(image));
    }
    return vision.prepare_video({{files.begin(), files.end()}}, "clip");
}

} // namespace

TEST_CASE("the tower agrees with a slow one over several blocks of keys") {
    Rig rig;
    const Media media = clip(*rig.vision, 4);
    REQUIRE(media.grid == PatchGrid{2, 14, 22});
    VisionTrace trace;
    rig.vision->features(media, Cancel(), &trace);
    const Rows want = slow_tower(*rig.checkpoint->config().vision,
                                 *rig.checkpoint->weights().vision, media.grid, trace.patches);
    REQUIRE(want.size() * want[0].size() == trace.tower.size());
    double worst = 0;
    std::size_t at = 0;
    for (const Row& row : want)
        for (double value : row)
            worst = std::max(worst, std::abs(value - static_cast<double>(trace.tower[at++])));
    CHECK(worst < 5e-5);
}

TEST_CASE("the same bits with any number of threads, alone or after others") {
    for (Compute compute : {Compute::F32, Compute::Bf16}) {
        Rig one(compute, 1), many(compute, 3);
        const Media video = clip(*one.vision, 3);
        const Media image = one.vision->prepare_image(png_of(checkered(300, 140)), "x");
        const std::vector<float> alone = one.features(video);
        many.features(image);
        CHECK(many.features(video) == alone);
        CHECK(many.features(image) == one.features(image));
    }
}

TEST_CASE("callers on several threads get what each gets alone") {
    Rig rig(Compute::F32, 2);
    const Media a = rig.vision->prepare_image(png_of(checkered(84, 140)), "x");
    const Media b = clip(*rig.vision, 1);
    const std::vector<float> alone_a = rig.features(a), alone_b = rig.features(b);
    std::vector<float> got_a, got_b;
    std::thread other([&] { got_a = rig.features(a); });
    got_b = rig.features(b);
    other.join();
    CHECK(got_a == alone_a);
    CHECK(got_b == alone_b);
}

TEST_CASE("segments of a video do not see one another, and a frame in one sees the others") {
    Rig rig;
    Media long_clip = clip(*rig.vision, 10);
    REQUIRE(long_clip.grid.frames == 5); // 4 + 1
    const std::vector<float> before = rig.features(long_clip);
    long_clip.frames[9].rgb[0] ^= 128; // in the last segment
    const std::vector<float> after = rig.features(long_clip);
    const auto segment = static_cast<std::ptrdiff_t>(before.size() / 5 * 4);
    CHECK(std::equal(before.begin(), before.begin() + segment, after.begin()));
    CHECK_FALSE(std::equal(before.begin() + segment, before.end(), after.begin() + segment));
    long_clip.frames[7].rgb[0] ^= 128; // in the first one's last group
    const std::vector<float> more = rig.features(long_clip);
    const auto group = static_cast<std::ptrdiff_t>(before.size() / 5);
    CHECK_FALSE(std::equal(more.begin(), more.begin() + group, after.begin()));
}

TEST_CASE("a cancelled call ends") {
    Rig rig;
    Cancel cancel;
    cancel.cancel(Cause::User);
    CHECK_THROWS_AS(rig.vision->features(clip(*rig.vision, 1), cancel), Interrupted);
}

TEST_CASE("the error function") {
    double worst = 0;
    for (int i = -60000; i <= 60000; ++i) {
        const float x = static_cast<float>(i) * 1e-4f;
        worst = std::max(worst, std::abs(std::erf(static_cast<double>(x)) - error_function(x)));
    }
    CHECK(worst < 5e-7);
    CHECK(error_function(50) == 1);
    CHECK(error_function(-50) == -1);
    CHECK(std::isnan(error_function(std::nanf(""))));
}
