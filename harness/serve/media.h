// Images in requests: bytes inside the request only, nothing is ever fetched.
#pragma once

#include "api_request.h"
#include "assay/api/content.h"

#include <string>
#include <string_view>

namespace assay::serve {

// Puts the images of one request into the blobs. Errors are ApiErrors that name `where`.
class MediaReader {
  public:
    MediaReader(BlobStore& blobs, const RequestLimits& limits)
        : blobs_(blobs)
        , limits_(limits) {}
    ImagePart from_url(std::string_view url, const std::string& where); // data:image/png;base64,...
    ImagePart from_base64(std::string_view text, const std::string& where);

  private:
    BlobStore& blobs_;
    const RequestLimits& limits_;
    std::size_t count_ = 0;
};

} // namespace assay::serve
