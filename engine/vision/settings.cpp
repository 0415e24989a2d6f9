#include "settings.h"

#include "assay/base/json.h"
#include "checkpoint/config_reader.h"

#include <nlohmann/json.hpp>

namespace assay::engine {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kLongestFile = 1u << 20;
constexpr std::int64_t kLeastPixels = 56 * 56;
constexpr std::int64_t kMostImagePixels = 672 * 672, kMostVideoPixels = 768 * 784;
constexpr std::int64_t kMostOfAll = 1 << 26; // that a file may ask for
constexpr int kBicubic = 3;                  // Pillow's number
constexpr double kByte = 1 / 255.0;

void read_triple(const ConfigReader& reader, const Found& found, double least,
                 std::array<double, 3>& out) {
    if (!found) return;
    if (!found.value->is_array() || found.value->size() != out.size())
        reader.refuse(found.name + " is no list of three numbers",
                      "it has one for each of red, green and blue");
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = reader.number({&(*found.value)[i], found.name}, least, 1);
}

void read_pixels(const ConfigReader& reader, const Section& root, const VisionConfig& config,
                 PixelSettings& out) {
    Section size = reader.section(root, "size"); // height and width in it mean nothing
    out.limits.least = reader.whole(reader.find({{root, "min_pixels"}, {size, "shortest_edge"}}), 1,
                                    kMostOfAll, out.limits.least);
    out.limits.most = reader.whole(reader.find({{root, "max_pixels"}, {size, "longest_edge"}}),
                                   out.limits.least, kMostOfAll, out.limits.most);
    out.resize = reader.flag(reader.find({{root, "do_resize"}}), true);
    read_triple(reader, reader.find({{root, "image_mean"}}), 0, out.mean);
    read_triple(reader, reader.find({{root, "image_std"}}), 1e-3, out.deviation);
    reader.number(reader.find({{root, "rescale_factor"}}), kByte * (1 - 1e-9), kByte * (1 + 1e-9),
                  kByte);
    for (const char* step : {"do_convert_rgb", "do_normalize", "do_rescale"})
        reader.must_be(reader.find({{root, step}}), true);
    reader.must_be(reader.find({{root, "resample"}}), kBicubic);
    reader.must_be(reader.find({{root, "patch_size"}}), config.patch);
    reader.must_be(reader.find({{root, "merge_size"}}), config.merge);
    reader.must_be(reader.find({{root, "temporal_patch_size"}}), config.temporal_patch);
    Found long_side = reader.find({{root, "max_long_side_pixel"}});
    if (long_side)
        reader.refuse(long_side.name + " is set",
                      "the engine limits the area of pictures, not their longer side");
}

void read_video(const ConfigReader& reader, const Section& root, VideoSettings& out) {
    out.most_frames = reader.small(reader.find({{root, "max_frames"}}), 1, 1 << 16, 768);
    out.sample = reader.flag(reader.find({{root, "do_sample_frames"}}), false);
    out.fps = reader.number(reader.find({{root, "fps"}}), 1e-3, 1e3, 1);
}

template<class Read>
void read_file(FileSystem& files, const Path& file, const Read& read) {
    if (!files.exists(file)) return;
    ConfigReader reader(file.string());
    auto root = parse_json<Json>(files.read(file, kLongestFile));
    if (!root.is_object()) reader.refuse("no JSON object", "take the file of the release");
    read(reader, Section{&root, ""});
}

} // namespace

VisionSettings read_vision_settings(FileSystem& files, const Path& folder,
                                    const VisionConfig& config) {
    VisionSettings out;
    const int factor = config.patch * config.merge;
    out.image.limits = {kLeastPixels, kMostImagePixels, factor};
    out.video.pixels.limits = {kLeastPixels, kMostVideoPixels, factor};
    read_file(files, folder / "preprocessor_config.json",
              [&](const ConfigReader& reader, const Section& root) {
                  read_pixels(reader, root, config, out.image);
              });
    read_file(files, folder / "video_preprocessor_config.json",
              [&](const ConfigReader& reader, const Section& root) {
                  read_pixels(reader, root, config, out.video.pixels);
                  read_video(reader, root, out.video);
              });
    return out;
}

} // namespace assay::engine
