#include "assay/base/error.h"
#include "assay/store/reader.h"
#include "file_lock.h"
#include "inserter.h"
#include "open_file.h"

#include <unordered_map>

namespace assay {

namespace {

TryEnd end_of(const Statement& row) {
    TryEnd end;
    end.ended = row.integer(10);
    end.agent = agent_end_from(row.view(11));
    end.agent_detail = row.text(12);
    end.verify = verify_end_from(row.view(13));
    if (!row.is_null(14)) end.attempt_class = attempt_class_from(row.view(14));
    if (!row.is_null(15)) end.score = row.real(15);
    end.accepted = row.integer(16) != 0;
    if (!row.is_null(17)) end.error = ErrorRecord{row.text(17), row.text(18), row.text(19)};
    end.wall_seconds = row.real(20);
    end.queue_seconds = row.real(21);
    end.model_seconds = row.real(22);
    end.sandbox_seconds = row.real(23);
    end.turns = static_cast<int>(row.integer(24));
    end.usage.prompt_tokens = static_cast<std::uint64_t>(row.integer(25));
    end.usage.cached_tokens = static_cast<std::uint64_t>(row.integer(26));
    end.usage.completion_tokens = static_cast<std::uint64_t>(row.integer(27));
    end.usage.reasoning_tokens = static_cast<std::uint64_t>(row.integer(28));
    if (!row.is_null(29)) end.usage.cost = row.real(29);
    end.resources = {row.real(30),    row.integer(31), row.integer(32),
                     row.integer(33), row.integer(34), row.real(35)};
    end.environment = row.text(36);
    return end;
}

TryRow try_of(const Statement& row) {
    TryRow out;
    out.row = row.integer(0);
    out.id = row.id(1);
    out.slot = row.id(2);
    out.arm = row.id(3);
    out.task = row.text(4);
    out.family = row.text(5);
    out.attempt = static_cast<int>(row.integer(6));
    out.number = static_cast<int>(row.integer(7));
    out.began = row.integer(8);
    out.running = row.is_null(14);
    out.end = end_of(row);
    return out;
}

constexpr std::string_view kTries =
    "SELECT t.row, t.id, t.slot, s.arm, s.task, s.family, s.attempt, t.n, t.began, s.position, "
    "t.ended, t.agent_end, t.agent_detail, t.verify_end, t.class, t.score, t.accepted, "
    "t.error_kind, t.error_message, t.error_trace, t.wall_seconds, t.queue_seconds, "
    "t.model_seconds, t.sandbox_seconds, t.turns, t.prompt_tokens, t.cached_tokens, "
    "t.completion_tokens, t.reasoning_tokens, t.cost, t.cpu_seconds, t.memory_peak_bytes, "
    "t.oom_kills, t.pids_peak, t.disk_bytes, t.throttled_seconds, t.environment "
    "FROM try t JOIN slot s ON s.id = t.slot ";

CallRecord call_of(const Statement& row) {
    CallRecord call;
    call.id = row.id(2);
    if (!row.is_null(3)) call.parent = row.id(3);
    call.role = row.text(4);
    call.turn = static_cast<int>(row.integer(5));
    call.began = row.integer(6);
    call.model = row.text(7);
    call.finish = row.text(8);
    call.sampling = row.text(9);
    call.usage.prompt_tokens = static_cast<std::uint64_t>(row.integer(10));
    call.usage.cached_tokens = static_cast<std::uint64_t>(row.integer(11));
    call.usage.completion_tokens = static_cast<std::uint64_t>(row.integer(12));
    call.usage.reasoning_tokens = static_cast<std::uint64_t>(row.integer(13));
    if (!row.is_null(14)) call.usage.cost = row.real(14);
    call.seconds = row.real(15);
    call.queue_seconds = row.real(16);
    call.prefill_seconds = row.real(17);
    call.decode_seconds = row.real(18);
    call.tries = static_cast<int>(row.integer(19));
    if (!row.is_null(20)) call.prefix_broken = static_cast<std::uint64_t>(row.integer(20));
    call.prompt_ids = unpack_ids(row.view(21));
    call.completion_ids = unpack_ids(row.view(22));
    call.logprobs = unpack_logprobs(row.view(23));
    if (!row.is_null(24)) call.template_hash = row.digest(24);
    return call;
}

class RunReaderImpl final : public RunReader {
  public:
    explicit RunReaderImpl(const Path& path)
        : db_(open_any_format(path))
        , path_(path) {
        db_.execute("PRAGMA query_only=1; BEGIN"); // one snapshot for the reader's life
        plan_ = read_plan(db_);
        refs_ = Statement(db_, "SELECT name, blob, size, media_type FROM blob_ref "
                               "WHERE try = ? AND seq = ? ORDER BY position");
    }

