// The bodies of POST /v1/chat/completions and /v1/completions. Untrusted text: nothing but ApiError
// is thrown. Parameters that would change the answer and that we do not know are refused by name.
#pragma once

#include "api_request.h"

#include <string_view>

namespace assay::serve {

ApiRequest parse_chat_request(std::string_view body, const RequestLimits& limits, BlobStore& blobs);
ApiRequest parse_completions_request(std::string_view body, const RequestLimits& limits);

} // namespace assay::serve
