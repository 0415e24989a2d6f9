// The HTTP test server as a program, for sandboxes: assay_test_mcp_http_server PORT
#include "mcp_http_handler.h"

#include <unistd.h>

#include <cstdlib>

int main(int argc, char** argv) {
    assay::test::McpHttpServer handler;
    handler.events = true;
    assay::HttpServer server(
        assay::listen_loopback(static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0)),
        [&](const assay::HttpRequest& request, assay::ResponseWriter& writer) {
            handler(request, writer);
        });
    for (;;) ::pause();
}
