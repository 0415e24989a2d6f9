// One function and one file a subcommand. Each returns the exit code; errors are thrown and
// rendered by main.
#pragma once

#include "arguments.h"
#include "assay/base/redact.h"

namespace assay {

// What this process has learnt; main cleans the log and its own messages with it.
Redactor& known_secrets();

int command_run(const Arguments& arguments); // also --dry-run and --plan
int command_plan(const Arguments& arguments);
int command_resume(const Arguments& arguments);
int command_merge(const Arguments& arguments);
int command_list(const Arguments& arguments);
int command_show(const Arguments& arguments);
int command_report(const Arguments& arguments);
int command_export(const Arguments& arguments);
int command_shell(const Arguments& arguments);
int command_doctor(const Arguments& arguments);
int command_bench(const Arguments& arguments);

} // namespace assay
