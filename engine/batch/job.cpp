#include "job.h"

#include "assay/base/random.h"

namespace assay::engine {

namespace {

std::vector<TokenKey> keys_of(const GenerateRequest& request, std::size_t hidden) {
    std::vector<TokenKey> keys(request.prompt.begin(), request.prompt.end());
    for (const MediaRows& media : request.media) {
        const std::size_t rows = media.rows->size() / hidden;
        CounterRandom hash(media.content);
        for (std::size_t i = 0; i < rows; ++i)
            keys[static_cast<std::size_t>(media.first) + i] = hash.next() | (TokenKey{1} << 63);
    }
    return keys;
}

} // namespace

Job::Job(GenerateRequest given, const Cancel& caller, int hidden)
    : request(std::move(given))
    , cancel(caller)
    , ids(request.prompt)
    , keys(keys_of(request, static_cast<std::size_t>(hidden))) {}

void Job::append(const TokenChoice& choice) {
    ids.push_back(choice.id);
    keys.push_back(static_cast<TokenKey>(choice.id));
    ++seen[choice.id];
}

} // namespace assay::engine
