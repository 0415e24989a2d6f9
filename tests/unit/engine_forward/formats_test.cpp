// A quantised checkpoint computes what the same numbers written out as floats compute.
#include "assay/engine/checkpoint.h"
#include "assay/engine/forward.h"
#include "catch.h"
#include "tiny_checkpoint.h"

using namespace assay;
using namespace assay::engine;
using Written = test::TinyCheckpoint::Format;

namespace {

std::vector<float> logits(Written format, bool expanded, unsigned seed) {
    TempFolder folder;
    test::TinyCheckpoint tiny;
    tiny.format = format;
    tiny.expanded = expanded;
    tiny.seed = seed;
    tiny.write(folder.path());
    auto checkpoint = Checkpoint::open(folder.path());
    const TextConfig& config = checkpoint->config().text;
    Forward forward(config, checkpoint->weights().text, Compute::F32, 1);
    PageCache cache(config, 20 * PageCache::bytes_of_page(config));
    Sequence sequence(cache);
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 150; ++i) ids.push_back(i * i % 1061);
    REQUIRE(sequence.reserve(150));
    Chunk chunk;
    chunk.sequence = &sequence;
    chunk.tokens = ids;
    chunk.logits = Logits::All;
    return forward.run({&chunk, 1}, Cancel());
}

float farthest(const std::vector<float>& a, const std::vector<float>& b) {
    REQUIRE(a.size() == b.size());
    float most = 0;
    for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
    return most;
}

} // namespace

TEST_CASE("logits of quantised weights are those of the weights written out") {
    for (Written format : {Written::Mxfp8, Written::Nvfp4ModelOpt, Written::Nvfp4Compressed}) {
        const std::vector<float> quantised = logits(format, false, 1);
        CHECK(farthest(quantised, logits(format, true, 1)) < 1e-4f);
        CHECK(farthest(quantised, logits(format, true, 2)) > 0.1f); // other weights are seen
    }
}
