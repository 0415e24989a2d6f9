// Patches, tower, features, and the text model behind them, against what transformers makes of the
// same checkpoint, pictures and video.
#include "assay/engine/trace.h"
#include "assay/kernels/bf16.h"
#include "fixture.h"

#include <cstdio>
#include <cstdlib>

using namespace assay;
using namespace assay::engine;

namespace {

struct Seen {
    VisionTrace vision;
    std::vector<float> features;
    std::vector<std::vector<float>> rows; // of each medium
};

Seen look(VisionModel& vision, const Prompt& prompt) {
    Seen out;
    for (const Media& medium : prompt.media) {
        out.rows.push_back(vision.features(medium, Cancel(), &out.vision));
        out.features.insert(out.features.end(), out.rows.back().begin(), out.rows.back().end());
    }
    return out;
}

std::string traced(const Checkpoint& checkpoint, const Tensors& want, const Prompt& prompt,
                   const Seen& seen, Compute compute = Compute::F32) {
    TraceOptions options;
    options.compute = compute;
    auto rows = want.get<std::int32_t>(prompt.name + "/rows");
    options.rows = std::vector<std::int64_t>(rows.begin(), rows.end());
    options.threads = 2;
    options.chunk = 10; // changes nothing, and cuts pictures
    const auto width = static_cast<std::size_t>(checkpoint.config().text.hidden);
    for (const MediaSpan& span : place_media(prompt.ids, prompt.media, *checkpoint.config().vision))
        options.given.push_back(
            {span.first, std::span(seen.rows[span.media])
                             .subspan(static_cast<std::size_t>(span.row) * width,
                                      static_cast<std::size_t>(span.count) * width)});
    return trace(checkpoint, prompt.ids, options, Cancel());
}

void report(const std::string& what, float worst) { // figures for docs/engine.md
    if (std::getenv("ASSAY_SHOW_ERRORS") != nullptr) std::printf("%s %.3g\n", what.c_str(), worst);
}

float vision_error(const Tensors& want, const Prompt& prompt, const Seen& seen,
                   const VisionConfig& config) {
    const std::string at = prompt.name + "/";
    float worst = worst_difference(want.get<float>(at + "features"), seen.features);
    report(at + "features", worst);
    float tower =
        worst_difference(want.get<float>(at + "tower"),
                         want.rows_of(seen.vision.tower, static_cast<std::size_t>(config.hidden),
                                      at + "tower_rows"));
    report(at + "tower", tower);
    worst = std::max(worst, tower);
    if (!want.by_name.contains(at + "patches")) return worst;
    float patches = worst_difference(want.get<float>(at + "patches"),
                                     want.rows_of(seen.vision.patches, 1176, at + "patch_rows"));
    report(at + "patches", patches);
    return std::max(worst, patches);
}

float text_error(const Tensors& want, const Tensors& got, const std::string& name) {
    float worst = 0;
    for (const char* tensor :
         {"hidden", "final_norm", "logits", "router_weights", "prompt_logprobs"}) {
        float one = worst_difference(want.get<float>(name + "/" + tensor), got.get<float>(tensor));
        report(name + "/" + tensor, one);
        worst = std::max(worst, one);
    }
    float scores =
        worst_difference(want.get<float>(name + "/block_scores"), got.get<float>("block_scores"));
    report(name + "/block_scores", scores);
    return std::max(worst, scores / 5); // their bound is 5e-4
}

// Greedy ids agree as long as the two best are apart.
bool same_greedy(const Tensors& want, const Tensors& got, const std::string& name) {
    auto a = want.get<std::int32_t>(name + "/greedy_ids"), b = got.get<std::int32_t>("greedy_ids");
    auto margin = want.get<float>(name + "/greedy_margin");
    std::size_t i = 0;
    for (; i < a.size() && margin[i] > 1e-3f; ++i)
        if (a[i] != b[i]) return false;
    report(name + "/greedy ids compared", static_cast<float>(i));
    return i > 8;
}

} // namespace

TEST_CASE("pictures and videos: patches, tower and features agree with the reference") {
    Tensors want(read_file(kVl / "expected.safetensors"));
    auto checkpoint = Checkpoint::open(kVl);
    auto vision = VisionModel::create(*checkpoint, Compute::F32, 2);
    for (const Prompt& prompt : prompts(*vision)) {
        INFO(prompt.name);
        CHECK(vision_error(want, prompt, look(*vision, prompt), *checkpoint->config().vision) <
              1e-4f);
    }
}

TEST_CASE("prompts with pictures and videos: layers, logits and what is chosen agree") {
    Tensors want(read_file(kVl / "expected.safetensors"));
    auto checkpoint = Checkpoint::open(kVl);
    auto vision = VisionModel::create(*checkpoint, Compute::F32, 2);
    for (const Prompt& prompt : prompts(*vision)) {
        INFO(prompt.name);
        Tensors got(traced(*checkpoint, want, prompt, look(*vision, prompt)));
        CHECK(text_error(want, got, prompt.name) < 1e-4f);
        CHECK(want.get<std::int16_t>(prompt.name + "/blocks") == got.get<std::int16_t>("blocks"));
        CHECK(want.get<std::int16_t>(prompt.name + "/router_ids") ==
              got.get<std::int16_t>("router_ids"));
        CHECK(same_greedy(want, got, prompt.name));
    }
}

