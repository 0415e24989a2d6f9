// The recorded calls of a finished run, for the provider replay:RUN.
#pragma once

#include "assay/api/recording.h"

#include <memory>
#include <string>

namespace assay {

// Throws Error(Input) if the file is no run. Of several arms the first that has a model counts.
std::shared_ptr<RecordingSource> open_recording(const std::string& path);

} // namespace assay
