// assay engine inspect: what a checkpoint holds, and what running it here takes.
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/engine/engine.h"
#include "commands.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace assay {

namespace {

using Json = nlohmann::ordered_json;
using engine::Inventory;
using engine::LayerKind;
using engine::ModelConfig;
using engine::TensorUse;
using engine::TextConfig;

constexpr std::uint64_t kLongestHeaders = 32u << 20, kLongestConfig = 16u << 20;

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

// Whole blocks, beside the weights.
std::int64_t longest_context(const TextConfig& text, std::uint64_t memory, std::uint64_t weights,
                             std::uint64_t bytes_per_token) {
    std::uint64_t tokens = memory > weights ? (memory - weights) / bytes_per_token : 0;
    auto block = static_cast<std::uint64_t>(std::max(text.block, 1));
    return std::min(static_cast<std::int64_t>(tokens / block * block), text.max_positions);
}

Json describe(const ModelConfig& config, const Inventory& inventory) {
    Json out;
    out["config"] = config.shape;
    out["parameters"] = inventory.sum(&TensorUse::parameters);
    out["bytes"] = inventory.sum(&TensorUse::bytes);
    out["tensors"] = inventory.sum(&TensorUse::tensors);
    out["ignored"] = inventory.ignored;
    Json uses = Json::array();
    for (const TensorUse& use : inventory.uses)
        uses.push_back({{"kind", use.kind},
                        {"format", engine::to_string(use.format)},
                        {"tensors", use.tensors},
                        {"parameters", use.parameters},
                        {"bytes", use.bytes}});
    out["parts"] = std::move(uses);
    Json layers = Json::object();
    for (const LayerKind& kind : config.text.layers) {
        Json& count = layers[name_of(kind)];
        count = count.is_null() ? 1 : count.get<int>() + 1;
    }
    out["layers"] = std::move(layers);
    RealFileSystem files;
    const std::uint64_t memory = engine::free_memory(files);
    out["free_memory"] = memory;
    out["max_positions"] = config.text.max_positions;
    out["kernels"] = engine::chosen_kernels(engine::Compute::Bf16);
    for (auto [type, size] : {std::pair{"bf16", 2}, {"f32", 4}}) {
        std::uint64_t token = static_cast<std::uint64_t>(size) * cache_values_of_token(config.text);
        out["cache_bytes_per_token"][type] = token;
        out["longest_context"][type] =
            longest_context(config.text, memory, inventory.sum(&TensorUse::bytes), token);
    }
    return out;
}

double number(const Json& value) {
    return value.get<double>();
}

void print(const Json& plan) {
    fmt::print("{} parameters in {} tensors, {} ({} bytes)\n",
               plan["parameters"].get<std::uint64_t>(), plan["tensors"].get<std::uint64_t>(),
               format_bytes(number(plan["bytes"])), plan["bytes"].get<std::uint64_t>());
    for (const Json& use : plan["parts"])
        fmt::print("  {:<14} {:<6} {:>6} tensors {:>16} parameters {:>12}\n",
                   use["kind"].get<std::string>(), use["format"].get<std::string>(),
                   use["tensors"].get<std::uint64_t>(), use["parameters"].get<std::uint64_t>(),
                   format_bytes(number(use["bytes"])));
    fmt::print("layers:\n");
    for (const auto& [kind, count] : plan["layers"].items())
        fmt::print("  {:>4} × {}\n", count.get<int>(), kind);
    for (const char* type : {"bf16", "f32"})
        fmt::print("cache as {:<5} {:>7} bytes a token; longest context {} tokens of {}, in {} of "
                   "free memory\n",
                   type, plan["cache_bytes_per_token"][type].get<std::uint64_t>(),
                   plan["longest_context"][type].get<std::int64_t>(),
                   plan["max_positions"].get<std::int64_t>(),
                   format_bytes(number(plan["free_memory"])));
    fmt::print("kernels:");
    for (const auto& [op, variant] : plan["kernels"].items())
        fmt::print(" {} {}", op, variant.get<std::string>());
    fmt::print("\n");
    if (std::size_t count = plan["ignored"].size(); count > 0)
        fmt::print("{} tensors are ignored, the first is {}\n", count,
                   plan["ignored"][0].get<std::string>());
}

} // namespace

int engine_inspect(const Arguments& arguments) {
    const EngineArguments& engine = arguments.engine;
    RealFileSystem files;
    Json plan;
    if (!engine.headers.empty()) {
        Path file = engine.checkpoint / "config.json";
        ModelConfig config = engine::parse_config(files.read(file, kLongestConfig), file.string());
        plan = describe(config,
                        engine::check_headers(config, files.read(engine.headers, kLongestHeaders),
                                              engine.headers));
    } else {
        auto checkpoint = engine::Checkpoint::open(engine.checkpoint);
        if (engine.check) checkpoint->check_values();
        plan = describe(checkpoint->config(), checkpoint->inventory());
        plan["fingerprint"] = checkpoint->fingerprint().hex();
    }
    if (arguments.json)
        std::printf("%s\n", plan.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    else
        print(plan);
    return 0;
}

} // namespace assay
