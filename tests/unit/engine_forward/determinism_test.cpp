// The same tokens give the same bits, however they are cut, whatever else is in the batch, with any
// number of threads, and after a fork.
#include "assay/engine/forward.h"
#include "catch.h"
#include "random_model.h"

#include <rapidcheck.h>

#include <cstring>

using namespace assay;
using namespace assay::engine;

namespace {

using Ids = std::vector<std::int32_t>;

struct Rig {
    explicit Rig(Compute compute, int threads = 1,
                 const TextConfig& shape = engine::test::small_config())
        : config(shape)
        , forward(config, model.weights, compute, threads)
        , cache(config, 400 * PageCache::bytes_of_page(config), compute) {}

    std::vector<float> append(Sequence& sequence, const Ids& ids, std::size_t begin,
                              std::size_t end) {
        sequence.reserve(static_cast<std::int64_t>(end - begin));
        Chunk chunk{&sequence, {ids.data() + begin, end - begin}, Logits::All};
        return forward.run({&chunk, 1}, cancel);
    }
    std::vector<float> whole(const Ids& ids) {
        Sequence sequence(cache);
        return append(sequence, ids, 0, ids.size());
    }
    std::vector<float> last(const Ids& ids, std::size_t count) { // the logits of so many tokens
        const std::vector<float> all = whole(ids);
        return {all.end() - static_cast<std::ptrdiff_t>(count) * config.vocab, all.end()};
    }
    std::vector<float> in_pieces(const Ids& ids, const std::vector<std::size_t>& sizes) {
        Sequence sequence(cache);
        std::vector<float> out;
        std::size_t at = 0;
        for (std::size_t i = 0; at < ids.size(); ++i) {
            std::size_t size = i < sizes.size() ? sizes[i] : 1;
            size = std::min(size, ids.size() - at);
            std::vector<float> part = append(sequence, ids, at, at + size);
            out.insert(out.end(), part.begin(), part.end());
            at += size;
        }
        return out;
    }

    TextConfig config;
    engine::test::RandomModel model{config};
    Forward forward;
    PageCache cache;
    Cancel cancel;
};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

rc::Gen<Ids> some_ids() {
    return rc::gen::resize(90, rc::gen::nonEmpty(rc::gen::container<Ids>(rc::gen::inRange(0, 97))));
}

} // namespace

TEST_CASE("prefill is decode is any chunking, bit for bit") {
    for (Compute compute : {Compute::F32, Compute::Bf16}) {
        Rig rig(compute);
        CHECK(rc::check("chunks", [&] {
            const Ids ids = *some_ids();
            const auto sizes =
                *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 40));
            const std::vector<float> want = rig.whole(ids);
            RC_ASSERT(same_bits(rig.in_pieces(ids, sizes), want));
            RC_ASSERT(same_bits(rig.in_pieces(ids, {}), want)); // one by one
        }));
        CHECK(rig.cache.free_pages() == rig.cache.pages()); // and every page came back
    }
}

// Heads, rotation, blocks and index heads of the checkpoints that we hold against the reference.
TEST_CASE("prefill is decode at the shapes of the release and of two others") {
    TextConfig release = engine::test::small_config(), wide = release, local = release;
    release.head_dim = release.index_dim = 128;
    release.rotary_dim = 64;
    release.block = 128;
    release.top_blocks = 2; // so that a prompt of 420 tokens drops blocks
    release.layers = {{true, true}, {true, false}};
    wide.head_dim = wide.index_dim = 32;
    wide.rotary_dim = 16;
    wide.top_blocks = 4;
    wide.init_blocks = 1;
    local.block = 16;
    local.top_blocks = 4;
    local.local_blocks = 2;
    local.experts_per_token = 3;
    for (const auto& [shape, length] :
         {std::pair{release, 420}, std::pair{wide, 90}, std::pair{local, 130}})
        for (Compute compute : {Compute::F32, Compute::Bf16}) {
            Rig one(compute, 1, shape), two(compute, 2, shape);
            Ids ids;
            for (int i = 0; i < length; ++i) ids.push_back((i * 31 + i * i / 7) % 97);
            const std::vector<float> want = one.whole(ids);
            CHECK(same_bits(two.in_pieces(ids, {100, 1, 27, 129, 3}), want));
            CHECK(same_bits(two.in_pieces(ids, {}), want));
        }
}

TEST_CASE("alone is in any batch, with any number of threads") {
    Rig rig(Compute::F32), two(Compute::F32, 2), three(Compute::Bf16, 3), one(Compute::Bf16);
    CHECK(rc::check("batch", [&] {
        const Ids a = *some_ids(), b = *some_ids(), c = *some_ids();
        Sequence of_a(two.cache), of_b(two.cache), of_c(two.cache);
        for (auto& [sequence, ids] : {std::pair{&of_a, &a}, std::pair{&of_b, &b}, {&of_c, &c}})
            sequence->reserve(static_cast<std::int64_t>(ids->size()));
        const Chunk chunks[] = {
            {&of_a, a, Logits::All}, {&of_b, b, Logits::Last}, {&of_c, c, Logits::All}};
        std::vector<float> got = two.forward.run(chunks, two.cancel), want = rig.whole(a);
        std::vector<float> last = rig.whole(b), end = rig.whole(c);
        want.insert(want.end(), last.end() - rig.config.vocab, last.end());
        want.insert(want.end(), end.begin(), end.end());
        RC_ASSERT(same_bits(got, want));
        RC_ASSERT(same_bits(three.whole(a), one.whole(a)));
    }));
}

