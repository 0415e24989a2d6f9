#include "schema.h"

#include <fmt/format.h>

#include <string>

namespace assay {

namespace {

// Rows of a try share one counter, so (try, seq) names a row across event, call, phase, score,
// artifact and measurement, and is what blob_ref points from. An event's span is the
// seq of the event that opened it.
const char* const kVersion1 = R"sql(
CREATE TABLE run(
    id BLOB PRIMARY KEY, suite TEXT NOT NULL, suite_version TEXT NOT NULL, source TEXT NOT NULL,
    seed INTEGER NOT NULL, settings TEXT NOT NULL, metrics TEXT NOT NULL, plan_digest BLOB NOT NULL,
    created INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT 'running') STRICT;
CREATE TABLE arm(
    id BLOB PRIMARY KEY, position INTEGER NOT NULL, label TEXT NOT NULL UNIQUE, agent TEXT NOT NULL,
    agent_version TEXT NOT NULL, model TEXT NOT NULL, judge TEXT NOT NULL, settings TEXT NOT NULL)
    STRICT;
CREATE TABLE slot(
    id BLOB PRIMARY KEY, arm BLOB NOT NULL REFERENCES arm(id), task TEXT NOT NULL,
    family TEXT NOT NULL, task_digest TEXT NOT NULL, attempt INTEGER NOT NULL,
    position INTEGER NOT NULL UNIQUE, UNIQUE(task, arm, attempt)) STRICT;
CREATE TABLE refused(
    position INTEGER PRIMARY KEY, task TEXT NOT NULL, reason TEXT NOT NULL) STRICT;

CREATE TABLE try(
    row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, slot BLOB NOT NULL REFERENCES slot(id),
    n INTEGER NOT NULL, began INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0,
    agent_end TEXT NOT NULL DEFAULT 'none', agent_detail TEXT NOT NULL DEFAULT '',
    verify_end TEXT NOT NULL DEFAULT 'none', class TEXT, score REAL,
    accepted INTEGER NOT NULL DEFAULT 0 CHECK(accepted IN (0, 1)),
    error_kind TEXT, error_message TEXT, error_trace TEXT,
    wall_seconds REAL NOT NULL DEFAULT 0, queue_seconds REAL NOT NULL DEFAULT 0,
    model_seconds REAL NOT NULL DEFAULT 0, sandbox_seconds REAL NOT NULL DEFAULT 0,
    turns INTEGER NOT NULL DEFAULT 0, prompt_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens INTEGER NOT NULL DEFAULT 0, completion_tokens INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens INTEGER NOT NULL DEFAULT 0, cost REAL,
    cpu_seconds REAL NOT NULL DEFAULT -1, memory_peak_bytes INTEGER NOT NULL DEFAULT -1,
    oom_kills INTEGER NOT NULL DEFAULT -1, pids_peak INTEGER NOT NULL DEFAULT -1,
    disk_bytes INTEGER NOT NULL DEFAULT -1, throttled_seconds REAL NOT NULL DEFAULT -1,
    environment TEXT NOT NULL DEFAULT '{}', UNIQUE(slot, n)) STRICT;
CREATE UNIQUE INDEX try_accepted ON try(slot) WHERE accepted = 1;

CREATE TABLE event(
    try INTEGER NOT NULL REFERENCES try(row), seq INTEGER NOT NULL,
    span INTEGER CHECK(span < seq), time INTEGER NOT NULL, kind INTEGER NOT NULL,
    json TEXT NOT NULL, PRIMARY KEY(try, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE event_kind(kind INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
INSERT INTO event_kind VALUES
    (1, 'phase_begin'), (2, 'phase_end'), (3, 'model'), (4, 'tool_call'), (5, 'tool_result'),
    (6, 'exec'), (7, 'terminal'), (8, 'message'), (9, 'note'), (10, 'error'), (11, 'limit'),
    (12, 'score'), (13, 'sandbox'), (14, 'retry');
CREATE TABLE call(
    try INTEGER NOT NULL REFERENCES try(row), seq INTEGER NOT NULL, id BLOB NOT NULL, parent BLOB,
    role TEXT NOT NULL, turn INTEGER NOT NULL, began INTEGER NOT NULL, model TEXT NOT NULL,
    finish TEXT NOT NULL, sampling TEXT NOT NULL, prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL, cost REAL, seconds REAL NOT NULL,
    queue_seconds REAL NOT NULL, prefill_seconds REAL NOT NULL, decode_seconds REAL NOT NULL,
    tries INTEGER NOT NULL, prefix_broken INTEGER, prompt_ids BLOB, completion_ids BLOB,
    logprobs BLOB, PRIMARY KEY(try, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE phase(
    try INTEGER NOT NULL REFERENCES try(row), seq INTEGER NOT NULL, name TEXT NOT NULL,
    began INTEGER NOT NULL, seconds REAL NOT NULL, queue_seconds REAL NOT NULL,
    outcome TEXT NOT NULL, PRIMARY KEY(try, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE score(
    try INTEGER NOT NULL REFERENCES try(row), seq INTEGER NOT NULL, scorer TEXT NOT NULL,
    version TEXT NOT NULL, metric TEXT NOT NULL, is_primary INTEGER NOT NULL, value REAL NOT NULL,
    deviations TEXT NOT NULL, details TEXT NOT NULL, PRIMARY KEY(try, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE artifact(
    try INTEGER NOT NULL REFERENCES try(row), seq INTEGER NOT NULL, path TEXT NOT NULL,
    PRIMARY KEY(try, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE measurement(
    try INTEGER NOT NULL REFERENCES try(row), seq INTEGER NOT NULL, name TEXT NOT NULL,
    unit TEXT NOT NULL, samples BLOB NOT NULL, facts TEXT NOT NULL, PRIMARY KEY(try, seq))
    STRICT, WITHOUT ROWID;

CREATE TABLE blob(
    row INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, codec INTEGER NOT NULL,
    size INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
CREATE TABLE blob_chunk(
    row INTEGER PRIMARY KEY, blob BLOB NOT NULL, n INTEGER NOT NULL, codec INTEGER NOT NULL,
    size INTEGER NOT NULL, bytes BLOB NOT NULL, UNIQUE(blob, n)) STRICT;
CREATE TABLE blob_ref(
    try INTEGER NOT NULL REFERENCES try(row), seq INTEGER NOT NULL, position INTEGER NOT NULL,
    owner TEXT NOT NULL, name TEXT NOT NULL, blob BLOB NOT NULL, size INTEGER NOT NULL,
    media_type TEXT NOT NULL, PRIMARY KEY(try, seq, position)) STRICT, WITHOUT ROWID;

CREATE TABLE environment(
    id BLOB PRIMARY KEY, time INTEGER NOT NULL, json TEXT NOT NULL) STRICT;
CREATE TABLE price(
    model TEXT NOT NULL, time INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY(model, time))
    STRICT;
CREATE TABLE audit(
    id BLOB PRIMARY KEY, time INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,
    why TEXT NOT NULL) STRICT;
CREATE TABLE connection_limit(
    id BLOB PRIMARY KEY, time INTEGER NOT NULL, connection TEXT NOT NULL, old INTEGER NOT NULL,
    new INTEGER NOT NULL, cause TEXT NOT NULL) STRICT;

CREATE VIEW v_attempt AS
    SELECT s.task, s.family, s.attempt, a.label AS arm, t.n AS try, t.class, t.score,
           t.error_kind, t.error_message, t.turns, t.prompt_tokens, t.completion_tokens, t.cost,
           t.wall_seconds, t.queue_seconds, t.model_seconds, t.sandbox_seconds,
           datetime(t.began / 1000000, 'unixepoch') AS began, t.accepted, t.row AS try_row
    FROM slot s JOIN arm a ON a.id = s.arm
    LEFT JOIN try t ON t.row = (
        SELECT row FROM try WHERE slot = s.id ORDER BY accepted DESC, n DESC LIMIT 1)
    ORDER BY s.position;
CREATE VIEW v_leaderboard AS
    SELECT arm, count(*) AS tasks, sum(scored) AS attempts, avg(mean) AS score,
           sum(infrastructure_errors) AS infrastructure_errors,
           sum(verifier_errors) AS verifier_errors, sum(open) AS open, sum(cost) AS cost
    FROM (SELECT arm, task, avg(score) AS mean, count(score) AS scored,
                 sum(class IS 'infrastructure_error') AS infrastructure_errors,
                 sum(class IS 'verifier_error') AS verifier_errors,
                 sum(accepted IS NOT 1) AS open, sum(cost) AS cost
          FROM v_attempt GROUP BY arm, task)
    GROUP BY arm ORDER BY score DESC;
CREATE VIEW v_event AS
    SELECT s.task, s.attempt, t.n AS try, e.seq, e.span,
           strftime('%Y-%m-%dT%H:%M:%fZ', e.time / 1000000.0, 'unixepoch') AS time,
           coalesce(k.name, e.kind) AS kind, e.json, t.row AS try_row
    FROM event e JOIN try t ON t.row = e.try JOIN slot s ON s.id = t.slot
    LEFT JOIN event_kind k ON k.kind = e.kind;
)sql";

const char* const kVersion2 = R"sql(
ALTER TABLE score ADD COLUMN input_hash BLOB;
ALTER TABLE call ADD COLUMN template_hash BLOB;
)sql";

// Entry i brings version i to i + 1. Never edit a released one: append.
const char* const kMigrations[] = {kVersion1, kVersion2};
static_assert(std::size(kMigrations) == kSchemaVersion);

} // namespace

void migrate(Database& db, int version) {
    auto at = static_cast<int>(db.integer("PRAGMA user_version"));
    if (at >= version) return;
    Transaction transaction(db);
    for (; at < version; ++at) db.execute(kMigrations[at]);
    db.execute(
        fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", kApplicationId, version)
            .c_str());
    transaction.commit();
}

int check_schema(Database& db) {
    std::int64_t application = db.integer("PRAGMA application_id");
    std::int64_t version = db.integer("PRAGMA user_version");
    std::int64_t tables = db.integer("SELECT count(*) FROM sqlite_schema");
    if (tables == 0)
        throw Error(ErrorKind::Input, "open " + db.name() + ": the file holds no run, it is empty");
    if (application != kApplicationId)
        throw Error(ErrorKind::Input,
                    "open " + db.name() + ": an SQLite database, but not a run of assay");
    if (version > kSchemaVersion)
        throw Error(ErrorKind::Input,
                    fmt::format("open {}: written by a newer assay (format {}; this one knows "
                                "formats up to {})",
                                db.name(), version, kSchemaVersion))
            .hint("use the assay that wrote it, or a later one");
    if (version < 1)
        throw Error(ErrorKind::Input, fmt::format("open {}: the file claims format {}, which "
                                                  "never existed: it is damaged",
                                                  db.name(), version));
    return static_cast<int>(version);
}

} // namespace assay
