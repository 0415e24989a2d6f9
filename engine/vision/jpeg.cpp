#include "codecs.h"

#include <turbojpeg.h>

#include <memory>

namespace assay::engine {

namespace {

struct Free {
    void operator()(void* handle) const { tjDestroy(handle); }
};
using Handle = std::unique_ptr<void, Free>;

Handle open() {
    Handle handle(tjInitDecompress());
    if (!handle) throw std::bad_alloc();
    return handle;
}

const unsigned char* data(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

[[noreturn]] void refuse(const Handle& handle, const std::string& name) {
    refuse_image(name, std::string("broken or cut short JPEG: ") + tjGetErrorStr2(handle.get()));
}

ImageSize size(std::string_view bytes, const std::string& name) {
    Handle handle = open();
    ImageSize out;
    int subsampling = 0, colours = 0;
    if (tjDecompressHeader3(handle.get(), data(bytes), bytes.size(), &out.width, &out.height,
                            &subsampling, &colours) != 0)
        refuse(handle, name);
    if (colours == TJCS_CMYK || colours == TJCS_YCCK)
        refuse_image(name, "JPEG in CMYK", "convert it to RGB");
    return out;
}

void decode(std::string_view bytes, const std::string& name, Image& out) {
    Handle handle = open();
    // The slow exact transform is what Pillow takes. A file with thousands of scans takes hours.
    const int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;
    if (tjDecompress2(handle.get(), data(bytes), bytes.size(), out.rgb.data(), out.size.width, 0,
                      out.size.height, TJPF_RGB, flags) == 0)
        return;
    // Bytes between two segments are all that other readers pass over without loss.
    if (tjGetErrorCode(handle.get()) == TJERR_WARNING &&
        std::string_view(tjGetErrorStr2(handle.get())).find("extraneous bytes") !=
            std::string_view::npos)
        return;
    refuse(handle, name);
}

} // namespace

const Codec kJpeg = {
    "JPEG", [](std::string_view bytes) { return bytes.starts_with("\xff\xd8\xff"); }, size, decode};

} // namespace assay::engine
