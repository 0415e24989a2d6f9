#include "assay/base/text.h"
#include "catch.h"
#include "terminal/recorder.h"
#include "terminal/screen.h"

namespace assay {

TEST_CASE("text, colours and cursor movement") {
    Screen screen({20, 3}, 10);
    screen.feed("\x1b[31mred\x1b[0m\r\n  two\x1b[1;10Hx");
    CHECK(screen.text() == "red      x\n  two\n");
}

TEST_CASE("lines that scroll off go to the history, bounded") {
    Screen screen({20, 3}, 2);
    for (int i = 0; i < 7; i++) screen.feed(std::to_string(i) + "\r\n");
    CHECK(screen.text() == "5\n6\n");
    CHECK(screen.history() == "3\n4\n5\n6\n");
}

TEST_CASE("wide and combining characters take the columns they should") {
    Screen screen({10, 2}, 10);
    screen.feed("\xe6\xbc\xa2\xe5\xad\x97|e\xcc\x81|");
    CHECK(screen.text() == "\xe6\xbc\xa2\xe5\xad\x97|e\xcc\x81|\n");
    screen.feed("\x1b[1;5Hz"); // after two wide characters
    CHECK(screen.text() == "\xe6\xbc\xa2\xe5\xad\x97ze\xcc\x81|\n");
}

TEST_CASE("the alternate screen leaves the main one as it was") {
    Screen screen({10, 2}, 10);
    screen.feed("main\x1b[?1049h\x1b[2J\x1b[Hother");
    CHECK(screen.text() == "other\n");
    screen.feed("\x1b[?1049l");
    CHECK(screen.text() == "main\n");
}

TEST_CASE("titles and other control strings are taken out, wherever they are cut") {
    std::string bytes = "a\x1b]0;title\a"
                        "b\x1bP1$r0m\x1b\\"
                        "c\x1b_x\x1b[1;31md\x1b]no end\x18"
                        "e";
    for (std::size_t step = 1; step < bytes.size(); step++) {
        Screen screen({20, 2}, 10);
        for (std::size_t at = 0; at < bytes.size(); at += step)
            screen.feed(std::string_view(bytes).substr(at, step));
        INFO(step);
        CHECK(screen.text() == "abcde\n");
    }
}

TEST_CASE("a repeated character is repeated, and none before it is no endless loop") {
    Screen screen({20, 2}, 10);
    screen.feed("\x1b[b\x1b[\x1b[b");
    screen.feed("x\x1b[3b|\xc3\xa9\x1b[b|\x1b[99999999b");
    CHECK_THAT(screen.history(), Catch::Contains("xxxx|\xc3\xa9\xc3\xa9|"));
    screen.feed("\x1b[2J\x1b[H\x1b[" + std::string(200, ':') + "mok\x1b[1;99999999999Hy");
    CHECK(screen.text() == "oky\n");
}

TEST_CASE("a query is answered") {
    Screen screen({10, 2}, 10);
    screen.feed("ab\x1b[6n");
    CHECK(screen.take_answers() == "\x1b[1;3R");
    CHECK(screen.take_answers().empty());
}

TEST_CASE("a recording keeps a character that was cut by a read whole") {
    Recorder recorder({80, 24});
    recorder.output("\xe6\xbc");
    recorder.output("\xa2!\x1b[0m\xff");
    recorder.input("q\"");
    std::string text = recorder.text();
    CHECK(utf8_valid(text));
    CHECK_THAT(text, Catch::Contains("\xe6\xbc\xa2!\\u001b[0m"));
    CHECK_THAT(text, Catch::Contains("\"i\",\"q\\\"\""));
    auto lines = split_lines(text);
    CHECK(lines.size() == 3);
    CHECK(lines[0].starts_with("{\"version\":2,\"width\":80,\"height\":24,"));
}

} // namespace assay
