#include "assay/base/error.h"
#include "assay/engine/vision.h"

#include <fmt/format.h>

namespace assay::engine {

namespace {

constexpr std::string_view kImage = "]<]image[>[", kVideo = "]<]video[>[";
constexpr std::string_view kStart = "]<]start of image[>[", kEnd = "]<]end of image[>[";

std::string_view marker(MediaKind kind) {
    return kind == MediaKind::Image ? kImage : kVideo;
}

[[noreturn]] void refuse(const std::string& what) {
    throw Error(ErrorKind::Input, what)
        .hint(fmt::format("each picture needs one {} in the prompt and each video one {}, in the "
                          "order in which they are given; text must not contain these",
                          kImage, kVideo));
}

void append_group(std::string& out, const Media& medium, std::size_t group) {
    if (group < medium.seconds.size())
        out += fmt::format("]<]{:.1f} seconds[>[", medium.seconds[group]);
    out += kStart;
    for (std::int64_t i = 0; i < medium.group_tokens; ++i) out += marker(medium.kind);
    out += kEnd;
}

} // namespace

std::string expand_placeholders(std::string_view text, std::span<const Media> media) {
    std::string out;
    std::size_t used = 0;
    for (;;) {
        const std::size_t image = text.find(kImage), video = text.find(kVideo);
        const std::size_t at = std::min(image, video);
        out += text.substr(0, at);
        if (at == std::string_view::npos) break;
        const MediaKind kind = image < video ? MediaKind::Image : MediaKind::Video;
        if (used < media.size()) {
            if (media[used].kind != kind)
                refuse(fmt::format("place {} in the prompt is {}, what is given for it is not",
                                   used + 1, marker(kind)));
            for (int group = 0; group < media[used].grid.frames; ++group)
                append_group(out, media[used], static_cast<std::size_t>(group));
        }
        ++used;
        text.remove_prefix(at + marker(kind).size());
    }
    if (used != media.size())
        refuse(fmt::format("the prompt has {} places for pictures and videos, and {} are given",
                           used, media.size()));
    return out;
}

std::vector<MediaSpan> place_media(std::span<const TokenId> ids, std::span<const Media> media,
                                   const VisionConfig& config) {
    std::vector<MediaSpan> spans;
    std::size_t medium = 0;
    std::int64_t row = 0; // of the medium, that comes next
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const bool video = ids[i] == config.video_token;
        if (!video && ids[i] != config.image_token) continue;
        if (medium == media.size())
            refuse(fmt::format("token {} of the prompt stands for a picture or video, and no more "
                               "are given",
                               i));
        if ((media[medium].kind == MediaKind::Video) != video)
            refuse(fmt::format("token {} of the prompt stands for a {}, what is given is not", i,
                               video ? "video" : "picture"));
        const auto at = static_cast<std::int64_t>(i);
        const bool next = spans.empty() || spans.back().media != medium ||
                          spans.back().first + spans.back().count != at;
        if (next) spans.push_back({at, 0, medium, row});
        ++spans.back().count;
        if (++row == media[medium].tokens()) {
            ++medium;
            row = 0;
        }
    }
    if (medium < media.size())
        refuse(fmt::format("the prompt has {} of the {} tokens that medium {} stands for", row,
                           media[medium].tokens(), medium + 1));
    return spans;
}

} // namespace assay::engine
