// Machine, build, backend, suite and models at a start of a run: one row of the store's table
// `environment`.
#pragma once

#include "assay/api/environment.h"
#include "assay/base/hash.h"
#include "assay/base/redact.h"
#include "assay/store/records.h"

#include <map>
#include <optional>
#include <string>

namespace assay {

using Fingerprints = std::map<std::string, std::optional<Digest>>; // of the models, by spec

std::string environment_record(const PlanRecord& plan, const Fingerprints& models,
                               SandboxBackend& backend, const Redactor& redactor);

} // namespace assay
