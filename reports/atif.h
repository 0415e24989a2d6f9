// One try as an ATIF 1.7 trajectory.
#pragma once

#include "run_data.h"

#include <string>

namespace assay {

std::string atif_json(RunData& run, const ArmRecord& arm, const TryRow& row);

// A name that may become a file name: letters, digits, '.', '_', '-'; never "." or "..".
std::string file_name(std::string_view text);

} // namespace assay
