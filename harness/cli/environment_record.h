// Machine, build and backend at a start of a run: one row of the store's table `environment`.
#pragma once

#include "assay/api/environment.h"
#include "assay/base/redact.h"

#include <string>

namespace assay {

std::string environment_record(SandboxBackend& backend, const Redactor& redactor);

} // namespace assay
