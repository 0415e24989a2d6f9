// The report in a real browser: hostile text stays text, the script works, and the guard is shown
// to be needed by a page without it.
#include "assay/reports/report.h"
#include "browser.h"
#include "catch.h"
#include "run_fixture.h"

#include <cstdio>
#include <cstdlib>
#include <regex>

using namespace assay;
using test::chromium;
using test::dom_of;
using test::title_of;

TEST_CASE("hostile text stays text in a browser, and the trajectory browser works") {
    if (chromium().empty()) {
        std::puts("SKIPPED: report in a browser: chromium is not installed");
        return;
    }
    TempFolder folder;
    RealFileSystem fs;
    Path page = folder.path() / "report.html";
    fs.write(page, render_report({test::make_run(folder.path())}, {}));
    std::string dom = dom_of(page, folder.path() / "profile", "#a=0");
    REQUIRE(title_of(dom).find("pwned") == std::string::npos);
    REQUIRE(title_of(dom).find("fixture") != std::string::npos);
    // The script unpacked the trajectory and drew its steps, the search marks, the recording.
    CHECK(dom.find("class=\"step k-model") != std::string::npos);
    CHECK(dom.find("Step 2") != std::string::npos);
    CHECK(dom.find("world") != std::string::npos);
    CHECK(dom.find("[U+202E]") != std::string::npos);
    // The outline is indented by span: a turn in its phase, a call in its turn.
    std::regex turn("<a class=\"l1\"[^>]*>turn 1: "), call("<a class=\"l2\"[^>]*>call shell<");
    CHECK(std::regex_search(dom, turn));
    CHECK(std::regex_search(dom, call));
    CHECK(std::regex_search(dom, std::regex("<a class=\"l1\"[^>]*>call checker<")));

    // The attack works on a page that does not escape.
    fs.write(page, "<title>safe</title><body>" + test::all_hostile());
    REQUIRE(title_of(dom_of(page, folder.path() / "profile2")) == "pwned");
    if (const char* keep = std::getenv("ASSAY_KEEP_REPORT")) // to look at it
        fs.write(keep, render_report({folder.path() / "run.db"}, {}));
}

TEST_CASE("without any script the tables are there, and nothing is loaded from elsewhere") {
    TempFolder folder;
    std::string html = render_report({test::make_run(folder.path())}, {});
    REQUIRE(html.find("Content-Security-Policy") != std::string::npos);
    REQUIRE(html.find("unsafe-inline") == std::string::npos);
    REQUIRE(html.find("<img src=x") == std::string::npos);
    CHECK(html.find("openai:m: 20 calls at a time at first, 16 at last, 16 to 20 (changes: 1 "
                    "overload &lt;b&gt;)") != std::string::npos);
    REQUIRE(html.find("href=\"javascript") == std::string::npos);
    REQUIRE_FALSE(std::regex_search(html, std::regex("(src|href)=\"(https?:)?//")));
    REQUIRE_FALSE(std::regex_search(html, std::regex(" style=\"| on[a-z]+=\"")));
    // Exactly the script ends that we wrote: the index, the trajectories, the program.
    std::size_t ends = 0;
    for (std::size_t at = 0; (at = html.find("</script>", at)) != std::string::npos; ++at) ++ends;
    REQUIRE(ends == 1 + 8 + 1);
    // Task means over attempts that count: 1 (its second attempt is a verifier error), 0.25 and
    // 0.25; the fourth task has only an error and a cancelled attempt.
    std::string text = leaderboard_text({folder.path() / "run.db"});
    INFO(text);
    CHECK(text.find(" 50.0 ") != std::string::npos);
    CHECK(text.find("1 infrastructure error") != std::string::npos);
}

TEST_CASE("tasks whose own solution scored 0 and replays that parted are named") {
    using namespace assay::test;
    for (const char* agent : {"oracle", "tools"}) {
        TempFolder folder;
        Path file = folder.path() / "run.db";
        PlanRecord plan = test::make_plan(3, 2);
        plan.arms[0].agent = agent;
        {
            auto store = RunStore::create(file, plan, {});
            const double scores[] = {0, 1, 0.5, 0, 1}; // task 0 both times
            for (std::size_t i = 0; i < plan.slots.size(); ++i) {
                TryEnd end;
                if (i < std::size(scores)) {
                    end.attempt_class = AttemptClass::Scored;
                    end.score = scores[i];
                    end.accepted = true;
                } else {
                    end.error = ErrorRecord{"model/replay-mismatch", "message 3 differs", ""};
                }
                write_try(*store, plan.slots[i], end, 0);
            }
        }
        std::vector<std::string> wanted = {
            "replay mismatch: 1 attempts parted from the recording, first task-2#2: message 3 "
            "differs"};
        std::string page = render_report({file}, {});
        const std::string noted = "Broken task: &lt;img";
        if (agent == std::string("oracle")) {
            wanted.insert(wanted.begin(),
                          "broken task: " + kHostile[1] + ": its own solution scored 0");
            CHECK_THAT(page, Catch::Contains(noted));
        } else {
            CHECK_THAT(page, !Catch::Contains(noted));
        }
        CHECK(findings(file) == wanted);
    }
}

TEST_CASE("only a benchmark's own tasks give an official score, and only without deviations") {
    auto official = [](const char* metrics, bool deviates) {
        TempFolder folder;
        PlanRecord plan = test::make_plan(1, 1);
        plan.metrics = metrics;
        auto store = RunStore::create(folder.path() / "run.db", plan, {});
        TryEnd end;
        end.attempt_class = AttemptClass::Scored;
        end.accepted = true;
        end.score = 1;
        test::write_try(*store, plan.slots[0], end, 1, deviates ? R"(["clock=net"])" : "[]");
        store->finish_run("complete");
        std::string row = leaderboard_text({folder.path() / "run.db"});
        std::string word = row.substr(row.rfind(' ') + 1);
        std::string html = render_report({folder.path() / "run.db"}, {});
        CHECK((html.find("<td>official</td>") < html.find("id=\"tasks\"")) == (word == "yes\n"));
        return word;
    };
    const char* yes = R"([{"name":"reward","primary":true,"official":true}])";
    CHECK(official(yes, false) == "yes\n");
    CHECK(official(yes, true) == "no\n");
    CHECK(official(R"([{"name":"reward","primary":true,"official":false}])", false) == "-\n");
    CHECK(official(R"([{"name":"reward","primary":true}])", false) == "-\n"); // an older plan
}

TEST_CASE("a budget keeps the file small and says what it left out") {
    TempFolder folder;
    Path run = test::make_run(folder.path());
    ReportOptions options;
    options.trajectory_budget = 4000;
    std::string html = render_report({run}, options);
    CHECK(html.find("trajectories were left out") != std::string::npos);
}
