#include "assay/base/error.h"
#include "catch.h"
#include "text_rules.h"

using namespace assay;
using namespace assay::terminal_bench;

namespace {
template<class Function>
std::string refusal(Function&& function) {
    try {
        function();
    } catch (const Error& e) {
        return e.message();
    }
    return "";
}
} // namespace

TEST_CASE("leading canary lines and the blank lines after them are removed") {
    CHECK(strip_canary("<!-- benchmark CANARY guid -->\n# Canary too\n\n  \nDo it.\n") ==
          "Do it.\n");
    CHECK(strip_canary("# a title\n# canary\nDo it.\n") == "# a title\n# canary\nDo it.\n");
    CHECK(strip_canary("\n# canary\n") == "\n# canary\n");
    CHECK(strip_canary("canary in the mine\n") == "canary in the mine\n");
    CHECK(strip_canary("# canary") == "");
    CHECK(strip_canary("") == "");
}

TEST_CASE("templates are resolved only as whole values") {
    auto host = [](const std::string& name) -> std::optional<std::string> {
        if (name == "SET") return "value";
        return std::nullopt;
    };
    Variables out = resolve({{"A", "${SET}"},
                             {"B", "${UNSET:-x y}"},
                             {"C", "${SET:-other}"},
                             {"D", "a ${SET}"},
                             {"E", "${UNSET:-}"},
                             {"F", "$SET"},
                             {"G", "${1BAD}"}},
                            host, "here");
    CHECK(out == Variables{{"A", "value"},
                           {"B", "x y"},
                           {"C", "value"},
                           {"D", "a ${SET}"},
                           {"E", ""},
                           {"F", "$SET"},
                           {"G", "${1BAD}"}});
    CHECK(refusal([&] { resolve({{"A", "${UNSET}"}}, host, "here"); }) ==
          "here: A wants the variable UNSET, which is not set");
}

TEST_CASE("reward.txt") {
    CHECK(parse_reward_text("1").at("reward") == 1);
    CHECK(parse_reward_text(" 0.25\n").at("reward") == 0.25);
    CHECK(parse_reward_text("+1e-1").at("reward") == 0.1);
    CHECK(parse_reward_text("-1").at("reward") == -1);
    CHECK(refusal([] { parse_reward_text(""); }).find("RewardFileEmptyError") == 0);
    for (const char* bad : {" ", "one", "1 2", "nan", "inf", "1,0", "0x1"})
        CHECK(refusal([&] { parse_reward_text(bad); }).find("VerifierOutputParseError") == 0);
}

TEST_CASE("reward.json") {
    Rewards rewards = parse_reward_json(R"({"reward": 0.5, "speed": 2})");
    CHECK(rewards.at("reward") == 0.5);
    CHECK(rewards.at("speed") == 2);
    CHECK(refusal([] { parse_reward_json(""); }).find("RewardFileEmptyError") == 0);
    for (const char* bad :
         {"1", "[]", "{}", R"({"a": "1"})", R"({"a": true})", R"({"a": {}})", "{\"a\":", "\xff"})
        CHECK(refusal([&] { parse_reward_json(bad); }).find("VerifierOutputParseError") == 0);
}

TEST_CASE("the primary reward") {
    CHECK(primary_key({{"a", 1}, {"reward", 0}}) == "reward");
    CHECK(primary_key({{"accuracy", 1}}) == "accuracy");
    CHECK(refusal([] { primary_key({{"a", 1}, {"b", 0}}); }) ==
          "VerifierOutputParseError: reward.json: several keys and none is 'reward': a, b");
}
