// The body of a chat-completions request. Pure: from our data to JSON text.
#pragma once

#include "assay/api/model.h"

#include <string>

namespace assay {

struct OpenAiDialect {
    std::string model;
    bool stream = true;
    bool max_completion_tokens = false; // the newer name of max_tokens
    bool send_reasoning = true;         // reasoning parts of earlier turns as reasoning_content
    int top_logprobs = -1;              // -1: no log-probabilities
};

// `blobs` may be nullptr if no message has an image; else throws Error(Internal).
std::string openai_request_body(const CompletionRequest& request, const OpenAiDialect& dialect,
                                BlobStore* blobs);

// A non-negative 31-bit seed from the key.
std::int64_t openai_seed(const SeedKey& key);

} // namespace assay
