#include "assay/models/retrying.h"

#include "assay/api/trial.h"
#include "assay/base/log.h"
#include "assay/base/random.h"
#include "assay/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace assay {

namespace {

bool is_transient(ModelFault fault) {
    return fault == ModelFault::Retry || fault == ModelFault::Overload ||
           fault == ModelFault::Timeout;
}

void tell(const CompletionRequest& request, const ModelError& error, int failed, double wait) {
    log_debug("model call {} failed ({}), again in {:.1f} s: {}", failed, to_string(error.fault()),
              wait, error.message());
    if (request.events == nullptr) return;
    request.events->emit(EventKind::Retry,
                         fmt::format(R"({{"what":"model","role":{},"turn":{},"try":{},"fault":{},)"
                                     R"("after_seconds":{:.3f},"reason":{}}})",
                                     json_quote(request.seed.role), request.seed.turn, failed,
                                     json_quote(to_string(error.fault())), wait,
                                     json_quote(error.message())));
}

class Waiting { // while it lives
  public:
    explicit Waiting(const CompletionRequest& request)
        : request_(request) {
        if (request_.waiting) request_.waiting(true);
    }
    ~Waiting() {
        if (request_.waiting) request_.waiting(false);
    }
    Waiting(const Waiting&) = delete;

  private:
    const CompletionRequest& request_;
};

} // namespace

double retry_wait(const RetryPolicy& policy, const SeedKey& seed, int next,
                  std::optional<double> retry_after) {
    double wait = seconds(policy.first_wait) * std::pow(2.0, std::clamp(next - 2, 0, 40));
    wait = std::min(wait, seconds(policy.longest_wait));
    CounterRandom random(seed.text() + "/retry/" + std::to_string(next));
    double jitter = random.uniform();
    // Between half of it and all of it; after a Retry-After a little later than asked, so that
    // those who were told the same do not come back together.
    double own = wait * (0.5 + 0.5 * jitter);
    return retry_after ? std::max(own, *retry_after + 0.1 * wait * jitter) : own;
}

RetryingModel::RetryingModel(std::shared_ptr<Model> inner, std::shared_ptr<ConnectionLimit> limit,
                             const RetryPolicy& policy, const Clock& clock, Sleep sleep)
    : inner_(std::move(inner))
    , limit_(std::move(limit))
    , policy_(policy)
    , clock_(clock)
    , sleep_(std::move(sleep)) {
    if (!sleep_)
        sleep_ = [](Nanoseconds time, const Cancel& cancel) { return cancel.sleep_for(time); };
}

Completion RetryingModel::call_inner(const CompletionRequest& request, const DeltaSink& sink,
                                     const Cancel& cancel) {
    if (!request.try_limit) return inner_->complete(request, sink, cancel);
    try {
        return inner_->complete(request, sink,
                                cancel.child(Cause::Deadline, *request.try_limit, "one try"));
    } catch (const Interrupted&) {
        cancel.check();
        throw ModelError(ModelFault::Timeout,
                         fmt::format("no answer within {:g} s", seconds(*request.try_limit)));
    }
}

Completion RetryingModel::try_once(const CompletionRequest& request, const DeltaSink& sink,
                                   const Cancel& cancel, double& queued) {
    if (!limit_) return call_inner(request, sink, cancel);
    auto began = clock_.now();
    ConnectionLimit::Slot slot = [&] {
        Waiting waiting(request);
        return limit_->acquire(cancel);
    }();
    queued += seconds(clock_.now() - began);
    try {
        Completion completion = call_inner(request, sink, cancel);
        slot.succeeded();
        return completion;
    } catch (const ModelError& e) {
        if (e.fault() == ModelFault::Overload) slot.overloaded(e.retry_after_seconds().has_value());
        throw;
    }
}

// Why there is no further try after a transient error; empty: there is one.
std::string RetryingModel::give_up(const ModelError& e, int tries) const {
    if (tries >= policy_.max_tries) return fmt::format("given up after {} tries", tries);
    if (e.retry_after_seconds().value_or(0) > seconds(policy_.longest_retry_after))
        return fmt::format("the server asks to wait {:.0f} s", *e.retry_after_seconds());
    return {};
}

Completion RetryingModel::complete(const CompletionRequest& request, const DeltaSink& sink,
                                   const Cancel& cancel) {
    double queued = 0;
    for (int tries = 1;; ++tries) {
        try {
            Completion completion = try_once(request, sink, cancel, queued);
            completion.tries += tries - 1;
            completion.queue_seconds += queued;
            return completion;
        } catch (ModelError& e) {
            if (!is_transient(e.fault())) {
                e.set_tries(tries, queued);
                throw;
            }
            cancel.check(); // a call that died of the cancel is not the model's fault
            if (std::string why = give_up(e, tries); !why.empty()) {
                ModelError last(e.fault(), fmt::format("{} ({})", e.message(), why),
                                e.retry_after_seconds());
                last.set_tries(tries, queued);
                throw last;
            }
            double wait = retry_wait(policy_, request.seed, tries + 1, e.retry_after_seconds());
            tell(request, e, tries, wait);
            if (!warned_.exchange(true)) // a dead server is else silent for minutes
                log_warn("model {}: {}; tried again, up to {} times", name(), e.message(),
                         policy_.max_tries - 1);
            Waiting waiting(request);
            if (!sleep_(from_seconds(wait), cancel)) cancel.check();
            queued += wait;
        }
    }
}

std::vector<TokenLogprob> RetryingModel::score(std::span<const std::int32_t> ids,
                                               const Cancel& cancel) {
    ConnectionLimit::Slot slot;
    if (limit_) slot = limit_->acquire(cancel);
    return inner_->score(ids, cancel);
}

std::shared_ptr<Model> with_retries(std::unique_ptr<Model> inner, ConnectionPool& pool,
                                    const RetryPolicy& policy, const Clock& clock) {
    std::string key = inner->connection_key();
    return std::make_shared<RetryingModel>(std::move(inner), key.empty() ? nullptr : pool.at(key),
                                           policy, clock);
}

} // namespace assay
