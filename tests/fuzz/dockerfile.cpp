// Dockerfiles come with tasks: parsing and expanding one must end in a value or an Error.
#include "bases/docker/dockerfile.h"

#include "assay/base/error.h"
#include "bases/docker/patterns.h"
#include "bases/docker/words.h"

#include <cstddef>
#include <cstdint>

using namespace assay;
using namespace assay::bases;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    const Variables variables = {{"A", "value"}, {"EMPTY", ""}, {"PATH", "/bin"}};
    try {
        Dockerfile file = parse_dockerfile(text, "Dockerfile");
        for (const Instruction& instruction : file.instructions) {
            try {
                expand_words(instruction.text, variables, file.escape);
                expand_pairs(instruction.text, variables, file.escape);
            } catch (const Error&) {
            }
            try {
                for (const Heredoc& doc : instruction.heredocs) expand_body(doc.content, variables);
            } catch (const Error&) {
            }
        }
    } catch (const Error&) {
    }
    IgnoreRules::parse(text).ignores("some/path/of a/file.txt");
    return 0;
}
