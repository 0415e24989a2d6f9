// One row an attempt: of the tries of a slot the accepted one, or else the latest that ended.
#pragma once

#include "assay/store/reader.h"

#include <vector>

namespace assay {

struct AttemptRow {
    TryRow row;
    int tries = 1; // of the slot so far
};

// In the plan's order; slots without a try that ended are left out.
std::vector<AttemptRow> attempts_of(const std::vector<TryRow>& tries);

} // namespace assay
