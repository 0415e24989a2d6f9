// The model providers, by the prefix of a spec. A registry for harness/cli: --model, --judge,
// `assay list models`.
//
//   m3:CHECKPOINT[@OPTIONS]   the engine in this process
//   openai:MODEL[@BASE_URL]   any server that speaks chat completions
//   script:FILE               answers by rules, see docs/models.md
//   replay:RUN.db[@loose]     the answers of a finished run
//   null[:turns=N]            answers at once; for benchmarks of the harness
//
// A model made here neither retries nor limits itself: wrap it in RetryingModel (retrying.h).
#pragma once

#include "assay/api/model.h"
#include "assay/api/recording.h"
#include "assay/base/fs.h"
#include "assay/base/redact.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

class PriceTable;

struct ModelOptions {
    // OPENAI_API_KEY, OPENAI_BASE_URL and what --model-env adds. Values are secrets.
    std::map<std::string, std::string> environment;
    // Cleans what is stored: replay must clean what it compares. Outlives the models.
    const Redactor* redactor = nullptr;
    BlobStore* blobs = nullptr;                      // nullptr: requests with images are refused
    FileSystem* files = nullptr;                     // nullptr: the real one
    std::shared_ptr<const PriceTable> prices;        // nullptr: no cost is known
    std::optional<std::uint64_t> context_tokens;     // of a served model, if the user knows it
    Nanoseconds timeout = std::chrono::seconds(600); // of one call
    Nanoseconds idle_timeout = std::chrono::seconds(300); // without any byte of the answer
    int top_logprobs = -1; // 0 and more: ask for log-probabilities, with so many alternatives
    // Opens the recording behind replay:PATH; without it replay is refused.
    std::function<std::shared_ptr<RecordingSource>(const std::string& path)> open_recording;
    std::function<void(const std::string& text)> warn; // mismatches of replay:...@loose
};

struct ModelKind {
    std::string prefix;      // "openai"
    std::string form;        // "openai:MODEL[@BASE_URL]"
    std::string description; // one sentence
};

const std::vector<ModelKind>& model_kinds();

// Throws Error(Usage) for a spec that is wrong, Error(Input) for a script that is.
std::unique_ptr<Model> make_model(std::string_view spec, const ModelOptions& options);

} // namespace assay
