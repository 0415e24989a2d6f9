#include "assay/base/error.h"
#include "assay/engine/cache.h"
#include "catch.h"
#include "random_model.h"

using namespace assay;
using namespace assay::engine;

namespace {
float* floats(void* place) {
    return static_cast<float*>(place);
}
char* bytes(void* place) {
    return static_cast<char*>(place);
}
} // namespace

TEST_CASE("pages are counted, shared and given back") {
    const TextConfig config = engine::test::small_config();
    PageCache cache(config, 4 * PageCache::bytes_of_page(config) + 100);
    CHECK(cache.pages() == 4);
    CHECK(cache.page_bytes() == PageCache::bytes_of_page(config));
    {
        Sequence a(cache);
        CHECK(a.reserve(17)); // three pages of 8
        CHECK(cache.free_pages() == 1);
        a.advance(17);
        CHECK(a.reserve(7)); // still fits the third
        CHECK(cache.free_pages() == 1);
        floats(cache.keys(a.pages()[2], 1, 1))[5] = 3.5f;
        Sequence b = a.branch(); // shares two, copies the third
        CHECK(cache.free_pages() == 0);
        CHECK(b.pages()[0] == a.pages()[0]);
        CHECK(b.pages()[2] != a.pages()[2]);
        CHECK(floats(cache.keys(b.pages()[2], 1, 1))[5] == 3.5f);
        floats(cache.keys(b.pages()[2], 1, 1))[5] = 4;
        CHECK(floats(cache.keys(a.pages()[2], 1, 1))[5] == 3.5f);
        CHECK_THROWS_AS(a.branch(), Error);
        CHECK_FALSE(b.reserve(100)); // and nothing is kept of it
        CHECK(b.pages().size() == 3);
        Sequence moved = std::move(b);
        CHECK(moved.length() == 17);
    }
    CHECK(cache.free_pages() == 4);
    CHECK_THROWS_WITH(PageCache(config, 10), Catch::Contains("holds no page"));
}

TEST_CASE("no two places of a page overlap") {
    const TextConfig config = engine::test::small_config();
    for (Compute compute : {Compute::F32, Compute::Bf16}) {
        PageCache cache(config, 2 * PageCache::bytes_of_page(config, compute), compute);
        const std::size_t value = compute == Compute::Bf16 ? 2 : 4;
        const auto head = static_cast<std::size_t>(config.head_dim * config.block) * value;
        std::vector<std::pair<char*, std::size_t>> places;
        for (int page = 0; page < 2; ++page)
            for (int layer = 0; layer < 4; ++layer) {
                for (int h = 0; h < config.kv_heads; ++h) {
                    places.emplace_back(bytes(cache.keys(page, layer, h)), head);
                    places.emplace_back(bytes(cache.values(page, layer, h)), head);
                }
                if (config.layers[static_cast<std::size_t>(layer)].sparse)
                    places.emplace_back(bytes(cache.index_keys(page, layer)),
                                        static_cast<std::size_t>(config.index_dim * config.block) *
                                            value);
            }
        std::sort(places.begin(), places.end());
        for (std::size_t i = 1; i < places.size(); ++i)
            CHECK(places[i - 1].first + places[i - 1].second <= places[i].first);
        CHECK(places.back().first + places.back().second - places.front().first ==
              static_cast<std::ptrdiff_t>(2 * cache.page_bytes()));
    }
}

TEST_CASE("a copy of a page is all of it") {
    const TextConfig config = engine::test::small_config();
    PageCache cache(config, 2 * PageCache::bytes_of_page(config));
    const int from = cache.take(), to = cache.take();
    char *source = bytes(cache.keys(from, 0, 0)), *copy = bytes(cache.keys(to, 0, 0));
    for (std::uint64_t i = 0; i < cache.page_bytes(); ++i)
        source[i] = static_cast<char>(i % 251 + 1);
    cache.copy(from, to);
    CHECK(std::equal(source, source + cache.page_bytes(), copy));
}

TEST_CASE("pages hold bf16 where a pass in bf16 asks, and sizes are even") {
    TextConfig config = engine::test::small_config();
    CHECK(PageCache::bytes_of_page(config, Compute::Bf16) * 2 == PageCache::bytes_of_page(config));
    CHECK(PageCache(config, 1 << 20, Compute::Bf16).bf16());
    CHECK_FALSE(PageCache(config, 1 << 20).bf16());
    config.index_dim = 23;
    CHECK_FALSE(PageCache(config, 1 << 20, Compute::Bf16).bf16());
}
