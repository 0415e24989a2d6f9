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
    // Instead of a completion: the call failed for good, or a limit ended the phase during it.
    std::optional<ModelError> error;
    std::optional<CancelReason> interrupted;
};

// Thread-safe.
class RecordingSource {
  public:
    virtual ~RecordingSource() = default;
    // Call number `turn` (from 0) of that role in the accepted try; nullopt: it has no such call.
    // After the last one of an agent that a limit ended comes an interrupted one without hashes.
    virtual std::optional<RecordedCall> call(std::string_view task, int attempt,
                                             std::string_view role, int turn) = 0;
};

} // namespace assay
