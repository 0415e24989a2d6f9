#include "assay/base/clock.h"

#include <atomic>
#include <cstdio>
#include <ctime>

namespace assay {

std::int64_t SystemClock::wall_microseconds() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

MonoTime ManualClock::now() const {
    return MonoTime(Nanoseconds(std::atomic_ref(const_cast<std::int64_t&>(nanoseconds_)).load()));
}

std::int64_t ManualClock::wall_microseconds() const {
    return now().time_since_epoch().count() / 1000;
}

void ManualClock::advance(Nanoseconds by) {
    std::atomic_ref(nanoseconds_).fetch_add(by.count());
}

std::string iso8601(std::int64_t wall_microseconds) {
    std::int64_t whole = wall_microseconds / 1'000'000;
    std::int64_t part = wall_microseconds % 1'000'000;
    if (part < 0) {
        part += 1'000'000;
        --whole;
    }
    std::time_t t = static_cast<std::time_t>(whole);
    std::tm tm{};
    gmtime_r(&t, &tm);
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900,
                  tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                  static_cast<int>(part));
    return text;
}

} // namespace assay
