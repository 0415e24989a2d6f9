// Usage, help, the manual page, lists and the config file.
#include "assay/base/text.h"
#include "binary.h"

#include <elf.h>

#include <cstdio>
#include <regex>
#include <set>

using namespace assay;
using namespace assay::test;

TEST_CASE("wrong usage is exit code 64 and says what to do") {
    Binary assay;
    struct Case {
        std::vector<std::string> arguments;
        const char* says;
    };
    for (const Case& one : {
             Case{{}, "subcommand"},
             Case{{"run"}, "no suite"},
             Case{{"run", "nonsense", "--agent", "noop"}, "no suite 'nonsense'"},
             Case{{"run", "example", "--agent", "nobody"}, "no agent 'nobody'"},
             Case{{"run", "example", "--agent", "tools"}, "needs a model"},
             Case{{"run", "example", "--agent", "tools", "--model", "x:y", "--out", "r.db"}, "x"},
             Case{{"run", "example", "--agent", "tools", "--model", "openai:m@localhost:8000/v1",
                   "--out", "r.db"},
                  "write openai:m@http://localhost:8000/v1"},
             Case{{"run", "example", "--agent", "noop"}, "--out"},
             Case{{"run", "example", "--agent", "noop", "--nonsense"}, "nonsense"},
             Case{{"run", "example", "--agent", "noop", "--attempts", "0"}, "attempts"},
             Case{{"run", "example", "--agent", "noop", "--agent-set", "oops", "--out", "r.db"},
                  "KEY=VALUE"},
             Case{{"run", "kernel_bench", "--agent", "noop", "--set", "seconds_per_case=nan",
                   "--out", "r.db"},
                  "seconds_per_case=nan"},
             Case{{"run", "example", "--agent", "noop", "--task", "none*", "--out", "r.db"},
                  "no task is left"},
             Case{{"run", "example", "--agent", "noop", "--sandbox", "cloud", "--out", "r.db"},
                  "no sandbox 'cloud'"},
             Case{{"run", "example", "--agent", "noop", "--shard", "3/2", "--dry-run"},
                  "must be 1 to 2"},
             Case{{"run", "example", "--agent", "noop", "--shard", "0/2", "--dry-run"},
                  "must be 1 to 2"},
             Case{{"run", "example", "--agent", "noop", "--shard", "2", "--dry-run"}, "I/N"},
             Case{{"run", "example", "--agent", "noop", "--shard", "3/2", "--out", "r.db"},
                  "must be 1 to 2"},
             Case{{"run", "example", "--agent", "noop", "--set", "foo=1", "--out", "r.db"},
                  "suite example has no setting 'foo'"},
             Case{{"run", "mcp_atlas", "--agent", "noop", "--judge", "null", "--set", "foo=1",
                   "--out", "r.db"},
                  "judge_tries"},
             Case{{"run", "kernel_bench", "--agent", "noop", "--set", "fast=1", "--out", "r.db"},
                  "seconds_per_case"},
             Case{{"run", "example", "--agent", "noop", "--out"}, "--out needs a value"},
             Case{{"run", "example", "--agnt=noop"}, "assay run has no option --agnt\n"},
             Case{{"run", "example", "other"}, "'other'"},
             Case{{"list"}, "WHAT|RUN.db is required"},
             Case{{"show"}, "RUN.db is required"},
             Case{{"report", "-o", "x"}, "RUN.db is required"},
             Case{{"merge", "--out", "x"}, "PART.db is required"},
             Case{{"show", "r", "t", "x"}, "ATTEMPT: Value x not in range 1"},
             Case{{"run", "example", "--seed", "x"}, "--seed: Value x not in range 0"},
             Case{{"shell", "t", "--suite", "nope"}, "this build has: terminal_bench"},
             Case{{"shell", "t", "--set", "foo=1"}, "suite example has no setting 'foo'"},
             Case{{"bench", "sandbox", "--sandbox", "null"}, "runs nothing"},
             Case{{"run", "example", "--agent", "noop", "--base", "nothere", "--out", "r.db"},
                  "unknown base 'nothere'"},
             Case{
                 {"run", "terminal_bench", "--agent", "noop", "--base", "nothere", "--out", "r.db"},
                 "unknown base 'nothere'"},
             Case{{"run", "example", "--agent", "noop", "--base", "tar:absent", "--out", "r.db"},
                  "absent"},
             Case{{"show", "absent.db"}, "absent.db"},
             Case{{"help", "nothing"}, "no command 'nothing'"},
             Case{{"engine"}, "subcommand"},
             Case{{"engine", "nothing"}, "assay engine has no command 'nothing'"},
             Case{{"engine", "inspect"}, "CHECKPOINT is required"},
             Case{{"engine", "inspect", "x", "--no"}, "assay engine inspect has no option --no\n"},
             Case{{"engine", "inspect", "x", "--config", "y"}, "has no option --config\n"},
             Case{{"engine", "inspect", "nowhere"}, "nowhere/config.json"},
             Case{{"list", "nothing"}, "nothing"},
         }) {
        CommandResult result = assay(one.arguments);
        INFO((one.arguments.empty() ? "" : one.arguments.back()) << "\n" << result.err);
        CHECK(result.exit.code == 64);
        CHECK(result.err.starts_with("assay: error: "));
        CHECK_THAT(result.err, Catch::Contains(one.says));
        CHECK_FALSE(assay.exists("r.db"));
    }
}

