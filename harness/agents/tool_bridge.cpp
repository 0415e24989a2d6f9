#include "tool_bridge.h"

#include "assay/base/error.h"
#include "assay/base/log.h"
#include "assay/base/text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <condition_variable>
#include <utility>

namespace assay {

namespace {

constexpr std::size_t kHeaderLimit = 1024;
constexpr std::size_t kBodyLimit = 8u << 20;
constexpr const char* kClientPath = "/usr/local/bin/tool";

constexpr std::string_view kClient = R"(#!/bin/bash
# Calls the tools of this task. Usage: tool list | show NAME | call NAME JSON | answer TEXT
LC_ALL=C
usage() {
    echo "usage: tool list | tool show NAME | tool call NAME 'JSON' | tool answer 'TEXT'" >&2
    echo "       '-' instead of JSON or TEXT reads it from standard input" >&2
    exit 2
}
body=
case "$1" in
list) [ $# = 1 ] || usage; header="list -" ;;
show) [ $# = 2 ] || usage; header="show $2" ;;
call) [ $# = 2 ] || [ $# = 3 ] || usage; header="call $2"; body=${3:-"{}"} ;;
answer) [ $# = 2 ] || usage; header="answer -"; body=$2 ;;
*) usage ;;
esac
[ "$body" = - ] && body=$(cat)
exec 3<>/dev/tcp/@HOST@/@PORT@ || { echo "tool: the harness cannot be reached" >&2; exit 3; }
printf '%s %s\n%s' "$header" "${#body}" "$body" >&3
read -r status size <&3
cat <&3
echo
[ "$status" = ok ]
)";

// Reads from a stream by line and by count.
class Reader {
  public:
    Reader(Stream& stream, const Cancel& cancel)
        : stream_(stream)
        , cancel_(cancel) {}
    std::optional<std::string> line() {
        for (;;) {
            std::size_t end = buffer_.find('\n');
            if (end != std::string::npos) {
                std::string out = buffer_.substr(0, end);
                buffer_.erase(0, end + 1);
                return out;
            }
            if (buffer_.size() > kHeaderLimit || !more()) return std::nullopt;
        }
    }
    std::optional<std::string> bytes(std::size_t count) {
        while (buffer_.size() < count)
            if (!more()) return std::nullopt;
        return buffer_.substr(0, count);
    }

  private:
    bool more() {
        std::array<char, 8192> chunk;
        std::size_t n = stream_.read(chunk, cancel_);
        buffer_.append(chunk.data(), n);
        return n != 0;
    }
    Stream& stream_;
    const Cancel& cancel_;
    std::string buffer_;
};

std::string first_line(std::string_view text) {
    text = trim(text);
    std::string line(text.substr(0, text.find('\n')));
    constexpr std::size_t kMost = 160;
    if (line.size() > kMost) line = line.substr(0, utf8_floor(line, kMost)) + "...";
    return line;
}

} // namespace

std::string ToolBridge::client_script(std::string_view address) {
    std::size_t colon = address.rfind(':');
    if (colon == std::string_view::npos)
        throw Error(ErrorKind::Internal, "exposed address without port: " + std::string(address));
    std::string script = replace_all(std::string(kClient), "@HOST@", address.substr(0, colon));
    return replace_all(std::move(script), "@PORT@", address.substr(colon + 1));
}

ToolBridge::ToolBridge(TrialContext& context)
    : context_(context)
    , stop_(context.cancel().child())
    , door_(std::make_shared<ServiceDoor>()) {
    Sandbox& sandbox = context.environment().main();
    exposed_ = sandbox.expose(
        [this, door = door_](std::unique_ptr<Stream> connection, const Cancel&) {
            door->pass([&] {
                try {
                    serve(*connection, stop_);
                } catch (const std::exception& e) { // the client sees its connection close
                    log_debug("tool client: {}", e.what());
                }
            });
        },
        context.cancel());
    sandbox.put_file(kClientPath, client_script(exposed_->address()), 0755, context.cancel());
}

ToolBridge::~ToolBridge() {
    exposed_.reset();
    stop_.cancel(Cause::Aborted, "the agent has ended");
    door_->shut();
}

void ToolBridge::serve(Stream& connection, const Cancel& cancel) {
    Reader reader(connection, cancel);
    Reply out{false, "tool: malformed request"};
    if (auto header = reader.line()) {
        auto words = split(*header, ' ');
        std::size_t size = 0;
        bool good = words.size() == 3;
        if (good) {
            auto [end, error] =
                std::from_chars(words[2].data(), words[2].data() + words[2].size(), size);
            good = error == std::errc() && end == words[2].data() + words[2].size();
        }
        if (good && size > kBodyLimit)
            out.text = fmt::format("tool: more than {} bytes", kBodyLimit);
        else if (good)
            if (auto body = reader.bytes(size)) out = reply(words[0], words[1], std::move(*body));
    }
    connection.write(fmt::format("{} {}\n{}", out.ok ? "ok" : "error", out.text.size(), out.text),
                     cancel);
}

ToolBridge::Reply ToolBridge::reply(std::string_view verb, std::string_view name,
                                    std::string body) {
    if (verb == "list") return {true, list()};
    if (verb == "show") {
        Tool* tool = context_.tools().find(name);
        if (tool == nullptr)
            return {false, "tool: there is no tool '" + std::string(name) + "', see: tool list"};
        return {true,
                tool->spec().description + "\nArguments (JSON schema): " + tool->spec().schema};
    }
    if (verb == "call") return call(name, std::move(body));
    if (verb == "answer") {
        std::lock_guard lock(mutex_);
        answer_ = utf8_clean(body);
        answered_ = true;
        return {true, "The answer is handed in. A later one replaces it."};
    }
    return {false, "tool: unknown request"};
}

ToolBridge::Reply ToolBridge::call(std::string_view name, std::string arguments) {
    std::lock_guard lock(mutex_);
    ToolCall made{"shell_" + std::to_string(++calls_), std::string(name), std::move(arguments)};
    try {
        ToolResult result = call_tool(context_.tools().find(name), made, context_);
        return {!result.is_error, plain_text(result.parts)};
    } catch (...) {
        if (!failure_) failure_ = std::current_exception();
        return {false, "tool: the tools are gone"};
    }
}

std::string ToolBridge::list() const {
    std::string out;
    for (const Tool* tool : context_.tools().tools())
        out += tool->spec().name + ": " + first_line(tool->spec().description) + "\n";
    return out.empty() ? "there are no tools" : out.substr(0, out.size() - 1);
}

void ToolBridge::check() {
    std::unique_lock lock(mutex_);
    std::optional<std::string> answer = std::exchange(answer_, std::nullopt);
    std::exception_ptr failure = failure_;
    lock.unlock();
    if (answer) context_.submit(std::move(*answer));
    if (failure) std::rethrow_exception(failure);
}

bool ToolBridge::answered() const {
    std::lock_guard lock(mutex_);
    return answered_;
}

std::string ToolBridge::prompt() const {
    return "# Tools\n\nThe task has tools besides the shell. Call them with the program `tool`:\n"
           "  tool list                names and what they do\n"
           "  tool show NAME           the description and the JSON schema of the arguments\n"
           "  tool call NAME 'JSON'    runs a tool and prints its result ('-': JSON from stdin)\n"
           "  tool answer 'TEXT'       hands in your final answer ('-': text from stdin)\n"
           "If the task asks for an answer, hand it in with `tool answer` before you say that the "
           "task is complete.\n\nThe tools:\n" +
           list() + "\n\n";
}

} // namespace assay
