// Shows a run on standard error: on a terminal one living status line below the lines of the trials
// that ended; in a pipe only those lines. Thread-safe.
#pragma once

#include "assay/run/observer.h"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace assay {

// Task names and error texts come from outside: no control character may reach the terminal.
std::string printable(std::string_view text);

class ProgressPrinter final : public RunObserver {
  public:
    enum class Mode { Terminal, Lines, Quiet };
    // `several_arms`: lines name the arm.
    ProgressPrinter(std::FILE* out, Mode mode, std::map<Id, std::string> arm_labels);
    ~ProgressPrinter() override;

    void run_began(std::size_t slots, int jobs) override;
    void trial_began(const SlotRecord& slot, int number) override;
    void phase_began(const SlotRecord& slot, std::string_view phase) override;
    void model_called(const SlotRecord& slot, int turns, const Usage& usage) override;
    void trial_ended(const SlotRecord& slot, int number, const TryEnd& end,
                     bool will_retry) override;
    void note(std::string_view text) override;
    void run_ended(const RunResult& result) override;

    static Mode mode_for(std::FILE* out, bool quiet);

  private:
    using Time = std::chrono::steady_clock::time_point;
    struct Running {
        std::string name, phase;
        int turns = 0;
        Time began;
    };
    void print_line(const std::string& text); // the mutex is held, in these four
    void draw();
    void erase();
    std::string status(std::size_t width) const;
    std::string name_of(const SlotRecord& slot) const;

    std::FILE* out_;
    const Mode mode_;
    const std::map<Id, std::string> arms_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stop_ = false, drawn_ = false;
    std::size_t slots_ = 0, done_ = 0, errors_ = 0;
    std::uint64_t turns_ = 0;
    double cost_ = 0;
    Time began_;
    std::map<Id, Running> running_;
    std::set<std::string> hints_; // printed; once is enough
    std::thread ticker_;          // redraws, so that seconds go on
};

} // namespace assay
