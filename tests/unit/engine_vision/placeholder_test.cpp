// Places in a prompt, against the reference's prompts and ids.
#include "assay/base/error.h"
#include "fixture.h"

using namespace assay;
using namespace assay::engine;

namespace {

struct Rig {
    std::unique_ptr<Checkpoint> checkpoint = Checkpoint::open(kVl);
    std::unique_ptr<VisionModel> vision = VisionModel::create(*checkpoint, Compute::F32, 1);
    // The release's own copy is the same file.
    std::unique_ptr<const Tokenizer> tokenizer =
        Tokenizer::open(kVl.parent_path() / "tokenizer" / "slash-nfc.json");
    const VisionConfig& config = *checkpoint->config().vision;
};

Media medium(MediaKind kind, int frames, std::int64_t group_tokens) {
    Media out;
    out.kind = kind;
    out.grid = {frames, 2, static_cast<int>(2 * group_tokens)};
    out.group_tokens = group_tokens;
    return out;
}

} // namespace

TEST_CASE("prompts are expanded and become ids as the reference has them") {
    Rig rig;
    const auto all = prompts(*rig.vision);
    REQUIRE(all.size() == 4);
    for (const Prompt& prompt : all) {
        INFO(prompt.name);
        CHECK(expand_placeholders(prompt.text, prompt.media) == prompt.expanded);
        VisionPrompt encoded = rig.vision->encode(*rig.tokenizer, prompt.text, prompt.media);
        CHECK(encoded.ids == prompt.ids);
        CHECK(encoded.spans == place_media(prompt.ids, prompt.media, rig.config));
        std::vector<std::int64_t> rows(prompt.media.size(), 0);
        for (const MediaSpan& span : encoded.spans) {
            CHECK(span.row == rows.at(span.media));
            rows[span.media] += span.count;
            CHECK(prompt.ids.at(static_cast<std::size_t>(span.first) - 1) == 1029);
            CHECK(prompt.ids.at(static_cast<std::size_t>(span.first + span.count)) == 1030);
        }
        for (std::size_t i = 0; i < rows.size(); ++i) CHECK(rows[i] == prompt.media[i].tokens());
    }
}

TEST_CASE("a video stands in groups, with times where they are known") {
    std::vector<Media> media{medium(MediaKind::Video, 2, 1)};
    const std::string group = "]<]start of image[>[]<]video[>[]<]end of image[>[";
    CHECK(expand_placeholders("a]<]video[>[b", media) == "a" + group + group + "b");
    media[0].seconds = {0.25, 12.35};
    CHECK(expand_placeholders("]<]video[>[", media) ==
          "]<]0.2 seconds[>[" + group + "]<]12.3 seconds[>[" + group); // as Python rounds
}

TEST_CASE("places and media must match") {
    const std::vector<Media> one{medium(MediaKind::Image, 1, 2)};
    CHECK_THROWS_WITH(expand_placeholders("no place", one), Catch::Contains("0 places"));
    CHECK_THROWS_WITH(expand_placeholders("]<]image[>[ ]<]image[>[", one),
                      Catch::Contains("2 places for pictures and videos, and 1 are given"));
    CHECK_THROWS_WITH(expand_placeholders("]<]video[>[", one), Catch::Contains("]<]video[>["));
    CHECK(expand_placeholders("nothing", {}) == "nothing");

    Rig rig;
    const std::vector<TokenId> good = {5, 1029, 1025, 1025, 1030}, few = {5, 1029, 1025, 1030},
                               more = {1025, 1025, 1025}, other = {1026, 1026};
    CHECK(place_media(good, one, rig.config) == std::vector<MediaSpan>{{2, 2, 0, 0}});
    CHECK_THROWS_WITH(place_media(few, one, rig.config), Catch::Contains("1 of the 2 tokens"));
    CHECK_THROWS_WITH(place_media(more, one, rig.config), Catch::Contains("token 2"));
    CHECK_THROWS_WITH(place_media(other, one, rig.config), Catch::Contains("video"));
    CHECK(place_media(std::vector<TokenId>{1, 2}, {}, rig.config).empty());
    // Two pictures side by side are two spans.
    const std::vector<Media> two{one[0], one[0]};
    CHECK(place_media(std::vector<TokenId>{1025, 1025, 1025, 1025}, two, rig.config) ==
          std::vector<MediaSpan>{{0, 2, 0, 0}, {2, 2, 1, 0}});
}

TEST_CASE("a tokenizer of another model is refused") {
    Rig rig;
    auto other = Checkpoint::open(kVl);
    const_cast<VisionConfig&>(*other->config().vision).image_token = 7;
    auto vision = VisionModel::create(*other, Compute::F32, 1);
    CHECK_THROWS_WITH(vision->encode(*rig.tokenizer, "x", {}), Catch::Contains("no token 7"));
}
