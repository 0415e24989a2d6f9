// Sizes and pixels against those of the reference.
#include "assay/base/error.h"
#include "fixture.h"
#include "vision/resize.h"

using namespace assay;
using namespace assay::engine;

namespace {

constexpr SizeLimits kPicture = {56 * 56, 672 * 672, 28}, kFrame = {56 * 56, 768 * 784, 28};

ImageSize pair_of(const nlohmann::json& json) { // [height, width]
    return {json.at(1).get<int>(), json.at(0).get<int>()};
}

int worst(const std::uint8_t* a, const std::uint8_t* b, std::size_t count) {
    int most = 0;
    for (std::size_t i = 0; i < count; ++i) most = std::max(most, std::abs(int{a[i]} - int{b[i]}));
    return most;
}

} // namespace

TEST_CASE("target sizes are those of the reference") {
    const auto cases = nlohmann::json::parse(read_file(kVl / "resize.json"));
    CHECK(cases["sizes"].size() == 164);
    for (const auto& one : cases["sizes"]) {
        const ImageSize size = {one["width"].get<int>(), one["height"].get<int>()};
        INFO(size.height << " x " << size.width);
        CHECK(target_size(size, kPicture, "x") == pair_of(one["image"]));
        CHECK(target_size(size, kFrame, "x") == pair_of(one["video_frame"]));
    }
    for (const auto& one : cases["rejected"])
        CHECK_THROWS_WITH(target_size(pair_of(one), kPicture, "a.png"),
                          Catch::StartsWith("a.png: "));
}

TEST_CASE("pixels are within a level of the reference's") {
    for (int i : {1, 2, 3}) {
        INFO(i);
        const std::string name = "resize" + std::to_string(i);
        const Image want = decode_image(read_file(kVl / (name + "_out.png")), "out");
        Image in = decode_image(read_file(kVl / (name + "_in.png")), "in");
        CHECK(target_size(in.size, kPicture, "x") == want.size);
        const Image got = resize(in, want.size);
        REQUIRE(got.rgb.size() == want.rgb.size());
        CHECK(worst(got.rgb.data(), want.rgb.data(), want.rgb.size()) <= 1);
        // A planted mistake: pictures that are a pixel apart.
        in.rgb.insert(in.rgb.begin(), in.rgb.end() - 3, in.rgb.end());
        in.rgb.resize(in.rgb.size() - 3);
        const Image other = resize(in, want.size);
        CHECK(worst(other.rgb.data(), want.rgb.data(), want.rgb.size()) > 1);
    }
}

TEST_CASE("a photograph: every 28th row of the reference's result") {
    const Image want = decode_image(read_file(kVl / "resize0_rows.png"), "out");
    const Image got = resize(decode_image(read_file(kVl / "resize0_in.png"), "in"), {756, 588});
    const std::size_t row = std::size_t{756} * 3;
    REQUIRE(want.size == ImageSize{756, 21});
    for (std::size_t y = 0; y < 21; ++y)
        CHECK(worst(got.rgb.data() + y * 28 * row, want.rgb.data() + y * row, row) <= 1);
}

TEST_CASE("a picture of one colour keeps it, whatever its size") {
    for (ImageSize size : {ImageSize{1, 1}, ImageSize{3, 500}, ImageSize{777, 5}}) {
        Image in{size, std::vector<std::uint8_t>(static_cast<std::size_t>(size.width) *
                                                     static_cast<std::size_t>(size.height) * 3,
                                                 201)};
        const Image out = resize(in, {56, 84});
        CHECK(out.size == ImageSize{56, 84});
        CHECK(out.rgb == std::vector<std::uint8_t>(56 * 84 * 3, 201));
    }
}
