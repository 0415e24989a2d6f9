// What the provider replay:RUN needs from a finished run; filled from the store by harness/cli.
#pragma once

#include "assay/api/model.h"

#include <memory>
#include <optional>
#include <string_view>

namespace assay {

struct RecordedCall {
    std::vector<std::string>
        added_message_hashes; // hex SHA-256 of to_json(message), since the parent
    Completion completion;
    std::optional<ModelError> error; // the call failed for good: there is no completion
};

// Thread-safe.
class RecordingSource {
  public:
    virtual ~RecordingSource() = default;
    // Call number `turn` (from 0) of that role in the accepted try; nullopt: it has no such call.
    virtual std::optional<RecordedCall> call(std::string_view task, int attempt,
                                             std::string_view role, int turn) = 0;
};

} // namespace assay
