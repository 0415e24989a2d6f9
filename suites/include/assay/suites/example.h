// The smallest suite: sums to answer in words. What a new suite starts from; see suites/example.
#pragma once

#include "assay/api/suite.h"

#include <memory>

namespace assay {

std::unique_ptr<Suite> make_example(const Settings& settings);

} // namespace assay
