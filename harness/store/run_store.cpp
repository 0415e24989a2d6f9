#include "assay/base/error.h"
#include "assay/base/sync.h"
#include "assay/store/store.h"
#include "file_lock.h"
#include "open_file.h"
#include "writer.h"

#include <fmt/format.h>

#include <atomic>
#include <map>
#include <mutex>

namespace assay {

namespace {

bool is_binary(std::string_view media_type) {
    return media_type.starts_with("image/")
               ? media_type != "image/svg+xml"
               : media_type.starts_with("video/") || media_type.starts_with("audio/");
}

// Every text passes here on its way into a row.
class Scrubber {
  public:
    explicit Scrubber(const Redactor* redactor)
        : redactor_(redactor) {}
    bool active() const { return redactor_ != nullptr && !redactor_->empty(); }
    void clean(std::string& text) const {
        if (active()) text = redactor_->clean(std::move(text));
    }
    std::string copy(std::string_view text) const {
        std::string out(text);
        clean(out);
        return out;
    }

  private:
    const Redactor* redactor_;
};

// Hashes of blobs that were queued lately: saves packing and writing them again. Direct-mapped, so
// it never grows; a miss costs one INSERT that finds the row there.
class RecentBlobs {
  public:
    bool contains(const Digest& hash) {
        std::lock_guard lock(mutex_);
        return slots_[index(hash)] == hash;
    }
    void add(const Digest& hash) {
        std::lock_guard lock(mutex_);
        slots_[index(hash)] = hash;
    }

  private:
    static std::size_t index(const Digest& hash) {
        return (hash.bytes[0] | hash.bytes[1] << 8) & (kSlots - 1);
    }
    static constexpr std::size_t kSlots = 1 << 13;
    std::mutex mutex_;
    std::vector<Digest> slots_ = std::vector<Digest>(kSlots);
};

class StoreBlobs final : public BlobStore {
  public:
    StoreBlobs(Writer& writer, Scrubber scrubber)
        : writer_(writer)
        , scrubber_(scrubber) {}

    BlobRef put(std::string_view bytes, std::string_view media_type) override {
        std::string cleaned;
        if (scrubber_.active() && !is_binary(media_type)) {
            cleaned = scrubber_.copy(bytes);
            bytes = cleaned;
        }
        BlobRef ref{sha256(bytes), bytes.size(), scrubber_.copy(media_type)};
        if (recent_.contains(ref.hash)) {
            writer_.check();
            return ref;
        }
        Packed packed{Codec::Chunked, {}};
        if (bytes.size() <= kChunkBytes)
            packed = compress(bytes, media_type);
        else
            put_chunks(ref.hash, bytes, media_type);
        std::size_t size = packed.bytes.size();
        writer_.push(BlobRow{ref.hash, bytes.size(), std::move(packed)}, size);
        recent_.add(ref.hash); // after the push: who finds it here may refer to it
        return ref;
    }

    std::string get(const BlobRef& ref) override {
        FetchRow fetch{ref.hash, {}};
        std::future<std::string> answer = fetch.answer.get_future();
        writer_.push(std::move(fetch), 0, Urgency::Now);
        try {
            return answer.get();
        } catch (const std::future_error&) { // the writer stopped before it came to this row
            writer_.check();
            throw;
        }
    }

  private:
    void put_chunks(const Digest& hash, std::string_view bytes, std::string_view media_type) {
        for (int n = 0; !bytes.empty(); ++n) {
            std::string_view part = bytes.substr(0, kChunkBytes);
            Packed packed = compress(part, media_type);
            std::size_t size = packed.bytes.size();
            writer_.push(ChunkRow{hash, n, part.size(), std::move(packed)}, size);
            bytes.remove_prefix(part.size());
        }
    }

    Writer& writer_;
    Scrubber scrubber_;
    RecentBlobs recent_;
};

struct SlotState {
    int tries = 0;
    bool accepted = false;
};

struct StoreCore { // shared by the store and its TryWriters
    const Clock& clock;
    Scrubber scrubber;
    Sync<std::map<Id, SlotState>> slots;
    Writer writer;
};

class TryWriterImpl final : public TryWriter {
  public:
    TryWriterImpl(StoreCore& core, std::int64_t row, Id slot, int number)
        : core_(core)
        , row_(row)
        , slot_(slot)
        , number_(number)
        , id_(try_id(slot, number)) {}

    const Id& id() const override { return id_; }
    int number() const override { return number_; }

    void call(CallRecord call) override {
        for (std::string* text : {&call.role, &call.sampling, &call.model, &call.finish})
            core_.scrubber.clean(*text);
        if (call.id == Id{}) call.id = call_id(id_, call.role, call.turn);
        std::size_t size = 256 + 4 * (call.prompt_ids.size() + call.completion_ids.size()) +
                           64 * (call.added.size() + call.logprobs.size());
        push(NewCallRow{next(), std::make_unique<CallRecord>(std::move(call))}, size);
    }

