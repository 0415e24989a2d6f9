// A template and, behind the first line of "---", the variables: both come from strangers.
#include "assay/base/error.h"
#include "assay/engine/template.h"

#include <cstddef>
#include <cstdint>

using namespace assay;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    std::size_t cut = text.find("\n---\n");
    std::string_view variables = cut == text.npos ? "{}" : text.substr(cut + 5);
    engine::RenderOptions options;
    options.steps = 20'000;
    options.output = 1 << 20;
    options.values = 16 << 20;
    try {
        engine::ChatTemplate::compile(text.substr(0, cut), "t")->render(variables, options);
    } catch (const Error&) {
    }
    return 0;
}
