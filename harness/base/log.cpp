#include "assay/base/log.h"

#include <atomic>
#include <cstdio>
#include <mutex>

namespace assay {

namespace {
std::atomic<LogLevel> current_level{LogLevel::Info};
thread_local std::string current_scope;

std::mutex& sink_mutex() {
    static std::mutex mutex;
    return mutex;
}

std::function<void(const LogRecord&)>& sink() {
    static std::function<void(const LogRecord&)> function = log_to_stderr;
    return function;
}
} // namespace

void log_to_stderr(const LogRecord& record) {
    static constexpr const char* names[] = {"debug", "info", "warning", "error"};
    std::string line = fmt::format("assay: {}: {}{}{}\n", names[static_cast<int>(record.level)],
                                   record.scope, record.scope.empty() ? "" : ": ", record.message);
    std::fwrite(line.data(), 1, line.size(), stderr);
}
void set_log_sink(std::function<void(const LogRecord&)> function) {
    std::lock_guard lock(sink_mutex());
    sink() = function ? std::move(function) : log_to_stderr;
}
void set_log_level(LogLevel level) {
    current_level = level;
}
bool log_enabled(LogLevel level) {
    return level >= current_level.load(std::memory_order_relaxed);
}
void log_message(LogLevel level, std::string_view message) {
    std::lock_guard lock(sink_mutex());
    sink()({level, current_scope, message});
}

LogScope::LogScope(std::string name)
    : previous_(std::move(current_scope)) {
    current_scope = std::move(name);
}
LogScope::~LogScope() {
    current_scope = std::move(previous_);
}

} // namespace assay