    void phase(PhaseRecord phase) override {
        for (std::string* text : {&phase.name, &phase.end}) core_.scrubber.clean(*text);
        push(NewPhaseRow{next(), std::move(phase)}, 64);
    }

    void score(ScoreRecord score) override {
        for (std::string* text :
             {&score.scorer, &score.version, &score.metric, &score.deviations, &score.details})
            core_.scrubber.clean(*text);
        std::size_t size = 128 + score.details.size();
        push(NewScoreRow{next(), std::make_unique<ScoreRecord>(std::move(score))}, size);
    }

    void artifact(std::string_view path, const BlobRef& blob) override {
        push(NewArtifactRow{next(), core_.scrubber.copy(path), blob}, 128 + path.size());
    }

    void measurement(const Measurement& measurement) override {
        auto copy = std::make_unique<Measurement>(measurement);
        for (std::string* text : {&copy->name, &copy->unit, &copy->facts})
            core_.scrubber.clean(*text);
        std::size_t size = copy->facts.size() + 8 * copy->samples.size();
        push(NewMeasurementRow{next(), std::move(copy)}, size);
    }

    void finish(TryEnd end) override {
        core_.scrubber.clean(end.agent_detail);
        core_.scrubber.clean(end.environment);
        if (end.error)
            for (std::string* text : {&end.error->kind, &end.error->message, &end.error->trace})
                core_.scrubber.clean(*text);
        check_open();
        if (end.accepted) claim_slot();
        finished_ = true;
        if (end.ended == 0) end.ended = core_.clock.wall_microseconds();
        auto row = FinishRow{row_, std::make_unique<TryEnd>(std::move(end))};
        core_.writer.wait(core_.writer.push(std::move(row), 1024, Urgency::Durable));
    }

  protected:
    std::int64_t write(std::optional<std::int64_t> span, EventKind kind, std::string json,
                       std::vector<EventBlob> blobs) override {
        core_.scrubber.clean(json);
        std::vector<NamedBlob> named;
        named.reserve(blobs.size());
        for (EventBlob& entry : blobs)
            named.push_back({std::string(entry.name), std::move(entry.blob)});
        std::size_t size = json.size() + named.size() * 64;
        RowKey key = next();
        push(NewEventRow{key, span, core_.clock.wall_microseconds(), kind, std::move(json),
                         std::move(named)},
             size);
        return key.seq;
    }

  private:
    RowKey next() { return {row_, sequence_.fetch_add(1, std::memory_order_relaxed)}; }

    void push(Row row, std::size_t size) {
        check_open();
        core_.writer.push(std::move(row), size);
    }

    void check_open() const {
        if (finished_) throw Error(ErrorKind::Internal, "a row came after its try was finished");
    }

    void claim_slot() {
        auto slots = core_.slots.lock();
        SlotState& state = slots->at(slot_);
        if (state.accepted)
            throw Error(ErrorKind::Internal,
                        "slot " + slot_.hex() + " has an accepted try already");
        state.accepted = true;
    }

    StoreCore& core_;
    const std::int64_t row_;
    const Id slot_;
    const int number_;
    const Id id_;
    std::atomic<std::int64_t> sequence_{0};
    std::atomic<bool> finished_{false};
};

const Clock& clock_of(const StoreOptions& options) {
    static const SystemClock system;
    return options.clock != nullptr ? *options.clock : system;
}

PlanRecord scrubbed(PlanRecord plan, const Scrubber& scrubber) {
    for (std::string* text : {&plan.source, &plan.settings, &plan.metrics}) scrubber.clean(*text);
    for (ArmRecord& arm : plan.arms)
        for (std::string* text : {&arm.label, &arm.model, &arm.judge, &arm.settings})
            scrubber.clean(*text);
    for (auto& [task, why] : plan.refused) scrubber.clean(why);
    return plan;
}

// Nothing else writes the file now, so what has begun and not ended never will.
void close_lost_tries(Database& db, std::int64_t now) {
    Transaction transaction(db);
    Statement close(db, "UPDATE try SET ended=?, class='infrastructure_error', "
                        "error_kind='harness/interrupted', "
                        "error_message='assay ended before this try did', error_trace='' "
                        "WHERE class IS NULL");
    close.bind(1, now).run();
    db.execute("UPDATE run SET ended=0, status='running'");
    transaction.commit();
}

class RunStoreImpl final : public RunStore {
  public:
    RunStoreImpl(std::unique_ptr<FileLock> lock, OpenedFile file, const StoreOptions& options)
        : lock_(std::move(lock))
        , wal_(file.wal)
        , plan_(read_plan(file.db))
        , next_row_(file.db.integer("SELECT coalesce(max(row), 0) + 1 FROM try"))
        , core_{clock_of(options), Scrubber(options.redactor), Sync(read_slots(file.db)),
                Writer(std::move(file.db), file.wal, options.durable)}
        , blobs_(core_.writer, core_.scrubber) {}

    bool live_readers() const override { return wal_; }
    const PlanRecord& plan() const override { return plan_; }
    BlobStore& blobs() override { return blobs_; }

