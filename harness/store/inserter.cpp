#include "inserter.h"

namespace assay {

Inserter::Inserter(Database& db)
    : db_(db)
    , begin_(db, "INSERT INTO try(row, id, slot, n, began) VALUES(?,?,?,?,?)")
    , finish_(db, "UPDATE try SET ended=?, agent_end=?, agent_detail=?, verify_end=?, class=?, "
                  "score=?, accepted=?, error_kind=?, error_message=?, error_trace=?, "
                  "wall_seconds=?, queue_seconds=?, model_seconds=?, sandbox_seconds=?, turns=?, "
                  "prompt_tokens=?, cached_tokens=?, completion_tokens=?, reasoning_tokens=?, "
                  "cost=?, cpu_seconds=?, memory_peak_bytes=?, oom_kills=?, pids_peak=?, "
                  "disk_bytes=?, throttled_seconds=?, environment=? WHERE row=?")
    , event_(db, "INSERT INTO event VALUES(?,?,?,?,?,?)")
    , call_(db, "INSERT INTO call VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
    , phase_(db, "INSERT INTO phase VALUES(?,?,?,?,?,?,?)")
    , score_(db, "INSERT INTO score VALUES(?,?,?,?,?,?,?,?,?,?)")
    , artifact_(db, "INSERT INTO artifact VALUES(?,?,?)")
    , measurement_(db, "INSERT INTO measurement VALUES(?,?,?,?,?,?)")
    , blob_(db, "INSERT OR IGNORE INTO blob(hash, codec, size, bytes) VALUES(?,?,?,?)")
    , chunk_(db, "INSERT OR IGNORE INTO blob_chunk(blob, n, codec, size, bytes) VALUES(?,?,?,?,?)")
    , ref_(db, "INSERT INTO blob_ref VALUES(?,?,?,?,?,?,?,?)")
    , environment_(db, "INSERT OR IGNORE INTO environment VALUES(?,?,?)")
    , audit_(db, "INSERT OR IGNORE INTO audit VALUES(?,?,?,?,?)")
    , price_(db, "INSERT OR IGNORE INTO price VALUES(?,?,?)")
    , connection_(db, "INSERT OR IGNORE INTO connection_limit VALUES(?,?,?,?,?,?)")
    , end_(db, "UPDATE run SET ended=?, status=?") {}

void Inserter::insert(Row& row) {
    std::visit([this](auto& r) { (*this)(r); }, row);
}

void Inserter::operator()(BeginRow& row) {
    begin_.bind(1, row.row).bind(2, row.id).bind(3, row.slot).bind(4, row.number);
    begin_.bind(5, row.began).run();
}

void Inserter::operator()(FinishRow& row) {
    const TryEnd& end = *row.end;
    finish_.bind(1, end.ended).bind(2, to_string(end.agent)).bind(3, end.agent_detail);
    finish_.bind(4, to_string(end.verify)).bind(5, to_string(end.attempt_class));
    finish_.bind(6, end.score).bind(7, end.accepted ? 1 : 0);
    if (end.error) {
        finish_.bind(8, end.error->kind).bind(9, end.error->message).bind(10, end.error->trace);
    } else {
        finish_.bind_null(8).bind_null(9).bind_null(10);
    }
    finish_.bind(11, end.wall_seconds).bind(12, end.queue_seconds).bind(13, end.model_seconds);
    finish_.bind(14, end.sandbox_seconds).bind(15, end.turns);
    finish_.bind(16, end.usage.prompt_tokens).bind(17, end.usage.cached_tokens);
    finish_.bind(18, end.usage.completion_tokens).bind(19, end.usage.reasoning_tokens);
    finish_.bind(20, end.usage.cost);
    const ResourceUsage& used = end.resources;
    finish_.bind(21, used.cpu_seconds).bind(22, used.memory_peak_bytes).bind(23, used.oom_kills);
    finish_.bind(24, used.pids_peak).bind(25, used.disk_bytes).bind(26, used.throttled_seconds);
    finish_.bind(27, end.environment).bind(28, row.row).run();
}

void Inserter::operator()(NewEventRow& row) {
    event_.bind(1, row.key.attempt).bind(2, row.key.seq).bind(3, row.span).bind(4, row.time);
    event_.bind(5, static_cast<int>(row.kind)).bind(6, row.json).run();
    int position = 0;
    for (const NamedBlob& entry : row.blobs)
        refer(row.key, position++, "event", entry.name, entry.blob);
}

void Inserter::operator()(NewCallRow& row) {
    const CallRecord& call = *row.call;
    std::string prompt = pack_ids(call.prompt_ids), completion = pack_ids(call.completion_ids);
    std::string logprobs = pack_logprobs(call.logprobs);
    call_.bind(1, row.key.attempt).bind(2, row.key.seq).bind(3, call.id).bind(4, call.parent);
    call_.bind(5, call.role).bind(6, call.turn).bind(7, call.began).bind(8, call.model);
    call_.bind(9, call.finish).bind(10, call.sampling).bind(11, call.usage.prompt_tokens);
    call_.bind(12, call.usage.cached_tokens).bind(13, call.usage.completion_tokens);
    call_.bind(14, call.usage.reasoning_tokens).bind(15, call.usage.cost).bind(16, call.seconds);
    call_.bind(17, call.queue_seconds).bind(18, call.prefill_seconds);
    call_.bind(19, call.decode_seconds).bind(20, call.tries).bind(21, call.prefix_broken);
    const std::string* packed[] = {&prompt, &completion, &logprobs};
    for (int i = 0; i < 3; ++i) {
        if (packed[i]->empty())
            call_.bind_null(22 + i);
        else
            call_.bind_blob(22 + i, *packed[i]);
    }
    call_.bind(25, call.template_hash).run();
    int position = 0;
    for (const BlobRef& blob : call.added) refer(row.key, position++, "call", "added", blob);
    refer(row.key, position++, "call", call.error ? "error" : "output",
          call.error ? *call.error : call.output);
    if (call.tools) refer(row.key, position++, "call", "tools", *call.tools);
    if (call.raw_request) refer(row.key, position++, "call", "raw_request", *call.raw_request);
    if (call.raw_response) refer(row.key, position++, "call", "raw_response", *call.raw_response);
}

void Inserter::operator()(NewPhaseRow& row) {
    phase_.bind(1, row.key.attempt).bind(2, row.key.seq).bind(3, row.phase.name);
    phase_.bind(4, row.phase.began).bind(5, row.phase.seconds).bind(6, row.phase.queue_seconds);
    phase_.bind(7, row.phase.end).run();
}

void Inserter::operator()(NewScoreRow& row) {
    const ScoreRecord& score = *row.score;
    score_.bind(1, row.key.attempt).bind(2, row.key.seq).bind(3, score.scorer);
    score_.bind(4, score.version).bind(5, score.metric).bind(6, score.primary ? 1 : 0);
    score_.bind(7, score.value).bind(8, score.deviations).bind(9, score.details);
    score_.bind(10, score.input_hash).run();
    if (score.explanation) refer(row.key, 0, "score", "explanation", *score.explanation);
}

void Inserter::operator()(NewArtifactRow& row) {
    artifact_.bind(1, row.key.attempt).bind(2, row.key.seq).bind(3, row.path).run();
    refer(row.key, 0, "artifact", "file", row.blob);
}

void Inserter::operator()(NewMeasurementRow& row) {
    const Measurement& measurement = *row.measurement;
    std::string samples = pack_doubles(measurement.samples);
    measurement_.bind(1, row.key.attempt).bind(2, row.key.seq).bind(3, measurement.name);
    measurement_.bind(4, measurement.unit).bind_blob(5, samples).bind(6, measurement.facts).run();
}

void Inserter::operator()(BlobRow& row) {
    blob_.bind(1, row.hash).bind(2, static_cast<int>(row.packed.codec)).bind(3, row.size);
    blob_.bind_blob(4, row.packed.bytes).run();
}

void Inserter::operator()(ChunkRow& row) {
    chunk_.bind(1, row.blob).bind(2, row.number).bind(3, static_cast<int>(row.packed.codec));
    chunk_.bind(4, row.size).bind_blob(5, row.packed.bytes).run();
}

void Inserter::refer(const RowKey& key, int position, std::string_view owner, std::string_view name,
                     const BlobRef& blob) {
    ref_.bind(1, key.attempt).bind(2, key.seq).bind(3, position).bind(4, owner).bind(5, name);
    ref_.bind(6, blob.hash).bind(7, blob.size).bind(8, blob.media_type).run();
}

void Inserter::operator()(EnvironmentRow& row) {
    environment_.bind(1, row.id).bind(2, row.time).bind(3, row.json).run();
}
void Inserter::operator()(AuditRow& row) {
    audit_.bind(1, row.id).bind(2, row.time).bind(3, row.who).bind(4, row.what).bind(5, row.why);
    audit_.run();
}
void Inserter::operator()(PriceRow& row) {
    price_.bind(1, row.model).bind(2, row.time).bind(3, row.json).run();
}
void Inserter::operator()(ConnectionRow& row) {
    const ConnectionChange& change = row.change;
    connection_.bind(1, row.id).bind(2, change.time).bind(3, change.connection);
    connection_.bind(4, change.before).bind(5, change.after).bind(6, change.cause).run();
}
void Inserter::operator()(EndRow& row) {
    end_.bind(1, row.time).bind(2, row.status).run();
}

void Inserter::operator()(FetchRow& row) {
    try {
        row.answer.set_value(read_blob(db_, row.hash));
    } catch (const Error&) {
        row.answer.set_exception(std::current_exception());
    }
}

std::string read_blob(Database& db, const Digest& hash) {
    Statement find(db, "SELECT codec, size, bytes FROM blob WHERE hash = ?");
    find.bind(1, hash);
    if (!find.step())
        throw Error(ErrorKind::Input, "read " + db.name() + ": there is no blob " + hash.hex());
    auto codec = static_cast<Codec>(find.integer(0));
    auto size = static_cast<std::uint64_t>(find.integer(1));
    if (codec != Codec::Chunked) return decompress(codec, find.view(2), size);
    std::string out;
    Statement chunks(db, "SELECT codec, size, bytes FROM blob_chunk WHERE blob = ? ORDER BY n");
    chunks.bind(1, hash);
    while (chunks.step())
        out += decompress(static_cast<Codec>(chunks.integer(0)), chunks.view(2),
                          static_cast<std::uint64_t>(chunks.integer(1)));
    if (out.size() != size)
        throw Error(ErrorKind::Input, "read " + db.name() + ": blob " + hash.hex() +
                                          " is damaged: a part is missing");
    return out;
}

} // namespace assay
