// The umask of whoever starts assay must not reach the inside: with 077 another user there could
// not even enter `/`, and the task would fail for no fault of the model's.
#include "binary.h"
#include "sandbox_probe.h"

using namespace assay;
using namespace assay::test;

TEST_CASE("a strict umask outside changes nothing inside") {
    need_sandboxes();
    Binary shell("/bin/sh");
    shell.write_sums(1);
    Json script = {
        {"rules", Json::array({{{"turn", 0},
                                {"calls", Json::array({{{"name", "shell"},
                                                        {"arguments",
                                                         {{"command", "stat -c %a:%n / /etc /usr "
                                                                      "/var /etc/hosts"}}}}})}},
                               {{"say", "1"}}})}};
    shell.write("model.json", script.dump());
    CommandResult run =
        shell({"-c", "umask 077; exec " ASSAY_BINARY " run example --tasks sums.txt --agent tools "
                     "--model script:model.json --sandbox local --state state --out r.db"});
    INFO(run.err);
    REQUIRE(run.exit.code == 0);
    Binary assay;
    std::string shown = assay({"show", (shell.folder() / "r.db").string(), "sum-0-1", "1"}).out;
    INFO(shown);
    for (const char* line :
         {"755:/\n", "755:/etc\n", "755:/usr\n", "755:/var\n", "644:/etc/hosts\n"})
        CHECK(shown.find(line) != std::string::npos);
}
