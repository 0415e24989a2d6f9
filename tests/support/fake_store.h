// A RunStore in memory, for tests of what writes to it.
//
//   FakeStore store(plan);
//   ... run ...
//   REQUIRE(store.tries().at(0).end.accepted);
//
// Thread-safe. tries() is a copy.
#pragma once

#include "assay/store/store.h"
#include "fake_trial.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace assay::test {

struct FakeTry {
    Id slot;
    int number = 1;
    bool finished = false;
    TryEnd end;
    std::vector<FakeEvent> events;
    std::vector<CallRecord> calls;
    std::vector<PhaseRecord> phases;
    std::vector<ScoreRecord> scores;
    std::vector<Measurement> measurements;
    std::vector<std::string> artifacts;
};

class FakeStore final : public RunStore {
  public:
    explicit FakeStore(PlanRecord plan)
        : plan_(std::move(plan)) {}

    bool live_readers() const override { return true; }
    const PlanRecord& plan() const override { return plan_; }
    BlobStore& blobs() override { return memory; }
    std::vector<SlotRecord> open_slots() override {
        std::lock_guard lock(mutex_);
        std::vector<SlotRecord> open;
        for (const SlotRecord& slot : plan_.slots)
            if (!accepted_.contains(slot.id)) open.push_back(slot);
        return open;
    }
    std::unique_ptr<TryWriter> begin_try(const Id& slot) override {
        std::lock_guard lock(mutex_);
        if (fail_on_begin > 0 && --fail_on_begin == 0)
            throw Error(ErrorKind::Io, "write run.db: no space left on device");
        auto made = std::make_shared<FakeTry>();
        made->slot = slot;
        made->number = ++numbers_[slot];
        tries_.push_back(made);
        return std::make_unique<Writer>(*this, made);
    }
    void environment(std::string_view json) override { environments.emplace_back(json); }
    void connection_changed(const ConnectionChange&) override {}
    void audit(std::string_view, std::string_view, std::string_view) override {}
    void price(std::string_view, std::string_view) override {}
    void flush() override {}
    void finish_run(std::string_view status) override { run_status = status; }

    std::vector<FakeTry> tries() {
        std::lock_guard lock(mutex_);
        std::vector<FakeTry> out;
        for (const auto& one : tries_) out.push_back(*one);
        return out;
    }

    MemoryBlobs memory;
    std::vector<std::string> environments;
    std::string run_status;
    int fail_on_begin = 0; // the n-th begin_try throws, as on a full disk

  private:
    class Writer final : public TryWriter {
      public:
        Writer(FakeStore& store, std::shared_ptr<FakeTry> row)
            : store_(store)
            , row_(std::move(row))
            , id_(try_id(row_->slot, row_->number)) {}
        const Id& id() const override { return id_; }
        int number() const override { return row_->number; }
        void call(CallRecord call) override {
            std::lock_guard lock(store_.mutex_);
            row_->calls.push_back(std::move(call));
        }
        void phase(PhaseRecord phase) override {
            std::lock_guard lock(store_.mutex_);
            row_->phases.push_back(std::move(phase));
        }
        void score(ScoreRecord score) override {
            std::lock_guard lock(store_.mutex_);
            row_->scores.push_back(std::move(score));
        }
        void artifact(std::string_view path, const BlobRef&) override {
            std::lock_guard lock(store_.mutex_);
            row_->artifacts.emplace_back(path);
        }
        void measurement(const Measurement& measurement) override {
            std::lock_guard lock(store_.mutex_);
            row_->measurements.push_back(measurement);
        }
        void finish(TryEnd end) override {
            std::lock_guard lock(store_.mutex_);
            if (end.accepted && !store_.accepted_.insert(row_->slot).second)
                throw Error(ErrorKind::Internal, "a second accepted try of one slot");
            row_->end = std::move(end);
            row_->finished = true;
        }

      protected:
        std::int64_t write(std::optional<std::int64_t> span, EventKind kind, std::string json,
                           std::vector<EventBlob> blobs) override {
            std::lock_guard lock(store_.mutex_);
            row_->events.push_back(fake_event(span, kind, std::move(json), blobs));
            return std::ssize(row_->events) - 1;
        }

      private:
        FakeStore& store_;
        std::shared_ptr<FakeTry> row_;
        Id id_;
    };

    PlanRecord plan_;
    std::mutex mutex_;
    std::vector<std::shared_ptr<FakeTry>> tries_;
    std::map<Id, int> numbers_;
    std::set<Id> accepted_;
};

} // namespace assay::test
