// A request of either protocol, understood: what the model is asked, and how the answer is shown.
#pragma once

#include "assay/api/model.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assay::serve {

struct RequestLimits {
    bool images = false;                 // the model sees them
    std::size_t image_bytes = 20u << 20; // of one, decoded
    std::size_t images_most = 200;       // in a request
    std::size_t messages_most = 20'000;
    std::size_t prompts_most = 64; // of /v1/completions
};

struct ApiRequest {
    std::string model; // as the client calls it
    Sampling sampling;
    std::vector<Message> messages;
    std::vector<ToolSpec> tools;
    std::vector<std::string> prompts; // of /v1/completions, instead of messages
    std::optional<std::uint64_t> seed;
    bool stream = false;
    bool include_usage = false; // in a stream of the OpenAI protocol
};

} // namespace assay::serve
