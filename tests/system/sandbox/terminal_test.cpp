#include "catch.h"
#include "support.h"

namespace assay::test {

TEST_CASE("a terminal shows what a person would see") {
    auto environment = host_environment();
    Cancel cancel;
    TerminalOptions options;
    options.size = {80, 24};
    auto terminal = environment->main().open_terminal({"bash", "--norc"}, options, cancel);
    auto type = [&](const std::string& text) {
        terminal->send(text, cancel);
        terminal->wait_quiet(std::chrono::milliseconds(300), std::chrono::seconds(20), cancel);
    };
    type("PS1='> '\n");
    type("clear; echo hello; tty; stty size; printf '\\xe6\\xbc\\xa2\\xe5\\xad\\x97x\\n'\n");
    CHECK_THAT(terminal->screen(), Catch::Contains("hello\n/dev/pts/"));
    CHECK_THAT(terminal->screen(), Catch::Contains("24 80"));
    CHECK_THAT(terminal->screen(), Catch::Contains("\xe6\xbc\xa2\xe5\xad\x97x"));

    SECTION("scrollback is kept, the alternate screen is not in it") {
        type("seq 1 100\n");
        CHECK(terminal->history().find("\n1\n2\n3\n") != std::string::npos);
        CHECK(terminal->screen().find("\n1\n2\n3\n") == std::string::npos);
        type("printf '\\033[?1049hALTERNATE'; sleep 0.5; printf '\\033[?1049l'\n");
        terminal->wait_quiet(std::chrono::milliseconds(800), std::chrono::seconds(20), cancel);
        CHECK(terminal->screen().find("100") != std::string::npos);
    }
    SECTION("a resize reaches the program") {
        terminal->resize({100, 30});
        type("stty size\n");
        CHECK_THAT(terminal->screen(), Catch::Contains("30 100"));
    }
    SECTION("Ctrl-C interrupts, Ctrl-D ends") {
        type("sleep 1000\n");
        type("\x03");
        type("echo back\n");
        CHECK_THAT(terminal->screen(), Catch::Contains("\nback"));
        CHECK(terminal->alive());
        type("\x04");
        for (int i = 0; i < 100 && terminal->alive(); i++)
            cancel.sleep_for(std::chrono::milliseconds(50));
        CHECK_FALSE(terminal->alive());
    }
    std::string recording = terminal->recording();
    CHECK(recording.starts_with("{\"version\":2,\"width\":80,\"height\":24"));
    CHECK_THAT(recording, Catch::Contains("\"i\",\"clear; echo hello"));
    CHECK_THAT(recording, Catch::Contains("\"o\","));
}

TEST_CASE("closing a terminal ends what runs on it") {
    auto environment = host_environment();
    Cancel cancel;
    {
        auto terminal = environment->main().open_terminal({"sleep", "1234"}, {}, cancel);
        CHECK(sh(environment->main(), "pgrep -f 'sleep 1234'").ok());
    }
    CHECK(sh(environment->main(),
             "for i in 1 2 3 4 5 6 7 8 9; do pgrep -x sleep || exit 0; /bin/sleep "
             "0.2; done; exit 1")
              .ok());
}

} // namespace assay::test
