// assay engine trace: what the model computes for a prompt, to be held against another engine.
#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"
#include "assay/engine/trace.h"
#include "commands.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <cstdio>
#include <thread>

namespace assay {

namespace {

std::vector<std::int32_t> read_ids(const std::string& file) {
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

std::optional<std::vector<std::int64_t>> rows_of(const std::string& text) {
    if (text == "all") return std::nullopt;
    std::vector<std::int64_t> rows;
    for (std::string_view word : split(text, ',')) {
        std::int64_t row = 0;
        auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), row);
        if (problem != std::errc() || end != word.data() + word.size())
            throw Error(ErrorKind::Usage, fmt::format("--rows: '{}' is no position", word))
                .hint("all, or a list such as 0,5,17");
        rows.push_back(row);
    }
    return rows;
}

} // namespace

int engine_trace(const Arguments& arguments) {
    const EngineArguments& engine = arguments.engine;
    engine::TraceOptions options;
    options.compute = engine.compute == "bf16" ? engine::Compute::Bf16 : engine::Compute::F32;
    options.layers = engine.layers == "all";
    options.rows = rows_of(engine.rows);
    options.greedy = engine.greedy;
    options.threads = engine.threads > 0
                          ? engine.threads
                          : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    const std::vector<std::int32_t> ids = read_ids(engine.tokens);
    auto checkpoint = engine::Checkpoint::open(engine.checkpoint);
    std::string file = engine::trace(*checkpoint, ids, options, Cancel());
    RealFileSystem().write(arguments.out, file, 0644);
    std::printf("%zu tokens, %zu bytes in %s\n", ids.size(), file.size(), arguments.out.c_str());
    return 0;
}

} // namespace assay
