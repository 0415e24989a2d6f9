// A model that tries again what may go better the next time: faults Retry, Overload and Timeout.
//
//   ConnectionPool pool({}, clock);
//   std::shared_ptr<Model> model = with_retries(make_model(spec, options), pool, {}, clock);
//
// Waits grow exponentially with jitter from the request's seed key, and are at least what the
// server asks for by Retry-After. Each retry is an event of the request's trial and counts as
// queue time of the completion, as waiting for a place does. A try longer than the request's
// try_limit is a Timeout. A DeltaSink may see the beginnings of tries that then failed.
// Thread-safe: one serves all trials of a run.
#pragma once

#include "assay/api/model.h"
#include "assay/models/connection_limit.h"

#include <atomic>
#include <functional>
#include <memory>

namespace assay {

struct RetryPolicy {
    int max_tries = 8;
    Nanoseconds first_wait = std::chrono::seconds(1); // doubles with each try
    Nanoseconds longest_wait = std::chrono::seconds(60);
    // A server that asks for more than this is not waited for.
    Nanoseconds longest_retry_after = std::chrono::minutes(10);
};

// Seconds to wait before try number `next` (from 2).
double retry_wait(const RetryPolicy& policy, const SeedKey& seed, int next,
                  std::optional<double> retry_after);

class RetryingModel final : public Model {
  public:
    // False if cancelled before the time was over; the default is Cancel::sleep_for.
    using Sleep = std::function<bool(Nanoseconds, const Cancel&)>;

    // `limit` may be nullptr: none.
    RetryingModel(std::shared_ptr<Model> inner, std::shared_ptr<ConnectionLimit> limit,
                  const RetryPolicy& policy, const Clock& clock, Sleep sleep = {});

    std::string name() const override { return inner_->name(); }
    ModelCapabilities capabilities() const override { return inner_->capabilities(); }
    std::string connection_key() const override { return inner_->connection_key(); }
    std::optional<Digest> fingerprint() const override { return inner_->fingerprint(); }
    std::string plan() const override { return inner_->plan(); }
    Completion complete(const CompletionRequest& request, const DeltaSink& sink,
                        const Cancel& cancel) override;
    std::optional<std::string> token_bytes(std::int32_t token) const override {
        return inner_->token_bytes(token);
    }
    std::vector<TokenLogprob> score(std::span<const std::int32_t> ids,
                                    const Cancel& cancel) override;

  private:
    std::string give_up(const ModelError& e, int tries) const;
    Completion call_inner(const CompletionRequest& request, const DeltaSink& sink,
                          const Cancel& cancel);
    Completion try_once(const CompletionRequest& request, const DeltaSink& sink,
                        const Cancel& cancel, double& queued);

    std::shared_ptr<Model> inner_;
    std::shared_ptr<ConnectionLimit> limit_;
    const RetryPolicy policy_;
    const Clock& clock_;
    Sleep sleep_;
    std::atomic<bool> warned_ = false; // once a run: the later retries are events only
};

// A model with an empty connection_key() gets no limit.
std::shared_ptr<Model> with_retries(std::unique_ptr<Model> inner, ConnectionPool& pool,
                                    const RetryPolicy& policy, const Clock& clock);

} // namespace assay
