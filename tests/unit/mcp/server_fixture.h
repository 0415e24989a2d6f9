// Starts the test server over plain pipes and connects a client to it.
#pragma once

#include "assay/mcp/client.h"
#include "local_process.h"

#include <memory>
#include <thread>

namespace assay::test {

struct ServerFixture {
    Spawner spawner;
    Cancel cancel;

    std::unique_ptr<mcp::Client> start(std::vector<std::string> arguments,
                                       mcp::ClientOptions options = {.era = mcp::Era::Legacy},
                                       mcp::StdioLimits limits = {}) {
        arguments.insert(arguments.begin(), ASSAY_BUILD_DIR "/bin/assay_test_mcp_server");
        options.server = "nasty";
        auto process = std::make_unique<LocalProcess>(spawner, std::move(arguments));
        return std::make_unique<mcp::Client>(mcp::stdio_transport(std::move(process), limits),
                                             std::move(options));
    }
    std::unique_ptr<mcp::Client> open(std::vector<std::string> arguments,
                                      mcp::ClientOptions options = {.era = mcp::Era::Legacy},
                                      mcp::StdioLimits limits = {}) {
        auto client = start(std::move(arguments), std::move(options), limits);
        client->open(cancel);
        return client;
    }
};

// The message of the Error that `what` throws; empty if it throws none.
template<class What>
std::string error_of(What&& what) {
    try {
        what();
    } catch (const Error& e) {
        return e.message();
    }
    return "";
}

inline bool has(std::string_view text, std::string_view part) {
    return text.find(part) != text.npos;
}

} // namespace assay::test
