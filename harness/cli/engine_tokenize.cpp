// assay engine tokenize: lines of JSON strings to lines of ids, or back.
#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"
#include "assay/engine/tokenizer.h"
#include "commands.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <iostream>

namespace assay {

namespace {

using Json = nlohmann::json;
using engine::TokenId;
using engine::Tokenizer;

Json encode(const Tokenizer& tokenizer, const Json& line) {
    if (!line.is_string()) throw Error(ErrorKind::Input, "must be a JSON string");
    return tokenizer.encode(line.get_ref<const std::string&>());
}

Json decode(const Tokenizer& tokenizer, const Json& line, engine::SpecialTokens special) {
    if (!line.is_array()) throw Error(ErrorKind::Input, "must be a JSON array of token ids");
    std::vector<TokenId> ids;
    for (const Json& item : line) {
        ids.push_back(whole_number<TokenId>(item, "a token id"));
        if (ids.back() < 0 || ids.back() >= tokenizer.size())
            throw Error(ErrorKind::Input, fmt::format("{} is no token; ids are 0 to {}", ids.back(),
                                                      tokenizer.size() - 1));
    }
    return tokenizer.decode(ids, special);
}

} // namespace

int engine_tokenize(const Arguments& arguments) {
    auto tokenizer = Tokenizer::open(arguments.engine.checkpoint / "tokenizer.json");
    auto special =
        arguments.engine.keep_special ? engine::SpecialTokens::Keep : engine::SpecialTokens::Skip;
    std::ios::sync_with_stdio(false);
    std::string line;
    for (std::uint64_t number = 1; std::getline(std::cin, line); ++number) try {
            if (!utf8_valid(line)) throw Error(ErrorKind::Input, "is not UTF-8");
            auto json = parse_json<Json>(line);
            if (json.is_discarded()) throw Error(ErrorKind::Input, "is not JSON");
            Json out = arguments.engine.decode ? decode(*tokenizer, json, special)
                                               : encode(*tokenizer, json);
            std::puts(out.dump().c_str());
        } catch (const Error& e) {
            throw Error(ErrorKind::Input, fmt::format("input line {}: {}", number, e.message()));
        }
    return 0;
}

} // namespace assay
