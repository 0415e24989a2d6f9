// The cost expressions and the tokenizer of kernel_bench on any text: a value or an Error, never a
// crash; every token lies inside the text and in order.
#include "assay/base/error.h"
#include "expression.h"
#include "tokens.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace assay::kernel_bench;
    std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        evaluate(text, {{"m", 3}, {"n", 1 << 30}, {"k", 1}});
    } catch (const assay::Error&) {
    }
    const char* last = text.data();
    for (const Token& token : tokenize(text)) {
        if (token.text.data() < last || token.text.data() + token.text.size() > text.data() + size)
            std::abort();
        last = token.text.data();
    }
    find_patterns(text, {"include:cblas.h", "m", "text:lib"});
    return 0;
}
