#include "terminal/terminal.h"

#include "assay/base/log.h"
#include "assay/base/text.h"
#include "terminal/recorder.h"
#include "terminal/screen.h"

#include <array>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

namespace assay {
namespace {

class PtyTerminal final : public Terminal {
  public:
    PtyTerminal(std::unique_ptr<Process> process, const TerminalOptions& options)
        : process_(std::move(process))
        , screen_(options.size, options.history_lines)
        , last_(std::chrono::steady_clock::now())
        , reader_([this] { read_loop(); }) {
        if (options.record) recorder_.emplace(options.size);
    }

    ~PtyTerminal() override {
        process_->signal(SIGHUP);
        stop_.cancel(Cause::Aborted, "the terminal is closed");
        process_->out().close(); // the kernel hangs up the pty
        reader_.join();
    }

    void send(std::string_view bytes, const Cancel& cancel) override {
        {
            std::lock_guard lock(mutex_);
            if (recorder_) recorder_->input(bytes);
            last_ = std::chrono::steady_clock::now(); // an answer is to be waited for
        }
        process_->in().write(bytes, cancel);
    }

    std::string screen() override {
        std::lock_guard lock(mutex_);
        return screen_.text();
    }
    std::string history() override {
        std::lock_guard lock(mutex_);
        return screen_.history();
    }
    bool alive() const override {
        std::lock_guard lock(mutex_);
        return !ended_;
    }
    void resize(TerminalSize size) override {
        {
            std::lock_guard lock(mutex_);
            screen_.resize(size);
            size = screen_.size();
            if (recorder_) recorder_->resize(size);
        }
        process_->resize(size);
    }
    TerminalSize size() const override {
        std::lock_guard lock(mutex_);
        return screen_.size();
    }

    bool wait_quiet(Nanoseconds quiet, Nanoseconds limit, const Cancel& cancel) override {
        auto give_up = std::chrono::steady_clock::now() + limit;
        if (auto deadline = cancel.deadline()) give_up = std::min(give_up, *deadline);
        auto watch = cancel.on_cancel([this] {
            std::lock_guard lock(mutex_);
            changed_.notify_all();
        });
        std::unique_lock lock(mutex_);
        for (;;) {
            if (cancel.cancelled()) return false;
            auto now = std::chrono::steady_clock::now();
            if (ended_ || now >= last_ + quiet) return true;
            if (now >= give_up) return false;
            changed_.wait_until(lock, std::min(give_up, last_ + quiet));
        }
    }

    std::string recording() override {
        std::lock_guard lock(mutex_);
        return recorder_ ? recorder_->text() : std::string();
    }

  private:
    void read_loop() {
        std::array<char, 16384> buffer;
        try {
            while (std::size_t n = process_->out().read(buffer, stop_)) take({buffer.data(), n});
        } catch (const Interrupted&) {
        } catch (const std::exception& error) {
            log_debug("terminal: {}", error.what());
        }
        std::lock_guard lock(mutex_);
        ended_ = true;
        changed_.notify_all();
    }

    void take(std::string_view bytes) {
        std::string answers;
        {
            std::lock_guard lock(mutex_);
            screen_.feed(bytes);
            if (recorder_) recorder_->output(bytes);
            answers = screen_.take_answers();
            last_ = std::chrono::steady_clock::now();
            changed_.notify_all();
        }
        if (answers.empty()) return;
        // A program that asks and does not read must not stop us from reading.
        Cancel brief = stop_.child(Cause::Aborted, std::chrono::milliseconds(100), "answer");
        try {
            process_->in().write(answers, brief);
        } catch (const Interrupted&) {
        }
    }

    std::unique_ptr<Process> process_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    Screen screen_;
    std::optional<Recorder> recorder_;
    MonoTime last_;
    bool ended_ = false;
    Cancel stop_;
    std::thread reader_; // last: uses all of the above
};

} // namespace

std::unique_ptr<Terminal> make_terminal(std::unique_ptr<Process> process,
                                        const TerminalOptions& options) {
    return std::make_unique<PtyTerminal>(std::move(process), options);
}

} // namespace assay
