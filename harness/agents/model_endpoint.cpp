#include "model_endpoint.h"

#include "assay/base/error.h"

#include <array>
#include <condition_variable>

namespace assay {

namespace {

// Of the model or the way to it. A request that is wrong, too long or refused is the program's.
bool is_ours(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const ModelError& e) {
        return e.fault() != ModelFault::BadRequest && e.fault() != ModelFault::ContextOverflow &&
               e.fault() != ModelFault::Refused;
    } catch (const Error&) {
        return true;
    } catch (...) { // refused by the server, or interrupted: the phase knows
        return false;
    }
}

std::string make_token(Random& random) {
    std::array<std::byte, 24> bytes{};
    random.fill(bytes);
    std::array<std::uint8_t, 24> numbers{};
    for (std::size_t i = 0; i < bytes.size(); ++i)
        numbers[i] = std::to_integer<std::uint8_t>(bytes[i]);
    return "sk-assay-" + to_hex(numbers);
}

} // namespace

ModelEndpoint::ModelEndpoint(TrialContext& context, const EndpointOptions& options)
    : stop_(context.cancel().child())
    , token_(make_token(context.secret_random()))
    , name_(options.name)
    , door_(std::make_shared<ServiceDoor>()) {
    ServeOptions serve;
    serve.name = name_;
    serve.any_name = options.any_name;
    serve.token = token_;
    serve.parallel = options.parallel;
    serve.on_request = [this](const ServedRequest& request) { note(request); };
    serve.clock = &context.clock();
    server_ =
        std::make_unique<ModelServer>(context.model("agent"), context.blobs(), std::move(serve));
    exposed_ = context.environment().main().expose(
        [this, door = door_](std::unique_ptr<Stream> connection, const Cancel&) {
            door->pass([&] {
                serve_connection(*connection, server_->handler(), server_->http_options(), stop_);
            });
        },
        context.cancel());
}

ModelEndpoint::~ModelEndpoint() {
    stop_.cancel(Cause::Aborted, "the agent has ended");
    exposed_.reset();
    door_->shut();
}

std::map<std::string, std::string> ModelEndpoint::environment() const {
    const std::string root = "http://" + exposed_->address();
    const std::string host = exposed_->address().substr(0, exposed_->address().rfind(':'));
    return {{"OPENAI_BASE_URL", root + "/v1"},
            {"OPENAI_API_BASE", root + "/v1"},
            {"OPENAI_API_KEY", token_},
            {"OPENAI_MODEL", name_},
            {"ANTHROPIC_BASE_URL", root},
            {"ANTHROPIC_API_KEY", token_},
            {"ANTHROPIC_MODEL", name_},
            {"NO_PROXY", host},
            {"no_proxy", host}};
}

void ModelEndpoint::note(const ServedRequest& request) {
    std::lock_guard lock(mutex_);
    if (request.failure && is_ours(request.failure)) failure_ = request.failure;
    if (request.failure || request.finish.empty()) return;
    ++calls_;
    failure_ = nullptr; // the program tried again, and it went well
}

void ModelEndpoint::check() {
    std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
}

int ModelEndpoint::calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
}

} // namespace assay
