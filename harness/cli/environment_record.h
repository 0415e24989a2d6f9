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
#include <vector>

namespace assay {

struct ModelFacts {
    std::optional<Digest> fingerprint;
    std::string plan; // see Model::plan
};
using ModelsBySpec = std::map<std::string, ModelFacts>;

std::string environment_record(const PlanRecord& plan, const ModelsBySpec& models,
                               SandboxBackend& backend, const Redactor& redactor);

// Models that answer otherwise than at the last start of the run that knew them: one line, or
// empty.
std::string changed_models(const std::vector<std::string>& earlier, const std::string& now);

} // namespace assay
