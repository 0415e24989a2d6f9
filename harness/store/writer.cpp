#include "writer.h"

#include "assay/base/log.h"

#include <chrono>
#include <string>

namespace assay {

namespace {
constexpr std::size_t kBatchRows = 256;
constexpr auto kBatchTime = std::chrono::milliseconds(10);
constexpr std::size_t kQueueRows = 4096;
constexpr std::size_t kQueueBytes = 32u << 20;
// Pages move from the WAL to the file at this size. Hot index pages are then written once for many
// batches; larger costs more time to open after a crash.
constexpr std::int64_t kWalBytes = 32 << 20;

int remember_pages(void* into, sqlite3*, const char*, int pages) {
    *static_cast<int*>(into) = pages;
    return SQLITE_OK;
}
} // namespace

Writer::Writer(Database db, bool wal, bool durable)
    : db_(std::move(db))
    , wal_(wal)
    , durable_(durable) {
    inserter_.emplace(db_);
    db_.execute("PRAGMA wal_autocheckpoint=0");
    checkpoint_pages_ = static_cast<int>(kWalBytes / db_.integer("PRAGMA page_size"));
    sqlite3_wal_hook(db_.get(), remember_pages, &wal_pages_);
    thread_ = std::thread([this] { run(); });
}

Writer::~Writer() {
    queue_.lock()->stop = true;
    work_.notify_all();
    thread_.join();
    inserter_.reset();
    try {
        if (wal_) checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
    } catch (const Error& e) {
        log_debug("{}", e.message()); // the next open does it
    }
}

std::uint64_t Writer::push(Row row, std::size_t bytes, Urgency urgency) {
    auto queue = queue_.lock();
    queue.wait(space_, [&] {
        return queue->failure || (queue->rows.size() < kQueueRows &&
                                  (queue->bytes == 0 || queue->bytes + bytes <= kQueueBytes));
    });
    if (queue->failure) throw *queue->failure;
    if (queue->rows.empty()) queue->first = std::chrono::steady_clock::now();
    queue->rows.push_back(std::move(row));
    queue->bytes += bytes;
    queue->urgency = std::max(queue->urgency, urgency);
    std::uint64_t ticket = ++queue->pushed;
    bool wake = queue->idle || urgency != Urgency::Batch || queue->rows.size() == kBatchRows;
    queue->idle = false;
    queue.unlock();
    if (wake) work_.notify_one();
    return ticket;
}

void Writer::wait(std::uint64_t ticket) {
    auto queue = queue_.lock();
    queue.wait(done_, [&] { return queue->failure || queue->committed >= ticket; });
    if (queue->committed < ticket) throw *queue->failure;
}

void Writer::check() {
    auto queue = queue_.lock();
    if (queue->failure) throw *queue->failure;
}

bool Writer::take(std::vector<Row>& batch, Urgency& urgency) {
    auto queue = queue_.lock();
    queue->idle = queue->rows.empty();
    queue.wait(work_, [&] { return !queue->rows.empty() || queue->stop; });
    queue->idle = false;
    if (queue->rows.empty()) return false;
    queue.wait_until(work_, queue->first + kBatchTime, [&] {
        return queue->rows.size() >= kBatchRows || queue->urgency != Urgency::Batch || queue->stop;
    });
    batch.swap(queue->rows);
    urgency = queue->urgency;
    queue->urgency = Urgency::Batch;
    queue->bytes = 0;
    queue.unlock();
    space_.notify_all();
    return true;
}

void Writer::run() {
    std::vector<Row> batch;
    Urgency urgency = Urgency::Batch;
    while (take(batch, urgency)) {
        std::optional<Error> failure;
        try {
            commit(batch, urgency);
        } catch (const Error& e) {
            failure = e;
        } catch (const std::exception& e) {
            failure = Error(ErrorKind::Internal, "write " + db_.name() + ": " + e.what());
        }
        {
            auto queue = queue_.lock();
            if (failure)
                queue->failure = failure;
            else
                queue->committed += batch.size();
        }
        batch.clear();
        done_.notify_all();
        space_.notify_all();
        if (failure) {
            log_error("the run's store has stopped: {}", failure->message());
            queue_.lock()->rows.clear();
            return;
        }
    }
}

void Writer::commit(std::vector<Row>& batch, Urgency urgency) {
    synchronous(!durable_ ? "OFF" : urgency == Urgency::Durable || !wal_ ? "FULL" : "NORMAL");
    Transaction transaction(db_);
    for (Row& row : batch) inserter_->insert(row);
    transaction.commit();
    if (wal_pages_ < tried_pages_) tried_pages_ = 0; // the WAL has started over
    if (wal_pages_ - tried_pages_ > checkpoint_pages_) checkpoint(SQLITE_CHECKPOINT_PASSIVE);
}

void Writer::synchronous(const char* level) {
    if (level == level_) return;
    db_.execute((std::string("PRAGMA synchronous=") + level).c_str());
    level_ = level;
}

void Writer::checkpoint(int mode) {
    int code = sqlite3_wal_checkpoint_v2(db_.get(), nullptr, mode, nullptr, nullptr);
    // Busy: a reader still needs the old pages; tried again when the WAL has grown as much again.
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY && (code & 0xff) != SQLITE_LOCKED)
        db_.fail("write");
    tried_pages_ = wal_pages_;
}

} // namespace assay
