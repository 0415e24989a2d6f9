// The three formats, each behind the same two functions. None looks at limits: image.cpp does,
// between the two.
#pragma once

#include "assay/engine/image.h"

namespace assay::engine {

[[noreturn]] void refuse_image(const std::string& name, const std::string& what,
                               const std::string& hint = {});

struct Codec {
    const char* name;
    bool (*matches)(std::string_view bytes); // by its first bytes
    ImageSize (*size)(std::string_view bytes, const std::string& name);
    // `out` has the size that the header says, and room for its pixels.
    void (*decode)(std::string_view bytes, const std::string& name, Image& out);
};

extern const Codec kPng, kJpeg, kWebp;

} // namespace assay::engine
