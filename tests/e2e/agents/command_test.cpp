// A program in the sandbox is the agent: it calls the model over HTTP, and its calls are in the
// store as its attempt's own.
#include "binary.h"
#include "sandbox_probe.h"

using namespace assay;
using namespace assay::test;

namespace {

// A client of bash alone: `ask TOKEN` prints status and body of a chat completion.
const std::string kClient = R"(ask() {
  address=${OPENAI_BASE_URL#http://}; address=${address%/v1}
  body='{"model":"any","messages":[{"role":"user","content":"how much?"}],"seed":1}'
  exec 3<>"/dev/tcp/${address%:*}/${address#*:}"
  printf 'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\nContent-Length: %s\r\n\r\n%s' "$1" "${#body}" "$body" >&3
  cat <&3
}
)";

std::vector<std::string> run(const std::string& command, std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"run",         "example",
                                      "--tasks",     "sums.txt",
                                      "--sandbox",   "local",
                                      "--state",     "state",
                                      "--agent",     "command",
                                      "--model",     "script:model.json",
                                      "--agent-set", "command=exec bash -c '" + command + "'",
                                      "--agent-set", "answer=output"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

} // namespace

TEST_CASE("a program in the sandbox calls the model, as its attempt and within its budget") {
    Binary assay;
    need_sandboxes();
    assay.write_sums(1);
    assay.write_model(0, "the sum is 1");
    std::string script = kClient;
    // Quotes of the script inside of the quotes of the command line.
    for (std::size_t at = 0; (at = script.find('\'', at)) != std::string::npos; at += 4)
        script.replace(at, 1, "'\\''");
    const std::string program = script +
                                "ask wrong | grep -q \" 401 \" && ask $OPENAI_API_KEY >/dev/null "
                                "&& ask $OPENAI_API_KEY | grep -q \"the sum is 1\" && "
                                "grep -q \"0 plus 1\" $ASSAY_INSTRUCTION_FILE && echo 1";
    auto words = run(program, {"--out", "r.db"});
    CommandResult result = assay(words);
    INFO(result.err << result.out);
    REQUIRE(result.exit.code == 0);
    Json attempt = assay.attempts("r.db").at(0);
    INFO(attempt.dump());
    CHECK(attempt["class"] == "scored");
    CHECK(attempt["score"] == 1.0);
    CHECK(attempt["usage"]["turns"] == 2); // the refused call is none
    std::string shown = assay({"show", "r.db", attempt["task"].get<std::string>(), "1"}).out;
    CHECK_THAT(shown, Catch::Contains("how much?"));

    result = assay(run(program, {"--out", "cut.db", "--max-turns", "1"}));
    INFO(result.err << result.out);
    attempt = assay.attempts("cut.db").at(0);
    INFO(attempt.dump());
    CHECK(attempt["class"] == "limit");
    CHECK(attempt["usage"]["turns"] == 1);
}

TEST_CASE("how the program ends is how the agent ends") {
    Binary assay;
    need_sandboxes();
    assay.write_sums(1);
    assay.write_model(0);
    auto attempt_class = [&](const std::string& command, const std::string& file) {
        assay(run(command, {"--out", file, "--retries", "0"}));
        return assay.attempts(file).at(0)["class"].get<std::string>();
    };
    CHECK(attempt_class("exit 3", "failed.db") == "agent_failure");
    CHECK(attempt_class("no-such-agent --now", "missing.db") == "infrastructure_error");
    CHECK(attempt_class("echo 2", "wrong.db") == "scored");
}
