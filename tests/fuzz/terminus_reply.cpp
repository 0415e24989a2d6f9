// Replies of a model in the terminal protocol: no input may crash, and an error carries no
// commands.
#include "terminus_reply.h"

#include "terminus_keys.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const assay::TerminusReply& reply :
         {assay::parse_terminus_json(text), assay::parse_terminus_xml(text)}) {
        if (!reply.ok() && !reply.commands.empty()) std::abort();
        for (const assay::TerminusCommand& command : reply.commands) {
            if (!(command.duration >= 0)) std::abort();
            assay::terminal_bytes(command.keystrokes);
        }
    }
    return 0;
}