    const PlanRecord& plan() override { return plan_; }

    RunSummary summary() override {
        Statement run(db_, "SELECT created, ended, status FROM run");
        if (!run.step()) throw Error(ErrorKind::Input, "read " + db_.name() + ": no run in it");
        RunSummary out{run.integer(0), run.integer(1), run.text(2), path_.string()};
        run.reset();
        if (out.status == "running" && !FileLock::held(path_)) out.status = "interrupted";
        return out;
    }

    std::vector<std::string> environments() override {
        std::vector<std::string> out;
        Statement row(db_, "SELECT json FROM environment ORDER BY time");
        while (row.step()) out.push_back(row.text(0));
        return out;
    }

    std::vector<AuditRecord> audit() override {
        std::vector<AuditRecord> out;
        Statement row(db_, "SELECT time, who, what, why FROM audit ORDER BY time, id");
        while (row.step()) out.push_back({row.integer(0), row.text(1), row.text(2), row.text(3)});
        return out;
    }

    std::vector<ConnectionChange> connection_changes() override {
        std::vector<ConnectionChange> out;
        Statement row(db_, "SELECT time, connection, old, new, cause FROM connection_limit "
                           "ORDER BY time, id");
        while (row.step())
            out.push_back({row.integer(0), row.text(1), static_cast<int>(row.integer(2)),
                           static_cast<int>(row.integer(3)), row.text(4)});
        return out;
    }

    std::vector<TryRow> tries() override {
        Statement row(db_, std::string(kTries) + "ORDER BY s.position, t.n");
        return all_tries(row);
    }

    std::vector<TryRow> tries(const std::string& task, std::optional<int> attempt) override {
        Statement row(db_, std::string(kTries) + "WHERE s.task = ?1 AND (?2 IS NULL OR "
                                                 "s.attempt = ?2) ORDER BY s.position, t.n");
        row.bind(1, task).bind(2, attempt);
        return all_tries(row);
    }

    std::vector<PhaseRecord> phases(std::int64_t try_row) override {
        std::vector<PhaseRecord> out;
        Statement row(db_, "SELECT name, began, seconds, queue_seconds, outcome FROM phase "
                           "WHERE try = ? ORDER BY seq");
        row.bind(1, try_row);
        while (row.step())
            out.push_back({row.text(0), row.integer(1), row.real(2), row.real(3), row.text(4)});
        return out;
    }

    std::vector<CallRecord> calls(std::int64_t try_row) override {
        std::vector<CallRecord> out;
        Statement row(db_, "SELECT * FROM call WHERE try = ? ORDER BY seq");
        row.bind(1, try_row);
        while (row.step()) {
            out.push_back(call_of(row));
            attach_blobs(out.back(), try_row, row.integer(1));
        }
        return out;
    }

