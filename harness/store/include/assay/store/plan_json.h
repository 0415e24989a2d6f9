// A plan as a JSON file: what `assay plan` writes and `assay run --plan` reads on any machine.
// {"assay_plan":1,"digest":"<hex>","plan":{...}}; keys are sorted, so the text is canonical.
#pragma once

#include "assay/store/records.h"

#include <string>
#include <string_view>

namespace assay {

std::string plan_to_json(const PlanRecord& plan);
// The inner object, without spaces: what PlanRecord::digest() hashes.
std::string plan_body_json(const PlanRecord& plan);

// Error(Input) if the text is no plan, was changed by hand (its digest does not fit), names an arm
// that it lacks, or plans the same attempt twice.
PlanRecord plan_from_json(std::string_view text);

} // namespace assay
