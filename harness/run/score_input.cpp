#include "score_input.h"

#include "assay/base/text.h"

#include <fmt/format.h>

#include <charconv>

namespace assay {

std::optional<Digest> score_input_hash(const std::string& task_digest, const ScoreResult& result,
                                       const std::optional<Digest>& layer) {
    if (!result.inputs && !layer) return std::nullopt;
    std::string text = fmt::format("assay-score-input/1\ntask {}\n", json_quote(task_digest));
    auto add = [&](const std::string& name, const Digest& hash) {
        text += fmt::format("{} {}\n", hash.hex(), json_quote(name));
    };
    if (result.inputs)
        for (const auto& [name, hash] : *result.inputs) add(name, hash);
    else
        add("layer.tar", *layer);
    return sha256(text);
}

Digest layer_digest(std::string_view tar) {
    constexpr std::size_t kBlock = 512, kSize = 124, kTime = 136, kAfterChecksum = 156;
    Sha256 hash;
    for (std::size_t at = 0; tar.size() - at >= kBlock;) {
        std::string_view header = tar.substr(at, kBlock);
        at += kBlock;
        std::uint64_t size = 0;
        std::from_chars(header.data() + kSize, header.data() + kTime, size, 8);
        std::uint64_t stored = (size + kBlock - 1) / kBlock * kBlock;
        std::string_view content = tar.substr(at, stored);
        at += content.size();
        hash.update(header.substr(0, kTime));
        hash.update(header.substr(kAfterChecksum));
        hash.update(content);
    }
    return hash.finish();
}

} // namespace assay
