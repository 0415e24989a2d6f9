// assay merge, report, export: one call each into store and reports.
#include "assay/base/error.h"
#include "assay/reports/export.h"
#include "assay/reports/report.h"
#include "assay/store/reader.h"
#include "assay/store/store.h"
#include "commands.h"
#include "output_file.h"

#include <cstdio>

namespace assay {

int command_merge(const Arguments& arguments) {
    merge_runs(arguments.files, arguments.out);
    auto whole = RunReader::open(arguments.out);
    std::size_t planned = whole->plan().slots.size(), ended = 0;
    for (const TryRow& row : whole->tries()) ended += row.end.accepted ? 1 : 0;
    std::printf("%zu parts are in %s: %zu of %zu attempts have a result", arguments.files.size(),
                arguments.out.c_str(), ended, planned);
    if (ended != planned) std::printf(", %zu are missing", planned - ended);
    std::printf("\n");
    return 0;
}

int command_report(const Arguments& arguments) {
    refuse_foreign(arguments.out, R"(<meta name="generator" content="Assay">)");
    ReportOptions options;
    options.title = arguments.title;
    RealFileSystem().write(arguments.out, render_report(arguments.files, options), 0644);
    std::printf("%s%s\n", leaderboard_text(arguments.files).c_str(), arguments.out.c_str());
    return 0;
}

int command_export(const Arguments& arguments) {
    const Path& run = arguments.files.at(0);
    const Path out = arguments.out;
    if (arguments.format == "atif" || arguments.format == "harbor") {
        refuse_foreign_folder(out, arguments.format);
        auto write = arguments.format == "atif" ? export_atif : export_harbor;
        write(run, out);
        mark_folder(out, arguments.format);
    } else if (arguments.format == "csv") {
        refuse_foreign(out, "suite,agent,model,task,family,attempt,class,");
        RealFileSystem().write(out, export_csv(run), 0644);
    } else {
        refuse_foreign(out, R"(<testsuites name="assay">)");
        RealFileSystem().write(out, export_junit(run), 0644);
    }
    std::printf("%s\n", arguments.out.c_str());
    return 0;
}

} // namespace assay
