// assay engine inspect: what a checkpoint holds and what running it takes.
#include "assay/engine/config.h"
#include "commands.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>

namespace assay {

namespace {

using Json = nlohmann::ordered_json;
using engine::LayerKind;
using engine::ModelConfig;
using engine::TextConfig;

const char* name_of(const LayerKind& kind) {
    if (kind.sparse) return kind.experts ? "sparse attention, experts" : "sparse attention, dense";
    return kind.experts ? "full attention, experts" : "full attention, dense";
}

// K and V of all layers, the index's K of the sparse ones.
std::uint64_t cache_values_of_token(const TextConfig& text) {
    std::uint64_t values = 0;
    for (const LayerKind& kind : text.layers)
        values += 2 * static_cast<std::uint64_t>(text.kv_heads) *
                      static_cast<std::uint64_t>(text.head_dim) +
                  (kind.sparse ? static_cast<std::uint64_t>(text.index_dim) : 0);
    return values;
}

Json plan(const ModelConfig& config) {
    Json out;
    out["config"] = config.shape;
    Json layers = Json::object();
    for (const LayerKind& kind : config.text.layers) {
        Json& count = layers[name_of(kind)];
        count = count.is_null() ? 1 : count.get<int>() + 1;
    }
    out["layers"] = layers;
    out["cache_bytes_per_token"] = {{"bf16", 2 * cache_values_of_token(config.text)},
                                    {"f32", 4 * cache_values_of_token(config.text)}};
    out["max_positions"] = config.text.max_positions;
    return out;
}

} // namespace

int engine_inspect(const Arguments& arguments) {
    Path file = arguments.engine.checkpoint / "config.json";
    Json out = plan(engine::parse_config(RealFileSystem().read(file, 16u << 20), file.string()));
    if (arguments.json) {
        std::printf("%s\n", out.dump(2).c_str());
        return 0;
    }
    for (const auto& [kind, count] : out["layers"].items())
        fmt::print("{:>6} layers with {}\n", count.get<int>(), kind);
    fmt::print("cache of a token: {} bytes as bf16, {} as f32\n",
               out["cache_bytes_per_token"]["bf16"].get<std::uint64_t>(),
               out["cache_bytes_per_token"]["f32"].get<std::uint64_t>());
    fmt::print("positions: {}\n", out["max_positions"].get<std::int64_t>());
    return 0;
}

} // namespace assay
