#include "m3_spec.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <fmt/format.h>

#include <charconv>
#include <functional>
#include <map>

namespace assay {

namespace {

constexpr const char* kHint =
    "options: compute=bf16|f32, threads=N, cache=BYTES (also 512M, 4G), running=N, step=TOKENS, "
    "thinking=enabled|disabled|adaptive, tools=free|valid|required, max_tokens=N, part_tokens=N";

Error wrong(std::string_view key, std::string_view value, std::string_view wanted) {
    return Error(ErrorKind::Usage, fmt::format("model m3: {}={} must be {}", key, value, wanted))
        .hint(kHint);
}

std::uint64_t number(std::string_view key, std::string_view text, std::uint64_t most) {
    std::uint64_t value = 0;
    auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || end != text.data() + text.size() || value < 1 || value > most)
        throw wrong(key, text, fmt::format("a whole number from 1 to {}", most));
    return value;
}

int small(std::string_view key, std::string_view text, int most) {
    return static_cast<int>(number(key, text, static_cast<std::uint64_t>(most)));
}

std::uint64_t bytes(std::string_view key, std::string_view text) {
    constexpr std::string_view units = "KMGT";
    if (text.empty()) throw wrong(key, text, "a size such as 512M");
    const std::size_t unit = units.find(text.back());
    if (unit == std::string_view::npos) return number(key, text, std::uint64_t{1} << 50);
    std::uint64_t factor = 1;
    for (std::size_t i = 0; i <= unit; ++i) factor *= 1024;
    return factor * number(key, text.substr(0, text.size() - 1), (std::uint64_t{1} << 50) / factor);
}

template<class Value>
Value one_of(std::string_view key, std::string_view text,
             const std::map<std::string_view, Value>& values) {
    if (auto found = values.find(text); found != values.end()) return found->second;
    std::string list;
    for (const auto& [name, value] : values) list += (list.empty() ? "" : ", ") + std::string(name);
    throw wrong(key, text, "one of " + list);
}

void set(M3Spec& spec, std::string_view key, std::string_view value) {
    using Tools = M3Spec::Tools;
    using Set = std::function<void()>;
    const std::map<std::string_view, Set> options = {
        {"compute",
         [&] {
             spec.engine.compute = one_of<engine::Compute>(
                 key, value, {{"bf16", engine::Compute::Bf16}, {"f32", engine::Compute::F32}});
         }},
        {"threads", [&] { spec.engine.threads = small(key, value, 1024); }},
        {"cache", [&] { spec.engine.cache_bytes = bytes(key, value); }},
        {"running", [&] { spec.engine.running = small(key, value, 4096); }},
        {"step", [&] { spec.engine.step_tokens = small(key, value, 1 << 16); }},
        {"thinking",
         [&] {
             spec.thinking = one_of<std::string>(
                 key, value,
                 {{"enabled", "enabled"}, {"disabled", "disabled"}, {"adaptive", "adaptive"}});
         }},
        {"tools",
         [&] {
             spec.tools = one_of<Tools>(
                 key, value,
                 {{"free", Tools::Free}, {"valid", Tools::Valid}, {"required", Tools::Required}});
         }},
        {"max_tokens", [&] { spec.max_tokens = small(key, value, 1 << 30); }},
        {"part_tokens", [&] { spec.part_tokens = small(key, value, 1 << 20); }},
    };
    auto found = options.find(key);
    if (found == options.end())
        throw Error(ErrorKind::Usage, fmt::format("model m3: unknown option '{}'", key))
            .hint(kHint);
    found->second();
}

} // namespace

M3Spec parse_m3_spec(std::string_view text) {
    M3Spec spec;
    std::size_t at = text.rfind('@');
    if (at != std::string_view::npos && text.find('=', at) == std::string_view::npos)
        at = std::string_view::npos; // part of the folder's name
    const std::string_view folder = text.substr(0, at);
    if (folder.empty())
        throw Error(ErrorKind::Usage, "model m3: no folder of a checkpoint")
            .hint("such as m3:weights/MiniMax-M3, with config.json and safetensors in it");
    spec.checkpoint = folder;
    if (at == std::string_view::npos) return spec;
    for (std::string_view option : split(text.substr(at + 1), ',')) {
        const std::size_t equals = option.find('=');
        if (equals == std::string_view::npos)
            throw Error(ErrorKind::Usage, fmt::format("model m3: option '{}' has no value", option))
                .hint(kHint);
        set(spec, option.substr(0, equals), option.substr(equals + 1));
    }
    return spec;
}

} // namespace assay
