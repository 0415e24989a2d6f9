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

struct ModelFacts {
    std::optional<Digest> fingerprint;
    std::string plan; // see Model::plan
};
using ModelsBySpec = std::map<std::string, ModelFacts>;

std::string environment_record(const PlanRecord& plan, const ModelsBySpec& models,
                               SandboxBackend& backend, const Redactor& redactor);

} // namespace assay
