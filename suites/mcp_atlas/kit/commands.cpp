// Stand-ins for two servers of MCP Atlas that run programs: cli-mcp-server (a few harmless
// commands, no shell) and mcp-code-executor (Python). Names and arguments are theirs; the programs
// come from the sandbox.
#include "server.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

extern char** environ;

namespace kit {

namespace {

constexpr int kSeconds = 30;                 // cli-mcp-server's COMMAND_TIMEOUT
constexpr std::size_t kMaxOutput = 8u << 20; // then the program is killed
constexpr std::size_t kMaxCommand = 1024;    // MAX_COMMAND_LENGTH
const std::vector<std::string> kAllowed = {"cat", "find", "ls"};

struct Ran {
    std::string out;
    int code = 0;
    bool timed_out = false;
};

Ran run(const std::vector<std::string>& argv, const std::string& folder) {
    int pipe_ends[2];
    if (::pipe2(pipe_ends, O_CLOEXEC) != 0) throw ToolError("cannot make a pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    pid_t pid = 0;
    int failed = ::posix_spawnp(&pid, words[0], &actions, &attributes, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    ::close(pipe_ends[1]);
    if (failed != 0) {
        ::close(pipe_ends[0]);
        throw ToolError("cannot run " + argv[0] + ": " + std::string(std::strerror(failed)));
    }
    Ran ran;
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(kSeconds);
    char buffer[65536];
    for (;;) {
        auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            end - std::chrono::steady_clock::now());
        pollfd wait{pipe_ends[0], POLLIN, 0};
        bool late = left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) == 0;
        if (late || ran.out.size() > kMaxOutput) {
            ran.timed_out = late;
            ::kill(-pid, SIGKILL);
            break;
        }
        ssize_t n = ::read(pipe_ends[0], buffer, sizeof buffer);
        if (n <= 0) break;
        ran.out.append(buffer, static_cast<std::size_t>(n));
    }
    ::close(pipe_ends[0]);
    int raw = 0;
    ::waitpid(pid, &raw, 0);
    ran.code = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
    return ran;
}

// Words of a command line without a shell: quotes and backslashes only.
std::vector<std::string> words_of(const std::string& command) {
    std::vector<std::string> words;
    std::string word;
    bool open = false;
    char quote = 0;
    for (std::size_t i = 0; i < command.size(); ++i) {
        char c = command[i];
        if (quote != 0) {
            if (c == quote)
                quote = 0;
            else
                word += c;
        } else if (c == '"' || c == '\'') {
            quote = c;
            open = true;
        } else if (c == '\\' && i + 1 < command.size()) {
            word += command[++i];
            open = true;
        } else if (std::isspace(static_cast<unsigned char>(c))) {
            if (open || !word.empty()) words.push_back(word);
            word.clear();
            open = false;
        } else if (std::string_view("|&;<>`$").find(c) != std::string_view::npos) {
            throw ToolError("shell operators are not allowed");
        } else {
            word += c;
        }
    }
    if (quote != 0) throw ToolError("a quote is not closed");
    if (open || !word.empty()) words.push_back(word);
    return words;
}

std::string run_command(const std::string& folder, const std::string& command) {
    if (command.size() > kMaxCommand) throw ToolError("the command is longer than 1024 characters");
    std::vector<std::string> words = words_of(command);
    if (words.empty()) throw ToolError("the command is empty");
    if (std::find(kAllowed.begin(), kAllowed.end(), words[0]) == kAllowed.end())
        throw ToolError("command '" + words[0] + "' is not allowed");
    for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i].starts_with("-")) throw ToolError("flag '" + words[i] + "' is not allowed");
        auto path = std::filesystem::weakly_canonical(std::filesystem::path(folder) / words[i]);
        auto below = path.lexically_relative(std::filesystem::weakly_canonical(folder));
        if (below.empty() || *below.begin() == "..")
            throw ToolError("path '" + words[i] + "' is outside " + folder);
    }
    Ran ran = run(words, folder);
    if (ran.timed_out) throw ToolError("the command took more than 30 seconds");
    return ran.out + "\nCommand completed with return code: " + std::to_string(ran.code);
}

std::string run_python(const std::string& folder, const std::string& code) {
    static int count = 0;
    std::filesystem::create_directories(folder);
    std::string name = "code_" + std::to_string(++count) + ".py";
    std::ofstream(folder + "/" + name) << code;
    Ran ran = run({"python3", folder + "/" + name}, folder);
    bool fine = ran.code == 0 && !ran.timed_out;
    Json result = {{"status", fine ? "success" : "error"}};
    result[fine ? "output" : "error"] = ran.timed_out ? "timed out after 30 seconds" : ran.out;
    result["file_path"] = folder + "/" + name;
    result["generated_filename"] = name;
    return result.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace

std::vector<Tool> command_tools(const std::string& data_folder) {
    return {{"run_command",
             "Runs one of the allowed commands (cat, find, ls) in the working directory " +
                 data_folder + ". No flags, no shell operators.",
             {{"command", {{"type", "string"}}}},
             {"command"},
             [=](const Json& a) { return run_command(data_folder, text_argument(a, "command")); }},
            {"show_security_rules",
             "Shows what run_command allows.",
             Json::object(),
             {},
             [=](const Json&) {
                 return "Security Configuration:\n==================\nWorking Directory: " +
                        data_folder +
                        "\n\nAllowed Commands:\n----------------\ncat, find, ls\n\nAllowed Flags:\n"
                        "-------------\n\n\nSecurity Limits:\n---------------\nMax Command Length: "
                        "1024 characters\nCommand Timeout: 30 seconds\n";
             }}};
}

std::vector<Tool> code_tools(const std::string& work_folder) {
    return {{"execute_code",
             "Runs Python code and returns what it prints. For short code; files are kept in " +
                 work_folder + ".",
             {{"code", {{"type", "string"}, {"description", "Python code to execute"}}},
              {"filename", {{"type", "string"}}}},
             {"code"},
             [=](const Json& a) { return run_python(work_folder, text_argument(a, "code")); }}};
}

} // namespace kit
