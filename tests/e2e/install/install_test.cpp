// An installed binary, moved after that, works from its own files and not from the source tree.
#include "binary.h"
#include "sandbox_probe.h"

#include <filesystem>

using namespace assay;
using namespace assay::test;

namespace {

namespace stdfs = std::filesystem;

// The build installed into one folder, which is then moved to another.
struct Installed {
    TempFolder temp{"assay-install"};
    Path prefix = temp.path() / "moved";
    Path suites = prefix / "share/assay/suites";

    Installed() {
        Spawner spawner;
        Path first = temp.path() / "first";
        CommandResult made = run_command(
            spawner, {ASSAY_CMAKE, "--install", ASSAY_BUILD_DIR, "--prefix", first}, {}, Cancel());
        INFO(made.out << made.err);
        REQUIRE(made.exit.ok());
        stdfs::rename(first, prefix);
    }
    std::string binary() const { return prefix / "bin/assay"; }
};

Json only_attempt(Binary& assay, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--out", "r.db", "--retries", "0"});
    stdfs::remove(assay.folder() / "r.db");
    CommandResult run = assay(arguments);
    INFO(run.out << run.err);
    Json attempts = assay.attempts("r.db");
    REQUIRE(attempts.size() == 1);
    return attempts[0];
}

} // namespace

TEST_CASE("a binary that was installed and moved runs its samples, from its own files") {
    need_sandboxes();
    Installed installed;
    Binary assay(installed.binary());
    Path judge = installed.suites / "mcp_atlas/samples/judge.json";
    const std::vector<std::vector<std::string>> runs = {
        {"run", "terminal_bench", "--task", "sealed-check", "--agent", "oracle", "--verifier",
         "compat"},
        {"run", "kernel_bench", "--task", "softmax_f32", "--agent", "oracle"},
        {"run", "mcp_atlas", "--task", "kit-carrier-days", "--agent", "oracle", "--judge",
         "script:" + judge.string()}};
    for (const auto& arguments : runs) {
        INFO(arguments[1]);
        Json attempt = only_attempt(assay, arguments);
        INFO(attempt.dump());
        CHECK(attempt["class"] == "scored");
    }
    CHECK(stdfs::exists(installed.prefix / "share/man/man1/assay.1"));

    // It is the installed files that count: a change of them is seen.
    RealFileSystem files;

    for (const char* sample :
         {"c-build", "sort-downloads", "error-report", "keep-serving", "unsolvable"})
        REQUIRE(stdfs::remove_all(installed.suites / "terminal_bench/samples" / sample) > 0);
    Json sealed = only_attempt(assay, {"run", "terminal_bench", "--agent", "oracle"});
    CHECK(sealed["task"] == "sealed-check"); // the only one that is left

    stdfs::remove_all(installed.suites / "terminal_bench/compat");
    Json compat =
        only_attempt(assay, {"run", "terminal_bench", "--agent", "oracle", "--verifier", "compat"});
    CHECK_THAT(compat.dump(), Catch::Contains("moved/share/assay/suites/terminal_bench/compat"));

    files.write(installed.suites / "kernel_bench/runner/runner.cpp", "#error planted\n", 0644);
    Json kernel =
        only_attempt(assay, {"run", "kernel_bench", "--task", "softmax_f32", "--agent", "oracle"});
    CHECK_THAT(kernel.dump(), Catch::Contains("#error planted"));

    stdfs::remove_all(installed.suites / "mcp_atlas/samples");
    files.write(installed.suites / "mcp_atlas/samples", "not a table\n", 0644);
    CommandResult atlas =
        assay({"run", "mcp_atlas", "--agent", "oracle", "--judge", "null", "--out", "a.db"});
    CHECK(atlas.exit.code != 0);
    CHECK_THAT(atlas.err, Catch::Contains("there is no column TASK")); // of the planted file
}
