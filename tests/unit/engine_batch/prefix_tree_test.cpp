// What a prompt finds of what others computed, and what goes first when room is needed.
#include "catch.h"
#include "prefix_tree.h"
#include "random_model.h"

#include <numeric>

using namespace assay;
using namespace assay::engine;

namespace {

std::vector<TokenKey> keys(std::size_t count, TokenKey first = 0) {
    std::vector<TokenKey> out(count);
    std::iota(out.begin(), out.end(), first);
    return out;
}

float& first_value(const PageCache& cache, int page) {
    return *static_cast<float*>(cache.values(page, 0, 0));
}

struct Rig {
    explicit Rig(std::uint64_t pages)
        : cache(config, pages * PageCache::bytes_of_page(config)) {}

    // As if the tokens had been computed: the pages are marked with the number given.
    Sequence computed(const std::vector<TokenKey>& of, float mark) {
        Sequence sequence(cache);
        REQUIRE(sequence.reserve(static_cast<std::int64_t>(of.size())));
        sequence.advance(static_cast<std::int64_t>(of.size()));
        for (int page : sequence.pages()) first_value(cache, page) = mark;
        return sequence;
    }

    void insert(const std::vector<TokenKey>& of, float mark) {
        Sequence sequence = computed(of, mark);
        tree.insert(sequence, of);
    }

    TextConfig config = engine::test::small_config(); // pages of 8 tokens
    PageCache cache;
    PrefixTree tree{cache};
};

} // namespace

TEST_CASE("a prompt finds whole pages, and a copy of the page where it leaves them") {
    Rig rig(20);
    rig.insert(keys(24), 7);
    CHECK(rig.tree.pages() == 3);

    std::vector<TokenKey> prompt = keys(30);
    prompt[19] = 1000;
    Sequence sequence(rig.cache);
    CHECK(rig.tree.adopt(sequence, prompt, 29) == 19);
    REQUIRE(sequence.pages().size() == 3);
    CHECK(rig.cache.references(sequence.pages()[0]) == 2);
    CHECK(rig.cache.references(sequence.pages()[2]) == 1); // its own
    CHECK(first_value(rig.cache, sequence.pages()[2]) == 7);
    CHECK(rig.tree.adopt(sequence, prompt, 29) == 0); // not at the end of a page
}

TEST_CASE("the last token of a prompt is never taken from the tree") {
    Rig rig(20);
    rig.insert(keys(16), 1);
    Sequence sequence(rig.cache);
    CHECK(rig.tree.adopt(sequence, keys(16), 15) == 15);
    CHECK(rig.cache.references(sequence.pages()[1]) == 1);
}

TEST_CASE("a page that is not full gives way to the same page with more tokens") {
    Rig rig(20);
    rig.insert(keys(11), 1);
    CHECK(rig.tree.pages() == 2);
    rig.insert(keys(14), 2);
    CHECK(rig.tree.pages() == 2);
    Sequence sequence(rig.cache);
    CHECK(rig.tree.adopt(sequence, keys(30), 29) == 14);
    rig.insert(keys(9), 3); // says less
    CHECK(rig.tree.pages() == 2);
}

TEST_CASE("ends of paths that were not used for longest go first, those in use never") {
    Rig rig(20);
    std::vector<TokenKey> other = keys(16);
    other[12] = 500;
    rig.insert(keys(16), 1);
    rig.insert(other, 2);
    CHECK(rig.tree.evictable() == 3);

    Sequence sequence(rig.cache);
    CHECK(rig.tree.adopt(sequence, keys(17), 16) == 16);
    CHECK(rig.tree.evictable() == 1);
    CHECK(rig.tree.in_use(keys(17)) == 2);
    CHECK(rig.tree.evict());
    CHECK_FALSE(rig.tree.evict());
    Sequence second(rig.cache);
    CHECK(rig.tree.adopt(second, other, 15) == 12); // the other page is gone, this one a copy
}

TEST_CASE("of pages that no sequence uses, the one that was not used for longest goes first") {
    Rig rig(20);
    for (TokenKey first : {0u, 100u, 200u}) rig.insert(keys(8, first), 1);
    auto known = [&](TokenKey first) {
        Sequence sequence(rig.cache);
        return rig.tree.adopt(sequence, keys(9, first), 8);
    };
    CHECK(known(0) == 8); // now the page of 100 is the oldest
    CHECK(rig.tree.evict());
    CHECK(known(100) == 0);
    CHECK(known(0) == 8);
    CHECK(rig.tree.evict());
    CHECK(known(200) == 0);
    CHECK(known(0) == 8);
}

TEST_CASE("who computed what is known gives up its own pages") {
    Rig rig(20);
    rig.insert(keys(16), 1);
    Sequence again = rig.computed(keys(19), 2);
    CHECK(rig.cache.free_pages() == 15);
    rig.tree.insert(again, keys(19));
    CHECK(rig.cache.free_pages() == 17);
    CHECK(first_value(rig.cache, again.pages()[1]) == 1);
    CHECK(first_value(rig.cache, again.pages()[2]) == 2);
}

TEST_CASE("a tree gives all pages back") {
    TextConfig config = engine::test::small_config();
    PageCache cache(config, 10 * PageCache::bytes_of_page(config));
    {
        PrefixTree tree(cache);
        Sequence sequence(cache);
        REQUIRE(sequence.reserve(20));
        sequence.advance(20);
        tree.insert(sequence, keys(20));
    }
    CHECK(cache.free_pages() == 10);
}
