#include "assay/base/error.h"
#include "assay/base/random.h"
#include "assay/net/sse.h"
#include "catch.h"

using namespace assay;

namespace {
std::vector<SseEvent> parse(std::string_view text) {
    return SseParser().feed(text);
}
std::vector<SseEvent> parse_split(std::string_view text, CounterRandom& random) {
    SseParser parser;
    std::vector<SseEvent> all;
    while (!text.empty()) {
        std::size_t n = 1 + random.below(std::min<std::size_t>(text.size(), 9));
        for (SseEvent& event : parser.feed(text.substr(0, n))) all.push_back(std::move(event));
        text.remove_prefix(n);
    }
    return all;
}
} // namespace

TEST_CASE("the examples of the standard") {
    auto one = parse("data: YHOO\ndata: +2\ndata: 10\n\n");
    REQUIRE(one.size() == 1);
    REQUIRE(one[0].event == "message");
    REQUIRE(one[0].data == "YHOO\n+2\n10");

    auto three = parse(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
                       "data:  third event\n\n");
    REQUIRE(three.size() == 3);
    REQUIRE(three[0].data == "first event");
    REQUIRE(three[0].id == "1");
    REQUIRE(three[1].data == "second event");
    REQUIRE(three[1].id.empty());
    REQUIRE(three[2].data == " third event");

    auto two = parse("data\n\ndata\ndata\n\ndata:"); // the last one is not ended
    REQUIRE(two.size() == 2);
    REQUIRE(two[0].data.empty());
    REQUIRE(two[1].data == "\n");

    REQUIRE(parse("data:test\n\ndata: test\n\n")[0].data ==
            parse("data:test\n\ndata: test\n\n")[1].data);
}

TEST_CASE("line ends of all kinds, and a byte order mark only at the start") {
    for (std::string end : {"\n", "\r", "\r\n"}) {
        std::string text = "\xEF\xBB\xBF"
                           "data: a" +
                           end + "data: b" + end + end + "data: c" + end + end;
        auto events = parse(text);
        REQUIRE(events.size() == 2);
        REQUIRE(events[0].data == "a\nb");
        REQUIRE(events[1].data == "c");
    }
    REQUIRE(parse("\n\xEF\xBB\xBF"
                  "data: x\n\n")
                .empty()); // a field of another name
}

TEST_CASE("fields that are to be ignored") {
    using namespace std::string_literals;
    auto events = parse("id: 7\ndata: x\n\nid: a\0b\nretry: 12x\nother: y\ndata: z\n\n"s);
    REQUIRE(events.size() == 2);
    REQUIRE(events[1].id == "7");
    REQUIRE_FALSE(events[1].retry);
    auto retry = parse("retry: 1500\nevent: ping\n\ndata: x\n\n");
    REQUIRE(retry.size() == 1); // no data: no event, and its type is forgotten
    REQUIRE(retry[0].event == "message");
    REQUIRE(retry[0].retry == 1500);
    REQUIRE_FALSE(parse("retry: 99999999999999999999\ndata: x\n\n")[0].retry);
    REQUIRE(parse("data: \xff\n\n")[0].data == "\xEF\xBF\xBD");
}

TEST_CASE("any split of the input gives the same events") {
    CounterRandom random("sse/split");
    const std::string_view pieces[] = {
        "data",     ":",    " ",         "\n",           "\r",
        "\r\n",     "\n\n", "event",     "id: 4",        "x",
        "é",        "\xff", "retry: 10", "\xEF\xBB\xBF", "data: long line of text",
        ": comment"};
    std::size_t events = 0;
    for (int round = 0; round < 3000; ++round) {
        std::string text;
        for (std::size_t i = random.below(30); i > 0; --i)
            text += pieces[random.below(std::size(pieces))];
        auto whole = parse(text);
        events += whole.size();
        REQUIRE(parse_split(text, random) == whole);
    }
    REQUIRE(events > 300); // the generator does make events
}

TEST_CASE("an event without end is refused at the limit") {
    SseParser line(1000), lines(1000);
    REQUIRE_THROWS_AS(line.feed("data: " + std::string(1000, 'x')), Error);
    std::string many;
    for (int i = 0; i < 300; ++i) many += "data: abcd\n";
    REQUIRE_THROWS_AS(lines.feed(many), Error);
    SseParser fine(1000); // the limit is one event's, not the stream's
    for (int i = 0; i < 100; ++i)
        REQUIRE(fine.feed("data: " + std::string(500, 'x') + "\n\n").size() == 1);
}

TEST_CASE("what is formatted parses back") {
    SseEvent event{"delta", "two\nlines", "9", 250};
    REQUIRE(parse(format_sse(event)) == std::vector<SseEvent>{event});
    REQUIRE(format_sse({"message", "x", "", {}}) == "data: x\n\n");
    SseEvent hostile{"a\ndata: injected", "x", "", {}};
    REQUIRE(parse(format_sse(hostile)).size() == 1);
    REQUIRE(parse(format_sse(hostile))[0].data == "x");
}
