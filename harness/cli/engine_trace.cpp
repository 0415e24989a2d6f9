// assay engine trace: what the model computes for a prompt, to be held against another engine.
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/engine/trace.h"
#include "assay/engine/vision.h"
#include "commands.h"
#include "engine_input.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>

namespace assay {

namespace {

std::optional<std::vector<std::int64_t>> rows_of(const std::string& text) {
    if (text == "all") return std::nullopt;
    std::vector<std::int64_t> rows;
    for (std::string_view word : split(text, ',')) {
        std::int64_t row = 0;
        auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), row);
        if (problem != std::errc() || end != word.data() + word.size())
            throw Error(ErrorKind::Usage, fmt::format("--rows: '{}' is no position", word))
                .hint("all, or a list such as 0,5,17");
        rows.push_back(row);
    }
    return rows;
}

// Features of pictures and of a video, and where they stand among the ids.
struct Seen {
    std::vector<std::vector<float>> features;
    std::vector<engine::GivenRows> given; // parts of them
};

Seen look(const engine::Checkpoint& checkpoint, const EngineArguments& wanted,
          const engine::TraceOptions& options, std::span<const std::int32_t> ids) {
    Seen out;
    if (wanted.images.empty() && wanted.frames.empty()) return out;
    RealFileSystem files;
    const std::uint64_t largest = engine::ImageLimits().bytes;
    auto vision = engine::VisionModel::create(checkpoint, options.compute, options.threads);
    std::vector<engine::Media> media;
    for (const std::string& file : wanted.images)
        media.push_back(vision->prepare_image(files.read(file, largest), file));
    std::vector<std::string> frames;
    for (const std::string& file : wanted.frames) frames.push_back(files.read(file, largest));
    if (!frames.empty())
        media.push_back(vision->prepare_video({{frames.begin(), frames.end()}}, "the video"));
    const auto spans = engine::place_media(ids, media, *checkpoint.config().vision);
    for (const engine::Media& medium : media)
        out.features.push_back(vision->features(medium, Cancel()));
    const auto width = static_cast<std::size_t>(checkpoint.config().text.hidden);
    for (const engine::MediaSpan& span : spans)
        out.given.push_back(
            {span.first, std::span(out.features[span.media])
                             .subspan(static_cast<std::size_t>(span.row) * width,
                                      static_cast<std::size_t>(span.count) * width)});
    return out;
}

} // namespace

int engine_trace(const Arguments& arguments) {
    const EngineArguments& engine = arguments.engine;
    engine::TraceOptions options;
    options.compute = engine.compute == "bf16" ? engine::Compute::Bf16 : engine::Compute::F32;
    options.layers = engine.layers == "all";
    options.rows = rows_of(engine.rows);
    options.greedy = engine.greedy;
    options.threads = engine_threads(engine);
    const std::vector<std::int32_t> ids = read_token_ids(engine.tokens);
    auto checkpoint = engine::Checkpoint::open(engine.checkpoint);
    const Seen seen = look(*checkpoint, engine, options, ids);
    options.given = seen.given;
    std::string file = engine::trace(*checkpoint, ids, options, Cancel());
    RealFileSystem().write(arguments.out, file, 0644);
    std::printf("%zu tokens, %zu bytes in %s\n", ids.size(), file.size(), arguments.out.c_str());
    return 0;
}

} // namespace assay