TEST_CASE("a named file that cannot be read or made is wrong usage, and leaves nothing") {
    Binary assay;
    assay.write("file", "");
    const std::vector<std::string> run = {"run",    "example",   "--agent",
                                          "oracle", "--sandbox", "null"};
    auto with = [&](std::vector<std::string> more) {
        std::vector<std::string> words = run;
        words.insert(words.end(), more.begin(), more.end());
        return words;
    };
    REQUIRE(assay(with({"--out", "good.db"})).exit.code == 0);
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             with({"--out", "absent/r.db"}),
             with({"--out", "file/r.db"}),
             with({"--out", "r.db", "--config", "absent.toml"}),
             with({"--out", "r.db", "--prices", "absent.json"}),
             with({"--out", "r.db", "--image-map", "absent.txt"}),
             with({"--out", "r.db", "--tasks", "absent"}),
             {"run", "--plan", "absent.json", "--out", "r.db"},
             {"run", "example", "--agent", "tools", "--model", "script:absent.json", "--out",
              "r.db"},
             {"plan", "example", "--agent", "oracle", "--out", "absent/plan.json"},
             {"resume", "good.db", "--prices", "absent.json"},
             {"merge", "good.db", "--out", "absent/r.db"},
             {"report", "good.db", "-o", "absent/r.html"},
             {"export", "good.db", "--format", "csv", "-o", "absent/r.csv"},
             {"export", "good.db", "--format", "harbor", "-o", "file/job"},
         }) {
        CommandResult result = assay(words);
        INFO(words.at(0) << " " << words.back() << "\n" << result.err);
        CHECK(result.exit.code == 64);
        CHECK_THAT(result.err, Catch::Contains("absent") || Catch::Contains("file/"));
        CHECK_FALSE(assay.exists("r.db"));
        CHECK_FALSE(assay.exists("r.db-lock"));
    }
}

TEST_CASE("a store that fails while trials run is exit code 1, and a resume goes on") {
    Binary shell("/bin/sh");
    shell.write_sums(200);
    const std::string run =
        std::string(ASSAY_BINARY) + " run example --tasks sums.txt --sandbox null --agent oracle";
    CommandResult result =
        shell({"-c", "trap '' XFSZ; ulimit -f 2000; exec " + run + " --out r.db"});
    INFO(result.out << result.err);
    CHECK(result.exit.code == 1);
    CHECK_THAT(result.err, Catch::Contains("assay: error: write r.db"));
    CommandResult rest = shell({"-c", std::string(ASSAY_BINARY) + " resume r.db"});
    INFO(rest.err);
    CHECK(rest.exit.code == 0);
}

