// The body of POST /v1/messages. Untrusted text: nothing but ApiError is thrown. Parameters that
// would change the answer and that we do not know are refused by name.
#pragma once

#include "api_request.h"

#include <string_view>

namespace assay::serve {

ApiRequest parse_messages_request(std::string_view body, const RequestLimits& limits,
                                  BlobStore& blobs);

} // namespace assay::serve
