// The binary `assay`: reads the command line, runs the subcommand, shows errors.
#include "arguments.h"
#include "assay/base/cancel.h"
#include "assay/base/error.h"
#include "assay/base/log.h"
#include "commands.h"

#include <malloc.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace assay;

int dispatch(const Arguments& arguments) {
    static const std::map<std::string, int (*)(const Arguments&)> commands = {
        {"run", command_run},       {"plan", command_plan},     {"resume", command_resume},
        {"merge", command_merge},   {"list", command_list},     {"show", command_show},
        {"report", command_report}, {"export", command_export}, {"shell", command_shell},
        {"doctor", command_doctor}, {"bench", command_bench},   {"engine", command_engine},
        {"serve", command_serve},
    };
    return commands.at(arguments.command)(arguments);
}

int run(const std::vector<std::string>& words) {
    ParseResult parsed = parse_arguments(words);
    if (!parsed.arguments) {
        std::fputs(parsed.text.c_str(), stdout);
        return parsed.code;
    }
    const Arguments& arguments = *parsed.arguments;
    set_log_level(arguments.verbose ? LogLevel::Debug : LogLevel::Warning);
    log_cleaned(log_to_stderr);
    if (arguments.command == "help") {
        std::vector<std::string> question = arguments.topic;
        question.emplace_back("--help");
        std::string text = arguments.man ? man_page() : parse_arguments(question).text;
        std::fputs(text.c_str(), stdout);
        return 0;
    }
    return dispatch(arguments);
}

// 64 for what the user can mend by another command line or input, 1 for the rest. What the system
// refuses is a file that the command line names: once trials run, command_run.cpp catches it.
int code_of(const Error& error) {
    switch (error.kind()) {
    case ErrorKind::Usage:
    case ErrorKind::Input:
    case ErrorKind::Io:
    case ErrorKind::Unsupported:
        return kExitUsage;
    default:
        return 1;
    }
}

} // namespace

int main(int argc, char** argv) {
    // Threads share few arenas: with one for each of a thousand trials the memory that each keeps
    // for itself would be most of what a waiting trial costs.
    ::mallopt(M_ARENA_MAX, 2);
    ::signal(SIGPIPE, SIG_IGN);
    ::umask(022);   // bases and sandboxes look the same whoever starts us
    rlimit files{}; // hundreds of sandboxes hold more descriptors than the default
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = std::min<rlim_t>(files.rlim_max, 65'536);
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    try {
        int code = run({argv + 1, argv + argc});
        if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
        pollfd reader{STDOUT_FILENO, POLLOUT, 0};
        if (::poll(&reader, 1, 0) == 1 && (reader.revents & POLLERR) != 0)
            return code; // it has read enough: `assay show run.db | head`
        print_error("error: not all of the output could be written to standard output");
        return code == 0 ? 1 : code;
    } catch (const Error& e) {
        print_error("error: " + e.render());
        return code_of(e);
    } catch (const Interrupted& e) {
        print_error(e.what());
        return kExitStopped;
    } catch (const std::exception& e) {
        print_error(std::string("error: ") + e.what());
        return 1;
    }
}
