// Logging: level, trial, message, to one sink. Nothing else in the project prints (but the CLI).
//
//   LogScope scope("tb/hello#1");            // the trial of this thread
//   log_warn("verifier took {} s", 12);      // formats only if the level is on
#pragma once

#include <fmt/core.h>

#include <functional>
#include <string>
#include <string_view>

namespace assay {

enum class LogLevel { Debug, Info, Warning, Error };

struct LogRecord {
    LogLevel level;
    std::string_view scope; // empty outside a trial
    std::string_view message;
};

// The sink may be called from any thread, one call at a time; an empty one is log_to_stderr.
void log_to_stderr(const LogRecord& record);
void set_log_sink(std::function<void(const LogRecord&)> sink);
void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);
void log_message(LogLevel level, std::string_view message);

class LogScope { // names the current thread's trial while it lives
  public:
    explicit LogScope(std::string name);
    ~LogScope();
    LogScope(const LogScope&) = delete;
    LogScope& operator=(const LogScope&) = delete;

  private:
    std::string previous_;
};

template<class... Args>
void log_at(LogLevel level, fmt::format_string<Args...> text, Args&&... args) {
    if (log_enabled(level)) log_message(level, fmt::format(text, std::forward<Args>(args)...));
}
template<class... Args>
void log_debug(fmt::format_string<Args...> text, Args&&... args) {
    log_at(LogLevel::Debug, text, std::forward<Args>(args)...);
}
template<class... Args>
void log_info(fmt::format_string<Args...> text, Args&&... args) {
    log_at(LogLevel::Info, text, std::forward<Args>(args)...);
}
template<class... Args>
void log_warn(fmt::format_string<Args...> text, Args&&... args) {
    log_at(LogLevel::Warning, text, std::forward<Args>(args)...);
}
template<class... Args>
void log_error(fmt::format_string<Args...> text, Args&&... args) {
    log_at(LogLevel::Error, text, std::forward<Args>(args)...);
}

} // namespace assay
