// What tokens cost, from a file of the user's (--prices FILE); nothing is built in, since prices
// change. The file is a JSON object, name pattern -> US dollars for a million tokens:
//
//   {"gpt-x*": {"input": 2.5, "cached_input": 0.25, "output": 10}, "*": {"input": 0, "output": 0}}
//
// The first pattern that matches the model's name counts. Without cached_input cached tokens cost
// as much as others. Reasoning tokens are output.
#pragma once

#include "assay/api/model.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

class PriceTable {
  public:
    // Throws Error(Input) naming the entry.
    static PriceTable parse(std::string_view json, const std::string& file_name);

    // In US dollars; nullopt: no price is known for the model.
    std::optional<double> cost(std::string_view model, const Usage& usage) const;

  private:
    struct Entry {
        std::string glob;
        double input = 0, cached_input = 0, output = 0;
    };
    std::vector<Entry> entries_;
};

} // namespace assay
