#include "assay/base/error.h"
#include "assay/engine/cache.h"
#include "catch.h"
#include "random_model.h"

using namespace assay;
using namespace assay::engine;

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
        cache.keys(a.pages()[2], 1, 1)[5] = 3.5f;
        Sequence b = a.branch(); // shares two, copies the third
        CHECK(cache.free_pages() == 0);
        CHECK(b.pages()[0] == a.pages()[0]);
        CHECK(b.pages()[2] != a.pages()[2]);
        CHECK(cache.keys(b.pages()[2], 1, 1)[5] == 3.5f);
        cache.keys(b.pages()[2], 1, 1)[5] = 4;
        CHECK(cache.keys(a.pages()[2], 1, 1)[5] == 3.5f);
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
    PageCache cache(config, 2 * PageCache::bytes_of_page(config));
    const auto head = static_cast<std::size_t>(config.head_dim * config.block);
    std::vector<std::pair<float*, std::size_t>> places;
    for (int page = 0; page < 2; ++page)
        for (int layer = 0; layer < 4; ++layer) {
            for (int h = 0; h < config.kv_heads; ++h) {
                places.emplace_back(cache.keys(page, layer, h), head);
                places.emplace_back(cache.values(page, layer, h), head);
            }
            if (config.layers[static_cast<std::size_t>(layer)].sparse)
                places.emplace_back(cache.index_keys(page, layer),
                                    static_cast<std::size_t>(config.index_dim * config.block));
        }
    std::sort(places.begin(), places.end());
    for (std::size_t i = 1; i < places.size(); ++i)
        CHECK(places[i - 1].first + places[i - 1].second <= places[i].first);
    CHECK((places.back().first + places.back().second - places.front().first) * 4 ==
          static_cast<std::ptrdiff_t>(2 * cache.page_bytes()));
}
