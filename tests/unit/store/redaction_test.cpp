// A secret given to every text that the store takes, and looked for in all that it wrote.
#include "assay/base/redact.h"
#include "assay/store/reader.h"
#include "assay/store/store.h"
#include "catch.h"
#include "packing.h"
#include "sample_plan.h"
#include "sqlite.h"

using namespace assay;

namespace {

const std::string kSecret = "sk-very\"secret/value+1";

void write_everywhere(const Path& file, const Redactor* redactor) {
    PlanRecord plan = sample_plan(1, 1);
    plan.source = kSecret;
    plan.settings = "{\"key\":\"sk-very\\\"secret/value+1\"}"; // as JSON spells it
    plan.arms[0].settings = plan.settings;
    plan.arms[0].model = kSecret;
    plan.refused = {{"x", kSecret}};
    auto store = RunStore::create(file, plan, {.redactor = redactor});
    store->environment("{\"env\":\"" + base64_encode(kSecret) + "\"}");
    store->audit(kSecret, kSecret, kSecret);
    store->price(kSecret, kSecret);
    store->connection_changed({1, kSecret, 1, 2, kSecret});
    auto attempt = store->begin_try(plan.slots[0].id);
    attempt->emit(EventKind::Note, plan.settings);
    std::string long_text = std::string(5000, 'x') + kSecret; // packed by zstd
    BlobRef text = store->blobs().put(long_text, "text/plain");
    BlobRef bytes = store->blobs().put("sh " + kSecret, "application/octet-stream");
    attempt->emit(EventKind::Exec, "{}", {{"out", text}, {"err", bytes}});
    CallRecord call;
    call.role = call.sampling = call.model = call.finish = kSecret;
    call.added = {store->blobs().put(plan.settings, "application/json")};
    call.output = call.added[0];
    call.raw_request = store->blobs().put("Bearer " + kSecret, "");
    attempt->call(call);
    attempt->phase({kSecret, 0, 0, 0, kSecret});
    attempt->score({kSecret, kSecret, kSecret, true, 1, text, plan.settings, plan.settings});
    attempt->artifact("/out/" + kSecret, bytes);
    attempt->measurement({kSecret, kSecret, {1}, plan.settings});
    TryEnd end = scored(1);
    end.agent_detail = kSecret;
    end.environment = plan.settings;
    end.error = ErrorRecord{kSecret, kSecret, kSecret};
    attempt->finish(end);
    store->finish_run(kSecret);
}

// Names of the columns in which the secret is found, blobs unpacked.
std::vector<std::string> found(const Path& file) {
    std::vector<std::string> out;
    Database db(file, Database::Mode::Read, "");
    std::string forms[] = {kSecret, "sk-very\\\"secret/value+1", base64_encode(kSecret)};
    auto has = [&](std::string_view text) {
        return std::any_of(std::begin(forms), std::end(forms), [&](const std::string& form) {
            return text.find(form) != std::string_view::npos;
        });
    };
    Statement tables(db, "SELECT name FROM sqlite_schema WHERE type = 'table'");
    while (tables.step()) {
        Statement names(db, "SELECT name FROM pragma_table_info(?)");
        std::string table = tables.text(0);
        names.bind(1, table);
        while (names.step()) {
            Statement rows(db, "SELECT " + names.text(0) + " FROM " + table);
            while (rows.step())
                if (has(rows.view(0))) out.push_back(table + "." + names.text(0));
        }
    }
    Statement blobs(db, "SELECT codec, bytes, size FROM blob WHERE codec = 1");
    while (blobs.step())
        if (has(decompress(Codec::Zstd, blobs.view(1),
                           static_cast<std::uint64_t>(blobs.integer(2)))))
            out.push_back("blob, unpacked");
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

} // namespace

TEST_CASE("store: a secret reaches no column and no blob") {
    TempFolder folder;
    Redactor redactor;
    redactor.add("API_KEY", kSecret);
    write_everywhere(folder.path() / "clean.db", &redactor);
    CHECK(found(folder.path() / "clean.db").empty());
    // Without the redactor it is in each of them: the search above would have seen it.
    write_everywhere(folder.path() / "open.db", nullptr);
    CHECK(found(folder.path() / "open.db") ==
          std::vector<std::string>{"arm.model",
                                   "arm.settings",
                                   "artifact.path",
                                   "audit.what",
                                   "audit.who",
                                   "audit.why",
                                   "blob, unpacked",
                                   "blob.bytes",
                                   "call.finish",
                                   "call.model",
                                   "call.role",
                                   "call.sampling",
                                   "connection_limit.cause",
                                   "connection_limit.connection",
                                   "environment.json",
                                   "event.json",
                                   "measurement.facts",
                                   "measurement.name",
                                   "measurement.unit",
                                   "phase.name",
                                   "phase.outcome",
                                   "price.json",
                                   "price.model",
                                   "refused.reason",
                                   "run.settings",
                                   "run.source",
                                   "run.status",
                                   "score.details",
                                   "score.deviations",
                                   "score.metric",
                                   "score.scorer",
                                   "score.version",
                                   "try.agent_detail",
                                   "try.environment",
                                   "try.error_kind",
                                   "try.error_message",
                                   "try.error_trace"});
    auto reader = RunReader::open(folder.path() / "clean.db");
    CHECK(reader->tries().at(0).end.error->message == "[REDACTED:API_KEY]");
    CHECK(reader->calls(reader->tries()[0].row).at(0).raw_request->size ==
          std::string("Bearer [REDACTED:API_KEY]").size());
}

TEST_CASE("store: redaction leaves pictures as they are") {
    TempFolder folder;
    Redactor redactor;
    redactor.add("API_KEY", "abcdefgh");
    auto store = RunStore::create(folder.path() / "run.db", sample_plan(), {.redactor = &redactor});
    BlobRef image = store->blobs().put("\x89PNG abcdefgh", "image/png");
    CHECK(store->blobs().get(image) == "\x89PNG abcdefgh");
}
