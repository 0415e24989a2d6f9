// The server's reading of requests, pipelined ones included.
#include "assay/net/http_server.h"
#include "memory_stream.h"

#include <cstdlib>

using namespace assay;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    HttpServerOptions options;
    options.max_body = 4096;
    options.max_header = 2048;
    test::MemoryStream stream(bytes, 1 + data[0] * 16u);
    auto handler = [&](const HttpRequest& request, ResponseWriter& writer) {
        if (request.body.size() > options.max_body || request.method.empty()) std::abort();
        writer.start({});
        writer.write(request.body);
    };
    serve_connection(stream, handler, options, Cancel());
    return 0;
}
