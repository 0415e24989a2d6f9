#include "progress.h"

#include "assay/base/capture.h"
#include "assay/base/text.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace assay {

namespace {

constexpr auto kRedraw = std::chrono::milliseconds(250);

std::size_t width_of(std::FILE* out) {
    winsize size{};
    if (::ioctl(::fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 100;
    return size.ws_col;
}

// A trace ends with the hint, if there is one; see error_record().
std::string_view hint_of(std::string_view trace) {
    constexpr std::string_view kHint = "hint: ";
    if (!trace.starts_with(kHint)) {
        std::size_t line = trace.find("\nhint: ");
        if (line == std::string_view::npos) return {};
        trace.remove_prefix(line + 1);
    }
    return trim(trace.substr(kHint.size()));
}

double since(std::chrono::steady_clock::time_point began) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

} // namespace

std::string printable(std::string_view text) {
    std::string out;
    for (unsigned char c : utf8_clean(text))
        out += c < 0x20 || c == 0x7f ? ' ' : static_cast<char>(c);
    return out;
}

ProgressPrinter::Mode ProgressPrinter::mode_for(std::FILE* out, bool quiet) {
    if (quiet) return Mode::Quiet;
    return ::isatty(::fileno(out)) == 1 ? Mode::Terminal : Mode::Lines;
}

ProgressPrinter::ProgressPrinter(std::FILE* out, Mode mode, std::map<Id, std::string> arm_labels)
    : out_(out)
    , mode_(mode)
    , arms_(std::move(arm_labels))
    , began_(std::chrono::steady_clock::now()) {
    if (mode_ != Mode::Terminal) return;
    ticker_ = std::thread([this] {
        std::unique_lock lock(mutex_);
        while (!wake_.wait_for(lock, kRedraw, [this] { return stop_; }))
            if (slots_ != 0) draw();
    });
}

ProgressPrinter::~ProgressPrinter() {
    {
        std::lock_guard lock(mutex_);
        stop_ = true;
        wake_.notify_all();
    }
    if (ticker_.joinable()) ticker_.join();
    erase();
}

std::string ProgressPrinter::name_of(const SlotRecord& slot) const {
    std::string name = fmt::format("{}#{}", slot.task, slot.attempt);
    if (arms_.size() > 1)
        if (auto arm = arms_.find(slot.arm); arm != arms_.end()) name += " " + arm->second;
    return printable(name);
}

void ProgressPrinter::erase() {
    if (!drawn_) return;
    std::fputs("\r\x1b[K", out_);
    std::fflush(out_);
    drawn_ = false;
}

void ProgressPrinter::print_line(const std::string& text) {
    if (mode_ == Mode::Quiet) return;
    erase();
    std::fprintf(out_, "%s\n", text.c_str());
    std::fflush(out_);
}

std::string ProgressPrinter::status(std::size_t width) const {
    double elapsed = std::max(since(began_), 1e-3);
    std::string text = fmt::format("[{}/{}]", done_, slots_);
    if (errors_ != 0) text += fmt::format(" {} in error", errors_);
    if (done_ != 0) {
        double left = elapsed / static_cast<double>(done_) * static_cast<double>(slots_ - done_);
        text += fmt::format(" {:.1f}/min, {} to go", 60.0 * static_cast<double>(done_) / elapsed,
                            format_seconds(left));
    }
    if (turns_ != 0)
        text += fmt::format(" | {:.0f} turns/min", 60.0 * static_cast<double>(turns_) / elapsed);
    if (cost_ != 0) text += fmt::format(" | ${:.2f}", cost_);
    std::string_view separator = " | ";
    for (const auto& [id, trial] : running_) {
        text += fmt::format("{}{} {}", separator, trial.name, trial.phase);
        if (trial.turns != 0) text += fmt::format(" {} turns", trial.turns);
        text += fmt::format(" {:.0f} s", since(trial.began));
        separator = ", ";
        if (text.size() > width) break;
    }
    if (text.size() >= width) text.resize(utf8_floor(text, width - 1));
    return text;
}

void ProgressPrinter::draw() {
    std::fprintf(out_, "\r\x1b[K%s", status(width_of(out_)).c_str());
    std::fflush(out_);
    drawn_ = true;
}

void ProgressPrinter::run_began(std::size_t slots, int jobs) {
    std::lock_guard lock(mutex_);
    slots_ = slots;
    began_ = std::chrono::steady_clock::now();
    print_line(fmt::format("{} attempts to run, {} at a time", slots, jobs));
}

void ProgressPrinter::trial_began(const SlotRecord& slot, int) {
    std::lock_guard lock(mutex_);
    running_[slot.id] = {name_of(slot), "", 0, std::chrono::steady_clock::now()};
}

void ProgressPrinter::phase_began(const SlotRecord& slot, std::string_view phase) {
    std::lock_guard lock(mutex_);
    running_[slot.id].phase = phase;
}

void ProgressPrinter::model_called(const SlotRecord& slot, int turns, const Usage& usage) {
    std::lock_guard lock(mutex_);
    running_[slot.id].turns = turns;
    ++turns_;
    cost_ += usage.cost.value_or(0);
}

void ProgressPrinter::trial_ended(const SlotRecord& slot, int number, const TryEnd& end,
                                  bool will_retry) {
    std::lock_guard lock(mutex_);
    running_.erase(slot.id);
    if (!will_retry) ++done_;
    if (!end.accepted && !will_retry && end.attempt_class != AttemptClass::Cancelled) ++errors_;
    std::string line = fmt::format("{:<20} ", to_string(end.attempt_class));
    line += end.score ? fmt::format("{:>6.3g}  ", *end.score) : "     -  ";
    line += name_of(slot);
    if (number > 1) line += fmt::format(" (try {})", number);
    line += "  " + format_seconds(end.wall_seconds);
    if (end.turns != 0) line += fmt::format(", {} turns", end.turns);
    if (end.agent == AgentEnd::Limit) line += ", " + printable(end.agent_detail);
    if (end.error) {
        line += "\n  " + printable(end.error->kind + ": " + cut_middle(end.error->message, 2000));
        std::string hint(hint_of(end.error->trace));
        if (!hint.empty() && hints_.insert(hint).second)
            line += "\n  hint: " + printable(cut_middle(hint, 2000));
    }
    if (will_retry) line += "\n  it is tried again";
    print_line(line);
}

void ProgressPrinter::note(std::string_view text) {
    std::lock_guard lock(mutex_);
    print_line(printable(text));
}

void ProgressPrinter::run_ended(const RunResult&) {
    std::lock_guard lock(mutex_);
    slots_ = 0; // nothing more to draw
    erase();
}

} // namespace assay
