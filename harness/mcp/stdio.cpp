// MCP over the pipes of a process. Two threads: one reads stdout, one drains stderr, so that a
// server that logs a lot never blocks.
#include "assay/base/capture.h"
#include "assay/base/sync.h"
#include "assay/base/text.h"
#include "assay/mcp/transport.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

namespace assay::mcp {

namespace {

using namespace std::chrono_literals;

// Cuts a byte stream into lines. A line over the limit is skipped to its end.
class LineBuffer {
  public:
    explicit LineBuffer(std::size_t limit)
        : limit_(limit) {}

    template<class OnLine, class OnOverflow>
    void feed(std::string_view data, OnLine&& on_line, OnOverflow&& on_overflow) {
        while (!data.empty()) {
            std::size_t end = data.find('\n');
            std::string_view piece = data.substr(0, end);
            if (!skipping_ && line_.size() + piece.size() > limit_) {
                skipping_ = true;
                line_.clear();
                line_.shrink_to_fit();
            }
            if (!skipping_) line_.append(piece);
            if (end == std::string_view::npos) return;
            data.remove_prefix(end + 1);
            if (skipping_) {
                skipping_ = false;
                on_overflow();
            } else {
                if (std::string_view text = trim(line_); !text.empty()) on_line(text);
                line_.clear();
            }
        }
    }

  private:
    std::size_t limit_;
    std::string line_;
    bool skipping_ = false;
};

class StdioTransport final : public Transport {
  public:
    StdioTransport(std::unique_ptr<Process> process, const StdioLimits& limits)
        : process_(std::move(process))
        , limits_(limits)
        , log_(Capture(limits.log_bytes)) {}
    ~StdioTransport() override { close(); }

    bool is_http() const override { return false; }
    void start(Receiver& receiver) override;
    void send(const Outgoing& message, const Cancel& cancel) override;
    bool abandon(const std::string&) override { return false; }
    void set_header(const std::string&, const std::string&) override {}
    void listen() override {}
    void close() override;
    std::string log_tail() const override;

  private:
    void read_messages(Receiver& receiver);
    void read_log();
    std::string ending();
    bool ended_within(Nanoseconds time);

    std::unique_ptr<Process> process_;
    StdioLimits limits_;
    Cancel closing_;
    mutable Sync<Capture> log_;
    std::mutex write_mutex_; // not held while writing: a full pipe must not hold others for ever
    std::condition_variable write_done_;
    bool writing_ = false; // guarded by write_mutex_
    bool broken_ = false;  // a message was written in part; only for the one that is writing
    std::atomic<bool> closed_ = false, log_ended_ = false;
    std::thread reader_, drainer_;
};

void StdioTransport::start(Receiver& receiver) {
    drainer_ = std::thread([this] { read_log(); });
    reader_ = std::thread([this, &receiver] { read_messages(receiver); });
}

void StdioTransport::read_messages(Receiver& receiver) {
    LineBuffer lines(limits_.message_bytes);
    std::vector<char> buffer(64 * 1024);
    try {
        while (std::size_t n = process_->out().read(buffer, closing_)) {
            lines.feed(
                {buffer.data(), n}, [&](std::string_view line) { receiver.received(line); },
                [&] {
                    receiver.dropped(
                        fmt::format("sent a line of more than {}",
                                    format_bytes(static_cast<double>(limits_.message_bytes))));
                });
        }
        receiver.lost(ending());
    } catch (const Interrupted&) {
        receiver.lost("was closed");
    } catch (const std::exception& e) {
        receiver.lost(fmt::format("could not be read: {}", e.what()));
    }
}

void StdioTransport::read_log() {
    std::array<char, 4096> buffer;
    try {
        while (std::size_t n = process_->err().read(buffer, closing_))
            log_.lock()->append({buffer.data(), n});
    } catch (const std::exception&) {
        // Its log ends here; whether the server still answers is the reader's business.
    }
    log_ended_ = true;
}

// Called when stdout has ended: the exit status, if it comes soon, and once its last words are
// read.
std::string StdioTransport::ending() {
    try {
        Cancel soon = closing_.child(Cause::Deadline, 1s, "exit status");
        std::string status = process_->wait(soon).text();
        while (!log_ended_ && soon.sleep_for(2ms)) {
        }
        return "ended with " + status;
    } catch (const std::exception&) {
        return "closed its stdout";
    }
}

void StdioTransport::send(const Outgoing& message, const Cancel& cancel) {
    struct Turn { // one writer at a time
        Turn(StdioTransport& transport, const Cancel& wait)
            : owner(transport) {
            std::unique_lock lock(owner.write_mutex_);
            while (owner.writing_) {
                owner.write_done_.wait_for(lock, 50ms);
                wait.check();
            }
            owner.writing_ = true;
        }
        ~Turn() {
            std::lock_guard lock(owner.write_mutex_);
            owner.writing_ = false;
            owner.write_done_.notify_one();
        }
        StdioTransport& owner;
    } turn(*this, cancel);
    if (broken_ || closed_)
        throw Error(ErrorKind::Sandbox, broken_ ? "an earlier message could not be written whole"
                                                : "the connection is closed");
    std::string line;
    line.reserve(message.text.size() + 1);
    line.append(message.text);
    line.push_back('\n');
    broken_ = true; // until all of it is out
    process_->in().write(line, cancel);
    broken_ = false;
}

bool StdioTransport::ended_within(Nanoseconds time) {
    try {
        process_->wait(Cancel().child(Cause::Deadline, time, "server shutdown"));
        return true;
    } catch (const Interrupted&) {
        return false;
    } catch (const Error&) {
        return true; // the sandbox is gone, and the server with it
    }
}

void StdioTransport::close() {
    if (closed_.exchange(true)) return;
    try {
        process_->in().close();
        if (!ended_within(limits_.grace)) {
            process_->signal(SIGTERM);
            if (!ended_within(limits_.grace)) process_->signal(SIGKILL);
        }
    } catch (const std::exception&) {
        // A sandbox that is gone has ended it already.
    }
    closing_.cancel(Cause::Aborted, "MCP connection closed");
    if (reader_.joinable()) reader_.join();
    if (drainer_.joinable()) drainer_.join();
}

std::string StdioTransport::log_tail() const {
    std::string text = log_.lock()->text();
    constexpr std::size_t kTail = 2000;
    if (text.size() > kTail) text.erase(0, utf8_ceil(text, text.size() - kTail));
    return utf8_clean(trim(text));
}

} // namespace

std::unique_ptr<Transport> stdio_transport(std::unique_ptr<Process> process,
                                           const StdioLimits& limits) {
    return std::make_unique<StdioTransport>(std::move(process), limits);
}

} // namespace assay::mcp