TEST_CASE("a fork goes on as the original would, and does not touch it") {
    Rig rig(Compute::F32);
    CHECK(rc::check("fork", [&] {
        const Ids ids = *some_ids(), other = *some_ids(), more = *some_ids();
        Sequence first(rig.cache);
        rig.append(first, ids, 0, ids.size());
        Sequence second = first.branch();
        rig.append(second, other, 0, other.size());
        const std::vector<float> of_first = rig.append(first, more, 0, more.size());
        const std::vector<float> of_second = rig.append(second, more, 0, more.size());
        Ids all = ids;
        all.insert(all.end(), more.begin(), more.end());
        RC_ASSERT(same_bits(of_first, rig.last(all, more.size())));
        all.insert(all.begin() + std::ssize(ids), other.begin(), other.end());
        RC_ASSERT(same_bits(of_second, rig.last(all, more.size())));
    }));
    CHECK(rig.cache.free_pages() == rig.cache.pages());
}

TEST_CASE("the property fails on a planted mistake: another token before") {
    Rig rig(Compute::F32);
    Ids ids(30, 5);
    std::vector<float> want = rig.whole(ids);
    ids[2] = 6; // far enough back to be seen through dense layers only
    std::vector<float> got = rig.whole(ids);
    CHECK_FALSE(same_bits({got.end() - rig.config.vocab, got.end()},
                          {want.end() - rig.config.vocab, want.end()}));
    CHECK(same_bits({got.begin(), got.begin() + 2 * rig.config.vocab},
                    {want.begin(), want.begin() + 2 * rig.config.vocab})); // causal
}

TEST_CASE("a cancelled pass leaves its sequence as it was") {
    Rig rig(Compute::F32);
    Sequence sequence(rig.cache);
    const Ids ids = {1, 2, 3};
    rig.append(sequence, ids, 0, 3);
    Cancel stopped;
    stopped.cancel(Cause::User, "test");
    sequence.reserve(3);
    Chunk chunk{&sequence, ids, Logits::Last};
    CHECK_THROWS_AS(rig.forward.run({&chunk, 1}, stopped), Interrupted);
    CHECK(sequence.length() == 3);
    const Ids both = {1, 2, 3, 1, 2, 3};
    const std::vector<float> got = rig.append(sequence, ids, 0, 3), want = rig.whole(both);
    CHECK(same_bits(got, {want.end() - static_cast<std::ptrdiff_t>(got.size()), want.end()}));
}

TEST_CASE("rows that are computed together read weights and blocks once") {
    const Ids ids(64, 3);
    for (Compute compute : {Compute::F32, Compute::Bf16}) {
        Rig together(compute, 2), alone(compute, 2);
        together.whole(ids);
        alone.in_pieces(ids, {}); // one by one
        const ForwardWork a = together.forward.work(), b = alone.forward.work();
        CHECK(a.weight_bytes * 20 < b.weight_bytes);
        CHECK(a.blocks * 5 < b.blocks);
        CHECK(b.weight_bytes < a.weight_bytes * 64 + 1); // no more than as many passes
        // One group of 64 rows: eight blocks, of two heads, in each of four layers, at most.
        CHECK(a.blocks <= 8u * 2 * 4);
    }
}

TEST_CASE("a pass in bf16 takes pages of floats, and one in float no pages of bf16") {
    Rig rig(Compute::Bf16), wide(Compute::F32);
    const Ids ids = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    Sequence sequence(wide.cache), narrow(rig.cache);
    const std::vector<float> got = rig.append(sequence, ids, 0, ids.size());
    CHECK_FALSE(same_bits(got, wide.whole(ids)));
    Sequence again(wide.cache);
    CHECK(same_bits(got, rig.append(again, ids, 0, ids.size())));
    CHECK_THROWS_WITH(wide.append(narrow, ids, 0, ids.size()), Catch::Contains("cache of bf16"));
}

TEST_CASE("a token outside the vocabulary is refused") {
    Rig rig(Compute::F32);
    CHECK_THROWS_WITH(rig.whole({97}), Catch::Contains("token 97"));
    CHECK_THROWS_WITH(rig.whole({-1}), Catch::Contains("token -1"));
}

TEST_CASE("more tokens than the context or the sequence's pages hold are refused") {
    Rig rig(Compute::F32);
    Sequence sequence(rig.cache);
    const Ids ids(9, 1);
    sequence.reserve(8);
    Chunk chunk{&sequence, ids, Logits::None};
    CHECK_THROWS_WITH(rig.forward.run({&chunk, 1}, rig.cancel), Catch::Contains("no room"));
    rig.config.max_positions = 8;
    sequence.reserve(9);
    CHECK_THROWS_WITH(rig.forward.run({&chunk, 1}, rig.cancel), Catch::Contains("context of 8"));
    rig.config.max_positions = 9;
    CHECK_NOTHROW(rig.forward.run({&chunk, 1}, rig.cancel));
}

TEST_CASE("blocks and heads that the kernels cannot hold are refused") {
    TextConfig config = engine::test::small_config();
    engine::test::RandomModel model(config);
    config.block = 1025;
    CHECK_THROWS_WITH(Forward(config, model.weights, Compute::F32, 1), Catch::Contains("1025"));
    config.block = 8;
    config.head_dim = 513;
    CHECK_THROWS_WITH(Forward(config, model.weights, Compute::F32, 1), Catch::Contains("513"));
}
