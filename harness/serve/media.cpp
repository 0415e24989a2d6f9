#include "media.h"

#include "assay/base/hash.h"
#include "assay/base/text.h"
#include "fields.h"

#include <fmt/format.h>

namespace assay::serve {

namespace {

// By its first bytes: what the client says about it may be wrong.
const char* media_type_of(std::string_view bytes) {
    if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return "image/png";
    if (bytes.starts_with("\xff\xd8\xff")) return "image/jpeg";
    if (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP")) return "image/webp";
    if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) return "image/gif";
    return nullptr;
}

} // namespace

ImagePart MediaReader::from_url(std::string_view url, const std::string& where) {
    if (!starts_with_nocase(url, "data:"))
        bad_request(where, "this server fetches nothing: send the image as a data: URL "
                           "(data:image/png;base64,...)");
    std::size_t comma = url.find(',');
    if (comma == std::string_view::npos || !to_lower(url.substr(0, comma)).ends_with(";base64"))
        bad_request(where, "a data: URL must have the form data:image/png;base64,...");
    return from_base64(url.substr(comma + 1), where);
}

ImagePart MediaReader::from_base64(std::string_view text, const std::string& where) {
    if (!limits_.images) bad_request(where, "the model takes no images");
    if (++count_ > limits_.images_most)
        bad_request(where, fmt::format("more than {} images", limits_.images_most));
    if (text.size() / 4 * 3 > limits_.image_bytes + 3)
        bad_request(where, fmt::format("the image has more than {} bytes", limits_.image_bytes));
    std::string bytes;
    try {
        bytes = base64_decode(text);
    } catch (const Error&) {
        bad_request(where, "the image is no valid base64");
    }
    const char* type = media_type_of(bytes);
    if (type == nullptr) bad_request(where, "the image is no PNG, JPEG, WebP or GIF");
    return {blobs_.put(bytes, type)};
}

} // namespace assay::serve
