// The lines of a run that is not on a terminal.
#include "assay/base/log.h"
#include "catch.h"
#include "commands.h"
#include "progress.h"

using namespace assay;

namespace {

struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Closer>;

std::string content(std::FILE* file) {
    std::rewind(file);
    std::string out;
    for (int c = 0; (c = std::fgetc(file)) != EOF;) out += static_cast<char>(c);
    return out;
}

TryEnd failed(const std::string& message, const std::string& trace) {
    TryEnd end;
    end.error = ErrorRecord{"unsupported", message, trace};
    return end;
}

} // namespace

TEST_CASE("a failed attempt's hint stands below it, each one once") {
    File file(std::tmpfile());
    REQUIRE(file);
    {
        ProgressPrinter progress(file.get(), ProgressPrinter::Mode::Lines, {});
        SlotRecord slot;
        slot.task = "t";
        slot.attempt = 1;
        const std::string trace = "while making the base\nhint: name one with --base NAME\n";
        progress.trial_ended(slot, 1, failed("no base for the image 'a'", trace), false);
        progress.trial_ended(slot, 2, failed("no base for the image 'a'", trace), false);
        progress.trial_ended(slot, 1, failed("other", "hint: do\x1b[2J this\n"), false);
        progress.trial_ended(slot, 1, failed("third", "while asking for a hint: none\n"), false);
    }
    std::string text = content(file.get());
    CHECK_THAT(text, Catch::Contains("unsupported: no base for the image 'a'\n"
                                     "  hint: name one with --base NAME\n"));
    CHECK(text.find("--base") == text.rfind("--base"));
    CHECK_THAT(text, Catch::Contains("unsupported: other\n  hint: do [2J this\n"));
    CHECK_THAT(text, !Catch::Contains("hint: none"));
}

TEST_CASE("the log has no secrets, wherever it goes") {
    known_secrets().add("TEST_KEY", "sk-log-secret-1");
    std::string seen;
    log_cleaned([&](const LogRecord& record) { seen += record.message; });
    log_warn("answered with sk-log-secret-1");
    set_log_sink(
        [&](const LogRecord& record) { seen += record.message; }); // what it guards against
    log_warn("|answered with sk-log-secret-1");
    set_log_sink({});
    CHECK(seen == "answered with [REDACTED:TEST_KEY]|answered with sk-log-secret-1");
}