    std::vector<SlotRecord> open_slots() override {
        auto slots = core_.slots.lock();
        std::vector<SlotRecord> out;
        for (const SlotRecord& slot : plan_.slots)
            if (!slots->at(slot.id).accepted) out.push_back(slot);
        return out;
    }

    std::unique_ptr<TryWriter> begin_try(const Id& slot) override {
        int number = 0;
        {
            auto slots = core_.slots.lock();
            auto found = slots->find(slot);
            if (found == slots->end())
                throw Error(ErrorKind::Internal, "slot " + slot.hex() + " is not in the plan");
            if (found->second.accepted)
                throw Error(ErrorKind::Internal,
                            "slot " + slot.hex() + " has an accepted try already");
            number = ++found->second.tries;
        }
        std::int64_t row = next_row_.fetch_add(1);
        core_.writer.push(
            BeginRow{row, try_id(slot, number), slot, number, core_.clock.wall_microseconds()}, 64);
        return std::make_unique<TryWriterImpl>(core_, row, slot, number);
    }

    void environment(std::string_view json) override {
        std::int64_t now = core_.clock.wall_microseconds();
        std::string text = core_.scrubber.copy(json);
        core_.writer.push(EnvironmentRow{row_id("environment", now, text), now, text}, text.size());
    }
    void audit(std::string_view who, std::string_view what, std::string_view why) override {
        std::int64_t now = core_.clock.wall_microseconds();
        AuditRow row{
            {}, now, core_.scrubber.copy(who), core_.scrubber.copy(what), core_.scrubber.copy(why)};
        row.id = row_id("audit", now, row.who + '\0' + row.what + '\0' + row.why);
        core_.writer.push(std::move(row), 256);
    }
    void price(std::string_view model, std::string_view json) override {
        core_.writer.push(PriceRow{core_.scrubber.copy(model), core_.clock.wall_microseconds(),
                                   core_.scrubber.copy(json)},
                          256);
    }

    void connection_changed(const ConnectionChange& change) override {
        ConnectionRow row{{}, change};
        core_.scrubber.clean(row.change.connection);
        core_.scrubber.clean(row.change.cause);
        row.id =
            row_id("connection_limit", change.time,
                   fmt::format("{}\n{}\n{}", row.change.connection, change.before, change.after));
        core_.writer.push(std::move(row), 128);
    }

    void flush() override {
        core_.writer.wait(core_.writer.push(BarrierRow{}, 0, Urgency::Durable));
    }
    void finish_run(std::string_view status) override {
        EndRow row{core_.clock.wall_microseconds(), core_.scrubber.copy(status)};
        core_.writer.wait(core_.writer.push(std::move(row), 64, Urgency::Durable));
    }

  private:
    // Derived, so that the same row of two shards is one row after a merge.
    Id row_id(std::string_view what, std::int64_t now, const std::string& text) const {
        return Id::derive(plan_.run.hex() + '\0' + std::string(what) + '\0' + std::to_string(now) +
                          '\0' + text);
    }

    std::map<Id, SlotState> read_slots(Database& db) const {
        std::map<Id, SlotState> out;
        for (const SlotRecord& slot : plan_.slots) out[slot.id];
        Statement tries(db, "SELECT slot, max(n), max(accepted) FROM try GROUP BY slot");
        while (tries.step()) {
            SlotState& state = out[tries.id(0)];
            state.tries = static_cast<int>(tries.integer(1));
            state.accepted = tries.integer(2) != 0;
        }
        return out;
    }

    std::unique_ptr<FileLock> lock_; // first: released when all else is closed
    const bool wal_;
    const PlanRecord plan_;
    std::atomic<std::int64_t> next_row_;
    StoreCore core_;
    StoreBlobs blobs_;
};

} // namespace

std::unique_ptr<RunStore> RunStore::create(const Path& path, const PlanRecord& plan,
                                           const StoreOptions& options) {
    auto lock = std::make_unique<FileLock>(path);
    RealFileSystem files;
    if (files.exists(path))
        throw Error(ErrorKind::Usage, "create " + path.string() + ": the file exists already")
            .hint("`assay resume " + path.string() + "` goes on with it; or choose another name");
    create_file(path, scrubbed(plan, Scrubber(options.redactor)),
                clock_of(options).wall_microseconds(), options);
    OpenedFile file = open_for_writing(path, options);
    return std::make_unique<RunStoreImpl>(std::move(lock), std::move(file), options);
}

std::unique_ptr<RunStore> RunStore::open(const Path& path, const StoreOptions& options) {
    RealFileSystem files;
    if (!files.exists(path))
        throw Error(ErrorKind::Input, "open " + path.string() + ": there is no such file");
    auto lock = std::make_unique<FileLock>(path);
    OpenedFile file = open_for_writing(path, options);
    close_lost_tries(file.db, clock_of(options).wall_microseconds());
    return std::make_unique<RunStoreImpl>(std::move(lock), std::move(file), options);
}

} // namespace assay
