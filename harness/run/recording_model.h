// The Model that a trial's agent and scorer see: fixes ids and seeds, stores each call with only
// what is new since the call before, counts budgets.
//
// A call that fails for good or is interrupted is a row with its error; it is nobody's parent and
// no turn of the budget.
//
// What a CallRecord means: the prompt of a call is the prompt of its parent, the parent's output,
// then `added` - except that an `added` that begins with an assistant message replaces the parent's
// output (the agent rewrote it). Without a parent `added` is the whole prompt. The parent is the
// latest call whose prompt and an answer to it were sent again: found by comparing MessageRefs, so
// an agent that names none is stored just as compactly, and one that asks the same again is not
// given an answer that it left out.
#pragma once

#include "assay/api/model.h"
#include "assay/base/clock.h"
#include "assay/run/observer.h"
#include "assay/store/store.h"
#include "budget.h"

#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace assay {

struct RecordingContext { // borrowed from the trial
    TryWriter& writer;
    BlobStore& blobs;
    TryBudget& budget;
    RunObserver& observer;
    const Clock& clock;
    const SlotRecord& slot;
    std::uint64_t seed = 0;
    std::function<void(bool)> waiting; // of each call, see CompletionRequest
};

class RecordingModel final : public Model {
  public:
    RecordingModel(Model& inner, std::string role, RecordingContext context)
        : inner_(inner)
        , role_(std::move(role))
        , context_(std::move(context)) {}

    std::string name() const override { return inner_.name(); }
    ModelCapabilities capabilities() const override { return inner_.capabilities(); }
    std::string connection_key() const override { return inner_.connection_key(); }
    Completion complete(const CompletionRequest& request, const DeltaSink& sink,
                        const Cancel& cancel) override;
    std::optional<std::string> token_bytes(std::int32_t token) const override {
        return inner_.token_bytes(token);
    }
    std::vector<TokenLogprob> score(std::span<const std::int32_t> ids,
                                    const Cancel& cancel) override {
        return inner_.score(ids, cancel);
    }
    SeedKey next_seed();

  private:
    struct Answered { // a call: its prompt is the first `length` messages of its conversation
        Id call;
        std::size_t length = 0;
        Digest output;
    };
    struct Conversation {
        std::vector<MessageRef> messages; // the latest prompt
        std::vector<Answered> calls;
    };
    struct Parent {
        std::optional<Id> call;
        std::size_t told = 0; // messages of the request that the parent's prompt and output hold
    };
    static constexpr std::size_t kConversations = 4; // a summariser's, beside the main one

    SeedKey seed_of(int turn) const;
    Parent find_parent(const std::vector<MessageRef>& prompt) const; // the mutex is held,
    void remember(const std::vector<MessageRef>& prompt, const CallRecord& record); // in these two
    void note_request(const CompletionRequest& sent, const Parent& parent, CallRecord& record);
    void store(const CompletionRequest& sent, const Completion& completion, CallRecord record);
    void store_failed(std::string_view why, CallRecord record);
    void emit(const CallRecord& record);

    Model& inner_;
    const std::string role_;
    RecordingContext context_;
    std::mutex mutex_; // guards what follows; not held during the inner call
    int turns_ = 0;
    std::vector<Conversation> conversations_; // least recently used first
    std::vector<ToolSpec> tools_;             // as last stored
};

} // namespace assay
