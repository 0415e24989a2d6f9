// One function and one file a subcommand. Each returns the exit code; errors are thrown and
// rendered by main.
#pragma once

#include "arguments.h"
#include "assay/base/log.h"
#include "assay/base/redact.h"

#include <functional>
#include <string>

namespace assay {

// What this process has learnt: the log and the messages of main are cleaned with it.
Redactor& known_secrets();
// The log goes there from now on, without secrets. One call at a time.
void log_cleaned(std::function<void(const LogRecord&)> write);

// On standard error, without secrets.
void print_error(std::string text);

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
int command_engine(const Arguments& arguments);
int command_serve(const Arguments& arguments);

// The actions of `assay engine`.
int engine_generate(const Arguments& arguments);
int engine_inspect(const Arguments& arguments);
int engine_parse(const Arguments& arguments);
int engine_perplexity(const Arguments& arguments);
int engine_render(const Arguments& arguments);
int engine_tokenize(const Arguments& arguments);
int engine_trace(const Arguments& arguments);

} // namespace assay