TEST_CASE("planted mistakes are seen") {
    Tensors want(read_file(kVl / "expected.safetensors"));
    auto checkpoint = Checkpoint::open(kVl);
    auto vision = VisionModel::create(*checkpoint, Compute::F32, 2);
    const VisionConfig& config = *checkpoint->config().vision;
    std::vector<Prompt> all = prompts(*vision);
    Prompt& images = all.at(1);
    REQUIRE(images.name == "images");

    SECTION("red and blue are exchanged") {
        for (Media& medium : images.media)
            for (Image& frame : medium.frames)
                for (std::size_t i = 0; i < frame.rgb.size(); i += 3)
                    std::swap(frame.rgb[i], frame.rgb[i + 2]);
        CHECK(vision_error(want, images, look(*vision, images), config) > 1e-2f);
    }
    SECTION("one pixel is another by 8 levels") {
        images.media[0].frames[0].rgb[500] ^= 8;
        CHECK(vision_error(want, images, look(*vision, images), config) > 1e-4f);
    }
    SECTION("a picture that lies on its side") {
        std::swap(images.media[1].grid.rows, images.media[1].grid.columns);
        CHECK_THROWS_WITH(look(*vision, images), Catch::Contains("grid"));
        ImageSize& size = images.media[1].frames[0].size;
        std::swap(size.width, size.height);
        CHECK(vision_error(want, images, look(*vision, images), config) > 1e-2f);
    }
    SECTION("pictures in another order") {
        Seen seen = look(*vision, images);
        std::swap(seen.rows[0], seen.rows[1]);
        seen.rows[0].resize(seen.rows[1].size());
        seen.rows[1].resize(static_cast<std::size_t>(images.media[1].tokens()) *
                            static_cast<std::size_t>(checkpoint->config().text.hidden));
        Tensors got(traced(*checkpoint, want, images, seen));
        CHECK(text_error(want, got, images.name) > 1e-2f);
    }
    SECTION("a video that is not cut into segments") {
        Prompt& video = all.at(2);
        REQUIRE(video.name == "video");
        auto other = Checkpoint::open(kVl);
        const_cast<VisionConfig&>(*other->config().vision).segment_frames = 8;
        auto whole = VisionModel::create(*other, Compute::F32, 2);
        CHECK(vision_error(want, video, look(*whole, video), config) > 1e-2f);
    }
}

namespace {

std::vector<float> widened(const std::vector<std::uint16_t>& values) {
    std::vector<float> out;
    for (std::uint16_t value : values) out.push_back(kernels::from_bf16(value));
    return out;
}

// The largest difference of inputs of layer 0 in rows that stand for pictures.
float given_error(const std::vector<float>& exact, const std::vector<float>& rounded,
                  const std::vector<std::int32_t>& rows, const Prompt& prompt,
                  const VisionConfig& config, std::size_t width) {
    float worst = 0;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        std::int32_t id = prompt.ids[static_cast<std::size_t>(rows[r])];
        if (id != config.image_token && id != config.video_token) continue;
        for (std::size_t i = r * width; i < (r + 1) * width; ++i)
            worst = std::max(worst, std::abs(exact[i] - rounded[i]));
    }
    return worst;
}

double mean_divergence(const std::vector<float>& exact, const std::vector<float>& rounded,
                       std::size_t vocab) {
    double sum = 0;
    const std::size_t rows = exact.size() / vocab;
    auto log_sum = [&](const float* logits) {
        double total = 0;
        for (std::size_t i = 0; i < vocab; ++i) total += std::exp(double{logits[i]});
        return std::log(total);
    };
    for (std::size_t r = 0; r < rows; ++r) {
        const float *p = exact.data() + r * vocab, *q = rounded.data() + r * vocab;
        const double p_sum = log_sum(p), q_sum = log_sum(q);
        for (std::size_t i = 0; i < vocab; ++i)
            sum += std::exp(p[i] - p_sum) * (p[i] - p_sum - q[i] + q_sum);
    }
    return sum / static_cast<double>(rows);
}

} // namespace

TEST_CASE("bf16 features are as far from float32 as the reference's own") {
    Tensors want(read_file(kVl / "expected.safetensors"));
    Tensors rounded(read_file(kVl / "expected_bf16.safetensors"));
    auto checkpoint = Checkpoint::open(kVl);
    auto vision = VisionModel::create(*checkpoint, Compute::Bf16, 2);
    const auto width = static_cast<std::size_t>(checkpoint->config().text.hidden);
    const auto vocab = static_cast<std::size_t>(checkpoint->config().text.vocab);
    for (const Prompt& prompt : prompts(*vision)) {
        INFO(prompt.name);
        Tensors got(traced(*checkpoint, want, prompt, look(*vision, prompt), Compute::Bf16));
        auto error = [&](const std::vector<float>& hidden) {
            return given_error(want.get<float>(prompt.name + "/hidden"), hidden,
                               want.get<std::int32_t>(prompt.name + "/rows"), prompt,
                               *checkpoint->config().vision, width);
        };
        const float ours = error(got.get<float>("hidden"));
        const float theirs = error(widened(rounded.get<std::uint16_t>(prompt.name + "/hidden")));
        report(prompt.name + "/features in bf16, ours", ours);
        report(prompt.name + "/features in bf16, theirs", theirs);
        CHECK(ours < 2 * theirs);
        CHECK(ours > 1e-4f); // it is another computation
        if (!rounded.by_name.contains(prompt.name + "/logits")) continue;
        auto divergence = [&](const std::vector<float>& logits) {
            return static_cast<float>(
                mean_divergence(want.get<float>(prompt.name + "/logits"), logits, vocab));
        };
        report(prompt.name + "/mean KL, ours", divergence(got.get<float>("logits")));
        report(prompt.name + "/mean KL, theirs",
               divergence(widened(rounded.get<std::uint16_t>(prompt.name + "/logits"))));
    }
}
