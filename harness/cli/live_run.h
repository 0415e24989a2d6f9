// A plan brought to life: suite, tasks, sandboxes, models and agents, built from the plan's
// settings and what the command line says about this start.
//
//   PlanRecord plan = plan_of(arguments);
//   LiveRun live(plan, arguments, redactor);   // finds what is wrong before the file is made
//   auto store = RunStore::create(...);
//   live.connect(*store);
//   Run run(live.parts(*store, observer), live.settings());
#pragma once

#include "arguments.h"
#include "assay/base/redact.h"
#include "assay/models/retrying.h"
#include "assay/run/run.h"
#include "assay/store/store.h"
#include "plan_settings.h"

#include <memory>
#include <string>
#include <vector>

namespace assay {

class PriceTable;

// What `assay plan` and `assay run` without --plan fix. Throws Error(Usage), Error(Input).
PlanRecord plan_of(const RunArguments& arguments);

// The store's blobs for models that are made before the store.
class LateBlobs final : public BlobStore {
  public:
    void connect(BlobStore& blobs) { blobs_ = &blobs; }
    BlobRef put(std::string_view bytes, std::string_view media_type) override {
        return blobs_->put(bytes, media_type);
    }
    std::string get(const BlobRef& ref) override { return blobs_->get(ref); }

  private:
    BlobStore* blobs_ = nullptr;
};

class LiveRun {
  public:
    // Learns the secrets of the models' environment before anything can be stored.
    LiveRun(const PlanRecord& plan, const RunArguments& arguments, Redactor& redactor);

    void connect(RunStore& store);
    const std::string& environment() const { return environment_; } // the record of this start
    RunParts parts(RunStore& store, RunObserver& observer);
    RunSettings settings() const;
    SandboxBackend& sandboxes() { return *sandboxes_; }

  private:
    void load_tasks();
    std::shared_ptr<Model> model(const std::string& spec);
    void need_price(const Model& model) const;
    void make_arms();

    const PlanRecord& plan_;
    const RunArguments& arguments_;
    Redactor& redactor_;
    PlanSettings plan_settings_;
    SystemClock clock_;
    std::unique_ptr<Suite> suite_;
    std::unique_ptr<TaskSet> tasks_;
    std::unique_ptr<SandboxBackend> sandboxes_;
    std::map<std::string, std::string> model_environment_;
    std::string prices_text_;
    std::string environment_; // the record of this start
    std::shared_ptr<const PriceTable> prices_;
    std::unique_ptr<ConnectionPool> pool_;
    LateBlobs blobs_;
    RunStore* store_ = nullptr;                            // once connected
    std::map<std::string, std::shared_ptr<Model>> models_; // by spec
    std::vector<Arm> arms_;
};

} // namespace assay