TEST_CASE("a limit on cost is refused for a served model without a price") {
    Binary assay;
    assay.write("prices.json", R"({"other": {"input": 1, "output": 1}})");
    assay.write("known.json", R"({"m": {"input": 1, "output": 1}})");
    auto run = [&](std::vector<std::string> more) {
        std::vector<std::string> words = {"run",  "example", "--agent", "tools", "--sandbox",
                                          "null", "--task",  "sum-1-1", "--out", "r.db"};
        words.insert(words.end(), more.begin(), more.end());
        return assay(words);
    };
    const std::string served = "openai:m@http://127.0.0.1:1/v1"; // nobody listens
    for (const std::vector<std::string>& limit : std::vector<std::vector<std::string>>{
             {"--model", served, "--max-cost", "1"},
             {"--model", served, "--max-attempt-cost", "1"},
             {"--model", "null", "--judge", served, "--max-cost", "1"},
             {"--model", served, "--max-cost", "1", "--prices", "prices.json"},
         }) {
        CommandResult result = run(limit);
        INFO(result.err);
        CHECK(result.exit.code == 64);
        CHECK_THAT(result.err, Catch::Contains("no price for the model m") &&
                                   Catch::Contains("--prices FILE") &&
                                   Catch::Contains(R"({"m": {"input")"));
        CHECK_FALSE(assay.exists("r.db"));
    }
    CHECK(run({"--model", "null", "--max-cost", "1"}).exit.code == 0); // costs nothing
    assay.write_model(0);
    CHECK(assay({"run", "example", "--agent", "tools", "--sandbox", "null", "--model",
                 "script:model.json", "--max-attempt-cost", "1", "--out", "script.db"})
              .exit.code == 0);
    CommandResult priced = assay({"plan", "example", "--agent", "tools", "--sandbox", "null",
                                  "--model", served, "--max-cost", "1", "--out", "plan.json"});
    CHECK(priced.exit.code == 0);
    CHECK(assay({"run", "--plan", "plan.json", "--out", "p.db"}).exit.code == 64);
    CHECK_FALSE(assay.exists("p.db"));
    // A shard with nothing to do starts with a price, and with no limit.
    for (const std::vector<std::string>& more :
         std::vector<std::vector<std::string>>{{"--shard", "99/99", "--prices", "known.json"},
                                               {"--shard", "99/99", "--max-cost", "none"}}) {
        std::vector<std::string> words = {"run", "--plan", "plan.json", "--out", "p.db"};
        words.insert(words.end(), more.begin(), more.end());
        CommandResult result = assay(words);
        INFO(result.err);
        CHECK(result.exit.code == 0);
        RealFileSystem().remove_all(assay.folder() / "p.db");
    }
}

TEST_CASE("output that cannot be written is exit code 1, not silence") {
    Binary shell("/bin/sh");
    const std::string assay = ASSAY_BINARY;
    REQUIRE(
        shell({"-c", assay + " run example --agent oracle --sandbox null --out r.db"}).exit.code ==
        0);
    for (const char* words : {"show r.db", "show r.db --json", "list suites", "--help"}) {
        CommandResult result = shell({"-c", assay + " " + words + " > /dev/full"});
        INFO(words);
        CHECK(result.exit.code == 1);
        CHECK_THAT(result.err,
                   Catch::Contains("assay: error: ") && Catch::Contains("standard output"));
    }
    // A reader that has seen enough is no fault.
    CommandResult head =
        shell({"-c", "(sleep 0.3; " + assay + " show r.db; echo code $? >&2) | true"});
    CHECK(head.err == "code 0\n");
}

TEST_CASE("a broken tasks file names file and line") {
    Binary assay;
    assay.write("sums.txt", "1+1\nnot a sum\n");
    CommandResult result =
        assay({"run", "example", "--tasks", "sums.txt", "--agent", "noop", "--out", "r.db"});
    CHECK(result.exit.code == 64);
    CHECK_THAT(result.err, Catch::Contains("sums.txt:2"));
}

TEST_CASE("every command has help with the exit codes, and all options are in the manual page") {
    Binary assay;
    std::string man = assay({"help", "--man"}).out;
    CHECK(man == RealFileSystem().read(std::string(ASSAY_SOURCE_DIR) + "/docs/assay.1"));
    std::string plain = std::regex_replace(man, std::regex(R"(\\-)"), "-");
    std::set<std::string> seen;
    for (std::string command : {"run", "plan", "resume", "merge", "list", "show", "report",
                                "export", "shell", "doctor", "bench", "engine inspect"}) {
        std::vector<std::string> words;
        for (std::string_view word : split(command, ' ')) words.emplace_back(word);
        words.emplace_back("--help");
        CommandResult help = assay(words);
        INFO(command);
        CHECK(help.exit.code == 0);
        CHECK_FALSE(std::regex_search(help.out, std::regex(R"(INT in|POSITIVE|\{)")));
        CHECK_THAT(help.out, Catch::Contains("Exit codes") && Catch::Contains("130"));
        words.pop_back();
        words.insert(words.begin(), "help");
        CHECK(assay(words).out == help.out);
        std::size_t section = plain.find(".SS assay " + command);
        REQUIRE(section != std::string::npos);
        std::string own = plain.substr(section, plain.find(".SS", section + 4) - section);
        const std::regex option(R"(--[a-z][a-z-]*)");
        std::string options = help.out.substr(0, help.out.find("Exit codes"));
        for (std::sregex_iterator at(options.begin(), options.end(), option), end; at != end;
             ++at) {
            std::string name = at->str();
            if (name == "--help" || name == "--verbose" || name == "--version") continue;
            INFO(name);
            CHECK_THAT(own, Catch::Contains(name));
            seen.insert(name);
        }
    }
    for (const char* name : {"--tasks",     "--task",     "--agent",    "--model",   "--judge",
                             "--attempts",  "--jobs",     "--seed",     "--sandbox", "--base",
                             "--image-map", "--verifier", "--max-cost", "--dry-run", "--config",
                             "--out",       "--plan",     "--shard",    "--format",  "--json"})
        CHECK(seen.contains(name));
}

