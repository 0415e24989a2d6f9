// The tokenizers of tests/data/m3/tokenizer, as they are and changed.
#pragma once

#include "assay/base/fs.h"
#include "assay/engine/tokenizer.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <string>

namespace assay::test {

using Json = nlohmann::json;

inline std::string tokenizer_data(const std::string& file) {
    return RealFileSystem().read(std::string(ASSAY_TEST_DATA) + "/m3/tokenizer/" + file);
}

inline Json tokenizer_json(const std::string& name) {
    return Json::parse(tokenizer_data(name + ".json"));
}

inline std::unique_ptr<const engine::Tokenizer> tokenizer(const std::string& name) {
    return engine::Tokenizer::open(std::string(ASSAY_TEST_DATA) + "/m3/tokenizer/" + name +
                                   ".json");
}

// plain.json with a change.
inline std::unique_ptr<const engine::Tokenizer> changed(const std::function<void(Json&)>& change) {
    Json json = tokenizer_json("plain");
    change(json);
    return engine::Tokenizer::parse(json.dump(), "tokenizer.json");
}

} // namespace assay::test
