#include "engine_input.h"

#include "assay/base/error.h"
#include "assay/base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <thread>

namespace assay {

std::vector<std::int32_t> read_token_ids(const std::string& file) {
    auto json = parse_json<nlohmann::json>(RealFileSystem().read(file, 1u << 30));
    std::vector<std::int32_t> ids;
    bool good = json.is_array();
    for (std::size_t i = 0; good && i < json.size(); ++i) {
        good = json[i].is_number_integer() && json[i] >= 0 && json[i] <= INT32_MAX;
        if (good) ids.push_back(json[i].get<std::int32_t>());
    }
    if (!good)
        throw Error(ErrorKind::Input, file + ": no JSON list of token ids").hint("such as [1, 2]");
    return ids;
}

int engine_threads(const EngineArguments& arguments) {
    if (arguments.threads > 0) return arguments.threads;
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

engine::EngineOptions engine_options(const EngineArguments& arguments) {
    engine::EngineOptions out;
    out.compute = arguments.compute == "f32" ? engine::Compute::F32 : engine::Compute::Bf16;
    out.threads = engine_threads(arguments);
    return out;
}

} // namespace assay
