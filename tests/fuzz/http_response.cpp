// The client's reading of an answer: any bytes give an answer within the limits or an HttpError,
// and how they are cut into pieces makes no difference.
#include "assay/net/http_client.h"
#include "memory_stream.h"

#include <cstdlib>
#include <string>

using namespace assay;

namespace {
std::string outcome(std::string_view bytes, std::size_t step, const std::string& method) {
    test::MemoryStream stream(bytes, step);
    HttpOptions options;
    options.max_body = 4096;
    options.max_header = 2048;
    HttpRequest request;
    request.method = method;
    try {
        HttpResponse response = send_over(stream, request, options, Cancel());
        if (response.body.size() > options.max_body) std::abort();
        if (response.status < 200 || response.status > 999) std::abort();
        std::string text = std::to_string(response.status) + response.reason;
        for (const auto& [name, value] : response.headers) text += "\n" + name + "=" + value;
        return text + "\n\n" + response.body;
    } catch (const HttpError& e) {
        return "HttpError";
    }
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    std::string_view bytes(reinterpret_cast<const char*>(data + 2), size - 2);
    std::string method = data[1] % 4 == 0 ? "HEAD" : "GET";
    std::string whole = outcome(bytes, 1 << 16, method);
    if (outcome(bytes, 1 + data[0] % 32, method) != whole) std::abort();
    return 0;
}
