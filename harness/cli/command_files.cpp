// assay merge, report, export: one call each into store and reports.
#include "assay/base/error.h"
#include "assay/reports/export.h"
#include "assay/reports/report.h"
#include "assay/store/store.h"
#include "commands.h"

#include <cstdio>

namespace assay {

int command_merge(const Arguments& arguments) {
    merge_runs(arguments.files, arguments.out);
    std::printf("%zu parts are in %s\n", arguments.files.size(), arguments.out.c_str());
    return 0;
}

int command_report(const Arguments& arguments) {
    ReportOptions options;
    options.title = arguments.title;
    RealFileSystem().write(arguments.out, render_report(arguments.files, options), 0644);
    std::printf("%s\n", arguments.out.c_str());
    return 0;
}

int command_export(const Arguments& arguments) {
    const Path& run = arguments.files.at(0);
    if (arguments.format == "atif")
        export_atif(run, arguments.out);
    else if (arguments.format == "harbor")
        export_harbor(run, arguments.out);
    else if (arguments.format == "csv")
        RealFileSystem().write(arguments.out, export_csv(run), 0644);
    else
        RealFileSystem().write(arguments.out, export_junit(run), 0644);
    std::printf("%s\n", arguments.out.c_str());
    return 0;
}

} // namespace assay
