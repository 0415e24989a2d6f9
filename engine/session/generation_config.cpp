#include "generation_config.h"

#include "assay/base/error.h"
#include "assay/base/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace assay::engine {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kLargestFile = 16u << 20;

Json read_object(FileSystem& files, const Path& file) {
    if (!files.exists(file)) return Json::object();
    Json json = parse_json<Json>(files.read(file, kLargestFile));
    if (!json.is_object()) throw Error(ErrorKind::Input, file.string() + ": no JSON object");
    return json;
}

std::vector<std::int32_t> ids_of(const Json& json, const Path& file) {
    auto found = json.find("eos_token_id");
    if (found == json.end() || found->is_null()) return {};
    std::vector<std::int32_t> ids;
    for (const Json& id : found->is_array() ? *found : Json::array({*found}))
        ids.push_back(whole_number<std::int32_t>(id, file.string() + ": eos_token_id"));
    return ids;
}

std::vector<std::int32_t> named_end(const Json& settings, const Tokenizer* tokenizer) {
    auto found = settings.find("eos_token");
    if (found == settings.end() || tokenizer == nullptr) return {};
    Json token = found->is_object() ? found->value("content", Json()) : *found;
    if (!token.is_string()) return {};
    auto id = tokenizer->id(token.get_ref<const std::string&>());
    return id ? std::vector<std::int32_t>{*id} : std::vector<std::int32_t>{};
}

template<class Value>
void take(const Json& json, const Path& file, const char* key, Value& value) {
    auto found = json.find(key);
    if (found == json.end() || found->is_null()) return;
    if (!found->is_number())
        throw Error(ErrorKind::Input, fmt::format("{}: {} must be a number", file.string(), key));
    value = found->get<Value>();
}

} // namespace

GenerationConfig read_generation_config(FileSystem& files, const Path& folder,
                                        const Tokenizer* tokenizer) {
    GenerationConfig out;
    const Path file = folder / "generation_config.json", config = folder / "config.json";
    const Json json = read_object(files, file);
    out.stop_ids = ids_of(json, file);
    if (out.stop_ids.empty()) out.stop_ids = ids_of(read_object(files, config), config);
    if (out.stop_ids.empty())
        out.stop_ids = named_end(read_object(files, folder / "tokenizer_config.json"), tokenizer);
    SamplerSettings& sampling = out.sampling;
    take(json, file, "temperature", sampling.temperature);
    take(json, file, "top_p", sampling.top_p);
    take(json, file, "min_p", sampling.min_p);
    take(json, file, "repetition_penalty", sampling.repetition_penalty);
    if (auto top_k = json.find("top_k"); top_k != json.end() && !top_k->is_null())
        sampling.top_k = whole_number<int>(*top_k, file.string() + ": top_k");
    if (json.value("do_sample", Json(true)) == Json(false)) sampling.temperature = 0;
    check(sampling);
    return out;
}

} // namespace assay::engine
