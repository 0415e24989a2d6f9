#include "assay/base/fs.h"
#include "catch.h"
#include "fake_sandbox.h"
#include "terminus_keys.h"
#include "terminus_reply.h"
#include "terminus_screen.h"

#include <nlohmann/json.hpp>

using namespace assay;
using namespace assay::test;
using Json = nlohmann::json;

namespace {

void check_cases(const char* file, TerminusReply (*parse)(std::string_view)) {
    Json cases =
        Json::parse(RealFileSystem().read(Path(ASSAY_TEST_DATA) / "terminus" / file, 1u << 20));
    REQUIRE(cases.size() > 10);
    for (const Json& one : cases) {
        INFO(file << ": " << one["name"]);
        TerminusReply reply = parse(one["reply"].get<std::string>());
        std::string error = one.value("error", "");
        INFO("error: " << reply.error);
        if (error.empty())
            CHECK(reply.error.empty());
        else
            CHECK(reply.error.find(error) != std::string::npos);
        if (reply.ok()) CHECK(reply.task_complete == one.value("complete", false));
        auto warnings = one.value("warnings", std::vector<std::string>());
        CHECK(reply.warnings.size() == warnings.size());
        for (const std::string& wanted : warnings) {
            bool found = std::any_of(
                reply.warnings.begin(), reply.warnings.end(),
                [&](const std::string& w) { return w.find(wanted) != std::string::npos; });
            INFO("warning wanted: " << wanted);
            CHECK(found);
        }
        if (!one.contains("commands")) {
            CHECK(reply.commands.empty());
            continue;
        }
        REQUIRE(reply.commands.size() == one["commands"].size());
        for (std::size_t i = 0; i < reply.commands.size(); ++i) {
            CHECK(reply.commands[i].keystrokes == one["commands"][i][0].get<std::string>());
            CHECK(reply.commands[i].duration == one["commands"][i][1].get<double>());
        }
    }
}

} // namespace

TEST_CASE("terminus: JSON replies") {
    check_cases("replies_json.json", parse_terminus_json);
}

TEST_CASE("terminus: XML replies") {
    check_cases("replies_xml.json", parse_terminus_xml);
    CHECK(complete_xml_part("<response>a</response> and the cut res") == "<response>a</response>");
    CHECK(complete_xml_part("<response>a").empty());
}

TEST_CASE("terminus: a text of braces does not take for ever") {
    CHECK_FALSE(parse_terminus_json(std::string(1'000'000, '{')).ok());
    std::string deep = R"({"analysis":)" + std::string(1'000'000, '[');
    CHECK(parse_terminus_json(deep).error.find("deeply") != std::string::npos);
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += "{\"";
    CHECK_FALSE(parse_terminus_json(text).ok());
}

TEST_CASE("terminus: a name alone is a key, everything else is typed as it is") {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"C-c", "\x03"},
        {"C-d", "\x04"},
        {"c-z", "\x1a"},
        {"^C", "\x03"},
        {"C-[", "\033"},
        {"C-?", "\177"},
        {"Enter", "\r"},
        {"enter", "\r"},
        {"Escape", "\033"},
        {"Tab", "\t"},
        {"BTab", "\033[Z"},
        {"Space", " "},
        {"BSpace", "\177"},
        {"Up", "\033[A"},
        {"Left", "\033[D"},
        {"Home", "\033[H"},
        {"PageUp", "\033[5~"},
        {"NPage", "\033[6~"},
        {"DC", "\033[3~"},
        {"F1", "\033OP"},
        {"F12", "\033[24~"},
        {"C-Left", "\033[1;5D"},
        {"M-x", "\033x"},
        {"C-M-x", "\033\x18"},
        {"S-F5", "\033[15;2~"},
        {"C-PageUp", "\033[5;5~"},
        {"C-c\n", "C-c\n"},
        {"Enter\n", "Enter\n"},
        {"ls\n", "ls\n"},
        {"echo C-c", "echo C-c"},
        {"C-", "C-"},
        {"C-cc", "C-cc"},
        {"X-c", "X-c"},
        {"q", "q"},
        {"", ""},
        {"S-a", "S-a"},
        {"-", "-"},
        {"--help\n", "--help\n"},
        {"\xc3\xa9", "\xc3\xa9"},
        {"C-\xc3\xa9", "C-\xc3\xa9"},
    };
    for (const auto& [keys, bytes] : cases) {
        INFO(keys);
        CHECK(terminal_bytes(keys) == bytes);
    }
    CHECK(terminal_bytes("C-Space") == std::string(1, '\0'));
}

TEST_CASE("terminus: what is new is told from the last line of what was there") {
    CHECK(new_output("", "$ ").empty());
    CHECK(new_output("$ ", "$ ls\na b\n$ ") == "$ ls\na b\n$ ");
    CHECK(new_output("one\n$ ", "one\n$ ls\na\n$ ") == "$ ls\na\n$ ");
    CHECK(new_output("one\n$ ", "two\n$ ").empty());
    CHECK(new_output("$ ", "a\nb\n$ ").empty()); // cleared meanwhile
    CHECK(new_output("  one\n$ \n\n", "  one\n$ x") == "$ x");
}

TEST_CASE("terminus: the screen is shown where nothing new can be told, long output is cut") {
    std::string next;
    FakeTerminal terminal([&](std::string_view) { return next; });
    TerminusScreen screen;
    CHECK(screen.look(terminal) == "Current Terminal Screen:\n$ ");
    next = "ls\na\n$ ";
    terminal.send("x", Cancel());
    CHECK(screen.look(terminal) == "New Terminal Output:\n$ ls\na\n$ ");
    terminal.clear();
    CHECK(screen.look(terminal) == "Current Terminal Screen:\n");
    next = std::string(30'000, 'z') + "\xff";
    terminal.send("x", Cancel());
    screen.look(terminal);
    next = "\n" + std::string(30'000, 'y') + "end";
    terminal.send("x", Cancel());
    std::string seen = screen.look(terminal);
    CHECK(seen.size() < 10'200);
    CHECK(seen.find("bytes left out") != std::string::npos);
    CHECK(seen.substr(seen.size() - 3) == "end");
}
