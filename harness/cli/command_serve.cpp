// assay serve: one model for whoever speaks OpenAI's or Anthropic's protocol.
#include "assay/base/cancel_fd.h"
#include "assay/base/error.h"
#include "assay/base/log.h"
#include "assay/base/sync.h"
#include "assay/base/text.h"
#include "assay/io/reactor.h"
#include "assay/io/socket.h"
#include "assay/models/models.h"
#include "assay/net/http_server.h"
#include "assay/serve/model_server.h"
#include "assay/serve/recent_blobs.h"
#include "commands.h"
#include "model_environment.h"
#include "recording_source.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace assay {

namespace {

using namespace std::chrono_literals;

std::string api_key(const ServeArguments& arguments) {
    if (arguments.api_key_env.empty()) return {};
    const char* value = std::getenv(arguments.api_key_env.c_str());
    if (value == nullptr || *value == '\0')
        throw Error(ErrorKind::Usage,
                    "--api-key-env " + arguments.api_key_env + ": the variable is not set");
    known_secrets().add(arguments.api_key_env, value);
    return value;
}

void print_request(const ServedRequest& request) {
    std::string line =
        fmt::format("{} {} {}{} {} {:.3f} s", request.method, json_quote(request.path),
                    request.status, request.stream ? " stream" : "",
                    request.finish.empty() ? "-" : request.finish, request.seconds);
    if (request.usage.prompt_tokens != 0 || request.usage.completion_tokens != 0)
        line += fmt::format(", {} tokens in ({} cached), {} out", request.usage.prompt_tokens,
                            request.usage.cached_tokens, request.usage.completion_tokens);
    if (request.queue_seconds >= 0.001)
        line += fmt::format(", waited {:.3f} s", request.queue_seconds);
    // What a model's error says may quote the prompt: only with --verbose.
    if (!request.error.empty()) log_debug("{} {}: {}", request.method, request.path, request.error);
    static Sync<int> one_line_at_a_time;
    auto lock = one_line_at_a_time.lock();
    print_error(line);
}

// Removed at the end, and found out at the start whether somebody listens there already.
class SocketFile {
  public:
    explicit SocketFile(const Path& path)
        : path_(path) {
        if (RealFileSystem().exists(path_) && answers())
            throw Error(ErrorKind::Usage, path_.string() + ": another server listens there");
        listener_ = listen_unix(path_, 0600); // replaces what a killed server has left
    }
    ~SocketFile() { ::unlink(path_.c_str()); }
    SocketFile(const SocketFile&) = delete;
    UniqueFd take() { return std::move(listener_); }

  private:
    bool answers() const {
        try {
            connect_unix(path_, Cancel().child(Cause::Deadline, 2s, "connect"));
            return true;
        } catch (const Interrupted&) {
            return true; // there, but busy
        } catch (const Error&) {
            return false;
        }
    }
    Path path_;
    UniqueFd listener_;
};

std::unique_ptr<Model> served_model(const Arguments& arguments, BlobStore& blobs) {
    ModelOptions options;
    options.environment = model_environment(arguments.run.model_env, known_secrets());
    options.redactor = &known_secrets();
    options.blobs = &blobs;
    options.context_tokens = arguments.run.context_tokens;
    options.timeout = from_seconds(arguments.run.model_timeout);
    options.open_recording = open_recording;
    options.warn = [](const std::string& text) { log_warn("{}", text); };
    return make_model(arguments.serve.model, options);
}

void announce(const std::string& where, const std::string& name) {
    std::printf("serving %s at %s\n", name.c_str(), where.c_str());
    std::fflush(stdout); // whoever started us waits for it
}

void wait_for_signal() {
    Cancel stop;
    Reactor reactor;
    auto watch = reactor.on_signals({SIGINT, SIGTERM, SIGHUP}, [&](int number) {
        if (stop.cancelled()) ::_exit(128 + number); // asked twice
        stop.cancel(Cause::User, "signal");
    });
    CancelFd stopped(stop);
    poll_one(stopped.get(), POLLIN, Cancel());
}

} // namespace

int command_serve(const Arguments& arguments) {
    const ServeArguments& serve = arguments.serve;
    ServeOptions options;
    options.name = serve.name;
    options.parallel = static_cast<std::size_t>(serve.parallel);
    options.token = api_key(serve);
    options.on_request = print_request;
    ListenAddress address = parse_listen_address(serve.listen);
    if (serve.socket.empty() && !address.loopback && options.token.empty())
        throw Error(ErrorKind::Usage, "--listen " + serve.listen +
                                          ": other machines can reach it, but there is no API key")
            .hint("set a variable to a secret and name it with --api-key-env");
    RecentBlobs blobs;
    std::unique_ptr<Model> model = served_model(arguments, blobs);
    ModelServer server(*model, blobs, std::move(options));
    if (!serve.socket.empty()) {
        SocketFile file(serve.socket);
        HttpServer http(file.take(), server.handler(), server.http_options());
        announce("unix:" + serve.socket.string(), server.name());
        wait_for_signal();
        return 0;
    }
    TcpListener listener = listen_tcp(address);
    address.port = listener.port;
    HttpServer http(std::move(listener), server.handler(), server.http_options());
    announce("http://" + address.text() + "/v1", server.name());
    wait_for_signal();
    return 0;
}

} // namespace assay