    std::vector<ScoreRecord> scores(std::int64_t try_row) override {
        std::vector<ScoreRecord> out;
        Statement row(db_, "SELECT seq, scorer, version, metric, is_primary, value, deviations, "
                           "details, input_hash FROM score WHERE try = ? ORDER BY seq");
        row.bind(1, try_row);
        while (row.step()) {
            ScoreRecord score{row.text(1),         row.text(2), row.text(3),
                              row.integer(4) != 0, row.real(5), {},
                              row.text(6),         row.text(7), {}};
            if (!row.is_null(8)) score.input_hash = row.digest(8);
            auto blobs = blobs_of(try_row, row.integer(0));
            if (!blobs.empty()) score.explanation = blobs.front().second;
            out.push_back(std::move(score));
        }
        return out;
    }

    std::vector<ArtifactRow> artifacts(std::int64_t try_row) override {
        std::vector<ArtifactRow> out;
        Statement row(db_, "SELECT seq, path FROM artifact WHERE try = ? ORDER BY seq");
        row.bind(1, try_row);
        while (row.step()) {
            auto blobs = blobs_of(try_row, row.integer(0));
            if (blobs.empty())
                throw Error(ErrorKind::Input,
                            "read " + db_.name() + ": artifact " + row.text(1) + " has no content");
            out.push_back({row.text(1), blobs.front().second});
        }
        return out;
    }

    std::vector<Measurement> measurements(std::int64_t try_row) override {
        std::vector<Measurement> out;
        Statement row(db_, "SELECT name, unit, samples, facts FROM measurement WHERE try = ? "
                           "ORDER BY seq");
        row.bind(1, try_row);
        while (row.step())
            out.push_back({row.text(0), row.text(1), unpack_doubles(row.view(2)), row.text(3)});
        return out;
    }

    void events(std::int64_t try_row, const std::function<bool(EventRow)>& visit) override {
        Statement row(db_,
                      "SELECT seq, span, time, kind, json FROM event WHERE try = ? ORDER BY seq");
        row.bind(1, try_row);
        std::unordered_map<std::int64_t, int> depths;
        while (row.step()) {
            EventRow event;
            event.sequence = row.integer(0);
            if (!row.is_null(1)) {
                event.span = row.integer(1);
                event.depth = depths[*event.span] + 1;
                depths[event.sequence] = event.depth;
            }
            event.time = row.integer(2);
            event.kind = static_cast<EventKind>(row.integer(3));
            event.json = row.text(4);
            event.blobs = blobs_of(try_row, event.sequence);
            if (!visit(std::move(event))) return;
        }
    }

    std::string blob(const BlobRef& ref) override { return read_blob(db_, ref.hash); }

  private:
    using Blobs = std::vector<std::pair<std::string, BlobRef>>;

    static std::vector<TryRow> all_tries(Statement& row) {
        std::vector<TryRow> out;
        while (row.step()) out.push_back(try_of(row));
        return out;
    }

    Blobs blobs_of(std::int64_t try_row, std::int64_t seq) {
        Blobs out;
        refs_.bind(1, try_row).bind(2, seq);
        while (refs_.step())
            out.push_back({refs_.text(0),
                           BlobRef{refs_.digest(1), static_cast<std::uint64_t>(refs_.integer(2)),
                                   refs_.text(3)}});
        return out;
    }

    void attach_blobs(CallRecord& call, std::int64_t try_row, std::int64_t seq) {
        for (auto& [name, blob] : blobs_of(try_row, seq)) {
            if (name == "added")
                call.added.push_back(std::move(blob));
            else if (name == "output")
                call.output = std::move(blob);
            else if (name == "error")
                call.error = std::move(blob);
            else if (name == "tools")
                call.tools = std::move(blob);
            else if (name == "raw_request")
                call.raw_request = std::move(blob);
            else if (name == "raw_response")
                call.raw_response = std::move(blob);
        }
    }

    Database db_;
    Path path_;
    PlanRecord plan_;
    Statement refs_;
};

} // namespace

std::unique_ptr<RunReader> RunReader::open(const Path& path) {
    return std::make_unique<RunReaderImpl>(path);
}

} // namespace assay
