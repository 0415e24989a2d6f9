// What a sandbox that has been taken over could send: message payloads, and the stream of a folder
// transfer. Nothing may be written outside of the folder.
#include "assay/base/error.h"
#include "local/transfer.h"
#include "memory_stream.h"
#include "wire/wire.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>

namespace fs = std::filesystem;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    assay::wire::Reader reader(text);
    reader.i32();
    reader.str();
    for (const std::string& item : reader.list())
        if (item.size() > size) std::abort();
    reader.u64();

    static const assay::TempFolder folder("assay-fuzz");
    fs::path inside = folder.path() / "in";
    assay::test::MemoryStream stream(text, 1000);
    try {
        assay::local::receive_tree(stream, inside, 1 << 20, assay::Cancel());
    } catch (const assay::Error&) {
        // Malformed: said so.
    }
    std::size_t entries = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder.path())) entries++;
    if (entries > 1) std::abort(); // something beside "in"
    for (const auto& entry : fs::recursive_directory_iterator(inside)) {
        if (!entry.is_symlink()) continue;
        std::error_code failed; // links in a circle lead nowhere
        fs::path end = fs::weakly_canonical(entry.path(), failed);
        if (failed) continue;
        fs::path relative = end.lexically_relative(fs::canonical(inside));
        if (!relative.empty() && *relative.begin() == "..") std::abort(); // a name may begin so
    }
    fs::remove_all(inside);
    return 0;
}
