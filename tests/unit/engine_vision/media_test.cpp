// What is known of pictures and videos before the tower runs, and what is refused.
#include "assay/base/error.h"
#include "encode.h"
#include "fixture.h"
#include "vision/settings.h"

using namespace assay;
using namespace assay::engine;
using Catch::Contains;

namespace {

struct Rig {
    std::unique_ptr<Checkpoint> checkpoint = Checkpoint::open(kVl);
    std::unique_ptr<VisionModel> vision = VisionModel::create(*checkpoint, Compute::F32, 1);

    Media image(const std::string& file) const { return vision->prepare_image(file, "a.png"); }
    Media video(const std::vector<std::string>& files, double fps = 0,
                std::vector<std::int64_t> indices = {}) const {
        return vision->prepare_video({{files.begin(), files.end()}, fps, std::move(indices)},
                                     "clip");
    }
};

// The checkpoint with other preprocessor files: JSON that is merged into the ones it has.
struct Changed {
    explicit Changed(const std::string& name, const nlohmann::json& change) {
        for (const auto& entry : std::filesystem::directory_iterator(kVl))
            if (entry.path().filename() != name)
                std::filesystem::create_symlink(entry.path(),
                                                folder.path() / entry.path().filename());
        auto json = nlohmann::json::parse(read_file(kVl / name));
        json.merge_patch(change);
        RealFileSystem().write(folder.path() / name, json.dump());
        checkpoint = Checkpoint::open(folder.path());
    }
    std::unique_ptr<VisionModel> open() const {
        return VisionModel::create(*checkpoint, Compute::F32, 1);
    }

    TempFolder folder;
    std::unique_ptr<Checkpoint> checkpoint;
};

constexpr const char *kImageFile = "preprocessor_config.json",
                     *kVideoFile = "video_preprocessor_config.json";

} // namespace

TEST_CASE("grid, tokens and digest of a picture") {
    Rig rig;
    const Image picture = checkered(100, 60);
    const Media media = rig.image(png_of(picture));
    CHECK(media.kind == MediaKind::Image);
    CHECK(media.grid == PatchGrid{1, 4, 8});
    CHECK(media.tokens() == 8);
    CHECK(media.frames.size() == 1);
    CHECK(media.digest == rig.image(webp_of(picture)).digest); // the same pixels
    Image other = picture;
    other.rgb[1000] ^= 64;
    CHECK(media.digest != rig.image(png_of(other)).digest);
    CHECK(media.digest != rig.video({png_of(picture)}).digest);
}

TEST_CASE("the pixels alone do not make a digest: so does the shape") {
    Rig rig;
    const Media wide = rig.image(png_of(checkered(112, 56)));
    CHECK(wide.digest !=
          rig.image(png_of({{56, 112}, checkered(112, 56).rgb})).digest); // the same bytes
}

TEST_CASE("a video has groups of frames, the last may be short") {
    Rig rig;
    std::vector<std::string> files;
    for (int i = 0; i < 5; ++i) files.push_back(png_of(checkered(56, 84)));
    const Media media = rig.video(files, 25, {0, 10, 20, 30, 40});
    CHECK(media.grid == PatchGrid{3, 6, 4});
    CHECK(media.group_tokens == 6);
    CHECK(media.tokens() == 18);
    CHECK(media.seconds == std::vector<double>{0, 0.8, 1.6});
    CHECK(rig.video(files).seconds.empty());
    // As if the last frame had been given twice.
    files.push_back(files.back());
    const Media even = rig.video(files);
    VisionTrace a, b;
    CHECK(rig.vision->features(media, Cancel(), &a) == rig.vision->features(even, Cancel(), &b));
    CHECK(a.patches == b.patches);
}

