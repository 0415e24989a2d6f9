// task.toml, instructions and rewards come from strangers and from sandboxes.
#include "task_toml.h"

#include "assay/base/error.h"
#include "text_rules.h"

#include <cstddef>
#include <cstdint>

using namespace assay;
using namespace assay::terminal_bench;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    auto host = [](const std::string&) { return std::optional<std::string>(); };
    try {
        TaskToml toml = parse_task_toml(text, "task.toml");
        resolve(toml.environment.env, host, "task.toml");
    } catch (const Error&) {
    }
    try {
        primary_key(parse_reward_json(text));
    } catch (const Error&) {
    }
    try {
        parse_reward_text(text);
    } catch (const Error&) {
    }
    strip_canary(text);
    return 0;
}
