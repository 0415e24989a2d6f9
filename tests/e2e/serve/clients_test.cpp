// The official Python clients of both protocols against `assay serve`: with a model that answers by
// rules, and with the engine on a tiny checkpoint. tools/python-clients installs them.
#include "served.h"
#include "skip.h"
#include "tiny_checkpoint.h"

#include <cstdlib>

using namespace assay;
using namespace assay::test;

namespace {

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

// Empty: not installed.
std::string python() {
    Path folder = variable("ASSAY_PYTHON_CLIENTS");
    std::string data = variable("XDG_DATA_HOME");
    if (folder.empty())
        folder = (data.empty() ? Path(variable("HOME")) / ".local/share" : Path(data)) /
                 "assay/python-clients";
    bool there = RealFileSystem().exists(folder / "pins");
    return there ? (folder / "bin/python").string() : "";
}

void check(const std::string& kind, const std::vector<std::string>& model) {
    std::string interpreter = python();
    if (interpreter.empty()) return skip("the clients are not there: run tools/python-clients");
    Binary assay;
    const Json calls = {{{"name", "add"}, {"arguments", {{"a", 1}, {"b", 2}}}},
                        {{"name", "add"}, {"arguments", {{"a", 3}, {"b", 4}}}}};
    const Json rules = {
        {{"conversation_has", "add them"},
         {"tool", "add"},
         {"reasoning", "two tools"},
         {"say", "I add"},
         {"calls", calls}},
        {{"last_has", "too much"}, {"fault", "context-overflow"}, {"message", "9 of 8 tokens"}},
        {{"last_has", "too busy"}, {"fault", "overload"}, {"message", "come again"}}};
    TinyCheckpoint().write(assay.folder() / "tiny");
    assay.write("model.json",
                Json{{"rules", rules}, {"default", {{"say", "Good day, said the model."}}}}.dump());
    std::vector<std::string> words = {"--name", "tested", "--api-key-env", "ASSAY_TEST_KEY"};
    words.insert(words.end(), model.begin(), model.end());
    ServedBinary served(assay, words);
    INFO(served.log());
    REQUIRE_FALSE(served.where().empty());
    Binary client(interpreter);
    CommandResult result =
        client({std::string(ASSAY_SOURCE_DIR) + "/tests/e2e/serve/check_clients.py", kind,
                served.where(), "key-of-the-test"});
    INFO(result.out << result.err);
    CHECK(result.exit.code == 0);
    CHECK(served.stop() == 0);
}

} // namespace

TEST_CASE("the official clients against rules") {
    check("script", {"--model", "script:model.json"});
}

TEST_CASE("the official clients against the engine") {
    check("m3", {"--model", "m3:tiny@tools=required,part_tokens=10"});
}