TEST_CASE("videos that cannot be") {
    Rig rig;
    const std::string frame = png_of(checkered(56, 56)), wide = png_of(checkered(84, 56));
    CHECK_THROWS_WITH(rig.video({}), Contains("without frames"));
    CHECK_THROWS_WITH(rig.video({frame, wide}), Contains("clip, frame 1: 84 x 56 pixels"));
    CHECK_THROWS_WITH(rig.video({frame, "xyz"}), Contains("clip, frame 1: neither PNG"));
    CHECK_THROWS_WITH(rig.video({frame, frame}, 1, {3}), Contains("2 frames and 1 indices"));
    CHECK_THROWS_WITH(rig.video({frame, frame}, 1, {3, 3}), Contains("index 3"));
    CHECK_THROWS_WITH(rig.video({frame}, 1, {-1}), Contains("index -1"));
    CHECK_THROWS_WITH(rig.video({frame}, -1), Contains("frames a second"));
    CHECK_THROWS_WITH(rig.video({frame}, std::nan("")), Contains("frames a second"));
    CHECK_THROWS_WITH(rig.video(std::vector<std::string>(769, frame)), Contains("769 frames"));
    CHECK_THROWS_WITH(rig.video({std::string("\0\0\0\x18"
                                             "ftypisom",
                                             12)}),
                      Contains("MP4 is not read"));
    CHECK_THROWS_WITH(rig.image(png_of(checkered(2001, 10))), Contains("2001 x 10 pixels"));
}

TEST_CASE("preprocessor files decide limits, means, sampling") {
    const std::string picture = png_of(checkered(560, 560));
    Changed small(kImageFile, {{"size", {{"longest_edge", 28 * 28 * 9}}}});
    CHECK(small.open()->prepare_image(picture, "x").tokens() == 9);

    Changed fixed(kImageFile, {{"do_resize", false}});
    CHECK(fixed.open()->prepare_image(picture, "x").tokens() == 400);
    CHECK_THROWS_WITH(fixed.open()->prepare_image(png_of(checkered(57, 56)), "x"),
                      Contains("57 x 56 pixels"));
    CHECK_THROWS_WITH(fixed.open()->prepare_image(png_of(checkered(1120, 560)), "x"),
                      Contains("1120 x 560 pixels"));

    Changed means(kImageFile, {{"image_mean", {0, 0, 0}}, {"image_std", {1, 1, 1}}});
    auto vision = means.open();
    VisionTrace trace;
    const Image one = checkered(56, 56);
    vision->features(vision->prepare_image(png_of(one), "x"), Cancel(), &trace);
    CHECK(trace.patches.at(1) == one.rgb[3] / 255.0f);

    Changed sampled(kVideoFile, {{"do_sample_frames", true}, {"fps", 2.0}});
    const std::vector<std::string> files(8, png_of(one));
    const Media media = sampled.open()->prepare_video({{files.begin(), files.end()}, 4}, "x");
    CHECK(media.frames.size() == 4); // 0, 2, 4 and 6
    CHECK(media.seconds == std::vector<double>{0, 1});
}

TEST_CASE("preprocessor files that ask for something else are refused by name") {
    const std::pair<const char*, nlohmann::json> cases[] = {
        {"max_long_side_pixel", 1000}, {"resample", 2},       {"do_normalize", false},
        {"rescale_factor", 1.0},       {"patch_size", 16},    {"image_mean", {1, 2}},
        {"image_std", {0, 0, 0}},      {"size", 5},           {"min_pixels", 4000},
        {"temporal_patch_size", 1},    {"do_resize", "true"}, {"do_rescale", false},
    };
    for (const auto& [key, value] : cases) {
        INFO(key);
        Changed changed(kImageFile, {{key, value}});
        CHECK_THROWS_WITH(changed.open(), Contains(key) && Contains(kImageFile));
    }
    Changed frames(kVideoFile, {{"max_frames", 0}});
    CHECK_THROWS_WITH(frames.open(), Contains("max_frames"));
}

TEST_CASE("without the files MiniMax-M3's limits hold") {
    TempFolder folder;
    RealFileSystem files;
    const VisionSettings settings =
        read_vision_settings(files, folder.path(), *Checkpoint::open(kVl)->config().vision);
    CHECK(settings.image.limits.least == 3136);
    CHECK(settings.image.limits.most == 451584);
    CHECK(settings.image.limits.factor == 28);
    CHECK(settings.video.pixels.limits.most == 602112);
    CHECK(settings.video.most_frames == 768);
    CHECK_FALSE(settings.video.sample);
}

TEST_CASE("a text model has no vision") {
    auto checkpoint = Checkpoint::open(kVl);
    const_cast<ModelConfig&>(checkpoint->config()).vision.reset();
    CHECK_THROWS_WITH(VisionModel::create(*checkpoint, Compute::F32, 1),
                      Contains("no vision tower"));
}
