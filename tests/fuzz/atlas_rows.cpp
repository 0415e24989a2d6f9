// MCP Atlas rows as CSV and as JSON Lines, with claims and tool lists inside.
#include "assay/base/error.h"
#include "claims.h"
#include "rows.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const char* name : {"rows.csv", "rows.jsonl"}) {
        try {
            for (const auto& row : assay::atlas::parse_rows(text, name))
                if (row.problem.empty() && (row.id.empty() || row.prompt.empty())) std::abort();
        } catch (const assay::Error&) {
            // A clear message is the right answer to a broken file.
        }
    }
    for (const std::string& claim : assay::atlas::parse_claims(text))
        if (claim.size() < 4) std::abort();
    assay::atlas::parse_python_list(text);
    return 0;
}