TEST_CASE("the registries are listed") {
    Binary assay;
    CHECK_THAT(assay({"list", "suites"}).out,
               Catch::Contains("example") && Catch::Contains("--set judge_tries=…"));
    CHECK_THAT(assay({"list", "agents"}).out, Catch::Contains("oracle"));
    CHECK_THAT(assay({"list", "models"}).out, Catch::Contains("script:"));
    CHECK_THAT(assay({"list", "sandboxes"}).out, Catch::Contains("null"));
    Json agents = Json::parse(assay({"list", "agents", "--json"}).out);
    CHECK(agents.at(0).contains("description"));
    CHECK_THAT(assay({"--version"}).out, Catch::StartsWith("assay "));
}

TEST_CASE("doctor finds what is not in an ordinary user's PATH") {
    if (!RealFileSystem().exists("/usr/sbin/debootstrap")) {
        WARN("there is no /usr/sbin/debootstrap");
        return;
    }
    Binary assay; // its PATH is /usr/bin:/bin
    Json checks = Json::parse(assay({"doctor", "--sandbox", "null", "--json"}).out)["checks"];
    auto found = std::find_if(checks.begin(), checks.end(),
                              [](const Json& check) { return check["name"] == "debootstrap"; });
    REQUIRE(found != checks.end());
    CHECK((*found)["ok"] == true);
    CHECK_THAT((*found)["detail"].get<std::string>(), Catch::StartsWith("/usr/sbin/debootstrap"));
}

TEST_CASE("a dry run shows the plan and writes nothing") {
    Binary assay;
    CommandResult result = assay({"run", "example", "--agent", "noop", "--agent", "oracle",
                                  "--attempts", "2", "--dry-run", "--out", "r.db"});
    CHECK(result.exit.code == 0);
    CHECK_THAT(result.out,
               Catch::Contains("sum-1-1#2  oracle") && Catch::Contains("12 attempts would be run"));
    CHECK_FALSE(assay.exists("r.db"));
}

TEST_CASE("a config file holds what the command line can, and the command line wins") {
    Binary assay;
    assay.write("run.toml", "suite = \"example\"\nagent = [\"noop\", \"oracle\"]\nattempts = 3\n"
                            "sandbox = \"null\"\ndry_run = true\ntask = [\"sum-1-*\"]\n");
    CommandResult all = assay({"run", "--config", "run.toml"});
    INFO(all.err);
    CHECK(all.exit.code == 0);
    CHECK_THAT(all.out, Catch::Contains("6 attempts would be run"));
    CommandResult some = assay({"run", "--config=run.toml", "--attempts", "1", "--agent", "noop"});
    CHECK_THAT(some.out, Catch::Contains("1 attempts would be run"));
    assay.write("bad.toml", "suite = \"example\"\nattempts = = 3\n");
    CommandResult bad = assay({"run", "--config", "bad.toml"});
    CHECK(bad.exit.code == 64);
    CHECK_THAT(bad.err, Catch::Contains("bad.toml:2:12"));
    assay.write("bad.toml", "suite = \"example\"\nagnt = \"noop\"\n");
    bad = assay({"run", "--config", "bad.toml"});
    CHECK(bad.exit.code == 64);
    CHECK_THAT(bad.err, Catch::Contains("bad.toml:2:1: 'agnt'"));
    assay.write("bad.toml", "suite = \"example\"\nattempts = 0\n");
    bad = assay({"run", "--config", "bad.toml"});
    CHECK(bad.exit.code == 64);
    CHECK_THAT(bad.err, Catch::Contains("bad.toml:2:1: --attempts: Value 0 not in range"));
}

// What is thread_local lies on the stack of each thread, and those of trials have 1 MiB.
TEST_CASE("the binary's threads carry little memory of their own") {
    std::FILE* file = std::fopen(ASSAY_BINARY, "rb");
    REQUIRE(file != nullptr);
    Elf64_Ehdr header{};
    REQUIRE(std::fread(&header, sizeof header, 1, file) == 1);
    std::uint64_t bytes = 0;
    for (int i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr part{};
        REQUIRE(std::fseek(file, static_cast<long>(header.e_phoff) + i * header.e_phentsize,
                           SEEK_SET) == 0);
        REQUIRE(std::fread(&part, sizeof part, 1, file) == 1);
        if (part.p_type == PT_TLS) bytes += part.p_memsz;
    }
    std::fclose(file);
    CHECK(bytes > 0);
    CHECK(bytes < 64 << 10);
}
