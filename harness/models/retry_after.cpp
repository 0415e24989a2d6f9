#include "assay/base/text.h"
#include "openai_response.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>

namespace assay {

namespace {
std::optional<int> number(std::string_view text) {
    int out = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return out;
}
} // namespace

std::optional<std::int64_t> parse_http_date(std::string_view text) {
    static constexpr std::array<std::string_view, 12> kMonths = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    auto words = split(trim(text), ' '); // Sun, 06 Nov 1994 08:49:37 GMT
    if (words.size() != 6 || words[5] != "GMT") return std::nullopt;
    auto day = number(words[1]), year = number(words[3]);
    auto clock = split(words[4], ':');
    unsigned month = 0;
    while (month < kMonths.size() && kMonths[month] != words[2]) ++month;
    if (clock.size() != 3 || month == kMonths.size() || !day || !year) return std::nullopt;
    auto hour = number(clock[0]), minute = number(clock[1]), second = number(clock[2]);
    if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60 || *hour < 0 ||
        *minute < 0 || *second < 0 || *day < 1 || *year < 1970 || *year > 9999)
        return std::nullopt;
    std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(month + 1),
                                     std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return std::nullopt;
    std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
    return ((days * 24 + *hour) * 60 + *minute) * 60 + *second;
}

std::optional<double> parse_retry_after(std::string_view field, std::string_view date) {
    field = trim(field);
    if (field.empty()) return std::nullopt;
    double value = 0;
    auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
    if (error == std::errc() && end == field.data() + field.size())
        return std::isfinite(value) && value >= 0 && value < 1e9 ? std::optional(value)
                                                                 : std::nullopt;
    auto until = parse_http_date(field);
    if (!until) return std::nullopt;
    auto now = parse_http_date(date);
    if (!now)
        now = std::chrono::duration_cast<std::chrono::seconds>(
                  std::chrono::system_clock::now().time_since_epoch())
                  .count();
    return static_cast<double>(std::max<std::int64_t>(*until - *now, 0));
}

} // namespace assay
