// Plan files come from other machines: any text is a plan or an Error, and a plan goes round.
#include "assay/base/error.h"
#include "assay/store/plan_json.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        assay::PlanRecord plan = assay::plan_from_json({reinterpret_cast<const char*>(data), size});
        if (assay::plan_from_json(assay::plan_to_json(plan)).digest() != plan.digest())
            std::abort();
    } catch (const assay::Error&) {
        return 0;
    }
    return 0;
}
