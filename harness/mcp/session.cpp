#include "session.h"

#include "assay/base/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace assay::mcp {

namespace {

using namespace std::chrono_literals;

// Legacy revisions whose servers we can talk to; we ask for the newest.
constexpr std::array<std::string_view, 4> kLegacyVersions = {"2025-11-25", "2025-06-18",
                                                             "2025-03-26", "2024-11-05"};
constexpr const char* kVersionHeader = "MCP-Protocol-Version";

// Errors of the modern era: only a modern server knows them.
constexpr int kHeaderMismatch = -32020, kMissingCapability = -32021, kUnsupportedVersion = -32022;

Json client_info() {
    return {{"name", "assay"}, {"version", "0.1.0"}};
}

std::string text_at(const Json& json, const char* key) {
    auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

bool lists(const Json& versions, std::string_view wanted) {
    return versions.is_array() && std::any_of(versions.begin(), versions.end(), [&](const Json& v) {
               return v.is_string() && v.get_ref<const std::string&>() == wanted;
           });
}

} // namespace

Session::Session(Peer& peer, Transport& transport, const ClientOptions& options)
    : peer_(peer)
    , transport_(transport)
    , options_(options) {}

ServerInfo Session::info() const {
    std::lock_guard lock(mutex_);
    return info_;
}

void Session::set_info(ServerInfo info) {
    std::lock_guard lock(mutex_);
    info_ = std::move(info);
    ++generation_;
}

void Session::open(const Cancel& cancel) {
    if (options_.era == Era::Modern || options_.era == Era::Auto) {
        if (probe(cancel)) return;
        if (options_.era == Era::Modern)
            throw Error(ErrorKind::Unsupported,
                        peer_.describe(fmt::format("does not speak revision {}", kModernVersion)));
    }
    initialize(cancel);
}

// --- modern -------------------------------------------------------------------------------------

Json Session::meta() const {
    return {{"io.modelcontextprotocol/protocolVersion", kModernVersion},
            {"io.modelcontextprotocol/clientInfo", client_info()},
            {"io.modelcontextprotocol/clientCapabilities", Json::parse(options_.capabilities)}};
}

bool Session::probe(const Cancel& cancel) {
    transport_.set_header(kVersionHeader, kModernVersion);
    bool try_again = false;
    bool modern = probe_once(cancel, try_again);
    if (!modern && try_again) modern = probe_once(cancel, try_again);
    if (!modern) transport_.set_header(kVersionHeader, "");
    return modern;
}

// Whatever an old server answers to an unknown first request means "not modern"; only the modern
// error codes and a result mean the opposite. try_again: refused, but it does know our version.
bool Session::probe_once(const Cancel& cancel, bool& try_again) {
    try_again = false;
    Request request{.method = "server/discover", .timeout = options_.probe_timeout};
    request.params["_meta"] = meta();
    request.headers = {{"Mcp-Method", request.method}};
    try {
        discovered(peer_.request(request, cancel));
        return true;
    } catch (const RpcError& e) {
        if (e.code() != kUnsupportedVersion) {
            if (e.code() == kHeaderMismatch || e.code() == kMissingCapability) throw;
            return false;
        }
        Json data = Json::parse(e.data(), nullptr, false);
        Json supported = data.is_object() ? data.value("supported", Json::array()) : Json::array();
        try_again = lists(supported, kModernVersion);
        if (try_again) return false;
        for (std::string_view version : kLegacyVersions)
            if (lists(supported, version)) return false;
        throw Error(ErrorKind::Unsupported,
                    peer_.describe("speaks only revisions that this client does not know: " +
                                   dump(supported)));
    } catch (const CallTimeout&) {
        return false;
    } catch (const Error&) {
        if (peer_.alive()) return false; // HTTP: some other status
        throw;
    }
}

void Session::discovered(const Json& result) {
    Json versions = result.value("supportedVersions", Json::array());
    if (!lists(versions, kModernVersion))
        throw RpcError(kUnsupportedVersion, "server/discover does not list our revision",
                       dump({{"supported", versions}}));
    ServerInfo info{.name = {},
                    .version = {},
                    .protocol = kModernVersion,
                    .modern = true,
                    .instructions = text_at(result, "instructions"),
                    .capabilities = dump(result.value("capabilities", Json::object()))};
    Json about = result.value("_meta", Json::object())
                     .value("io.modelcontextprotocol/serverInfo", Json::object());
    if (about.is_object()) {
        info.name = text_at(about, "name");
        info.version = text_at(about, "version");
    }
    set_info(std::move(info));
}

Json Session::answer_inputs(const Json& result) {
    Json answers = Json::object();
    Json asked = result.value("inputRequests", Json::object());
    if (!asked.is_object())
        throw Error(ErrorKind::Sandbox, peer_.describe("sent inputRequests that are no object"));
    for (const auto& [key, one] : asked.items()) {
        std::string method = one.is_object() ? text_at(one, "method") : "";
        try {
            answers[key] = peer_.handle(
                method, one.is_object() && one.contains("params") ? dump(one["params"]) : "{}");
        } catch (const RpcError&) {
            throw Error(ErrorKind::Sandbox,
                        peer_.describe(fmt::format(
                            "asks for '{}', which this client does not offer", method)));
        }
    }
    return answers;
}

Json Session::modern_request(Request request, const Cancel& cancel) {
    if (!request.params.contains("_meta")) request.params["_meta"] = Json::object();
    request.params["_meta"].update(meta());
    request.headers.emplace_back("Mcp-Method", request.method);
    for (int round = 0; round <= options_.max_rounds; ++round) {
        Json result = peer_.request(request, cancel);
        std::string type =
            result.contains("resultType") ? text_at(result, "resultType") : "complete";
        if (type == "complete") return result;
        if (type != "input_required")
            throw Error(ErrorKind::Sandbox, peer_.describe(fmt::format(
                                                "answered '{}' with the unknown result type '{}'",
                                                request.method, type)));
        request.params["inputResponses"] = answer_inputs(result);
        request.params.erase("requestState"); // it belongs to one round only
        if (result.contains("requestState"))
            request.params["requestState"] = result["requestState"];
    }
    throw Error(ErrorKind::Sandbox,
                peer_.describe(fmt::format("asked for input more than {} times in one '{}'",
                                           options_.max_rounds, request.method)));
}

// --- legacy -------------------------------------------------------------------------------------

void Session::initialize(const Cancel& cancel) {
    transport_.set_header(kVersionHeader, "");
    Request request{
        .method = "initialize", .timeout = options_.startup_timeout, .is_initialize = true};
    request.params = {{"protocolVersion", kLegacyVersions.front()},
                      {"capabilities", Json::parse(options_.capabilities)},
                      {"clientInfo", client_info()}};
    Json result = peer_.request(request, cancel);
    ServerInfo info{.name = {},
                    .version = {},
                    .protocol = text_at(result, "protocolVersion"),
                    .instructions = text_at(result, "instructions"),
                    .capabilities = dump(result.value("capabilities", Json::object()))};
    if (std::find(kLegacyVersions.begin(), kLegacyVersions.end(), info.protocol) ==
        kLegacyVersions.end())
        throw Error(ErrorKind::Unsupported,
                    peer_.describe(fmt::format("speaks revision '{}', which this client does not",
                                               info.protocol)));
    if (auto about = result.find("serverInfo"); about != result.end() && about->is_object()) {
        info.name = text_at(*about, "name");
        info.version = text_at(*about, "version");
    }
    transport_.set_header(kVersionHeader, info.protocol);
    set_info(std::move(info));
    peer_.notify("notifications/initialized", Json::object(), cancel);
    transport_.listen();
}

std::optional<Json> Session::unless_gone(const Request& request, const Cancel& cancel) {
    try {
        return peer_.request(request, cancel);
    } catch (const SessionGone& e) {
        log_info("{}; opening a new session", e.message());
        return std::nullopt;
    }
}

Json Session::legacy_request(const Request& request, const Cancel& cancel) {
    int generation;
    {
        std::lock_guard lock(mutex_);
        generation = generation_;
    }
    if (auto result = unless_gone(request, cancel)) return *std::move(result);
    {
        std::lock_guard one_at_a_time(opening_);
        std::unique_lock lock(mutex_);
        bool ours = generation == generation_;
        lock.unlock();
        if (ours) initialize(cancel);
    }
    return peer_.request(request, cancel);
}

Json Session::request(Request request, const Cancel& cancel) {
    bool modern = info().modern;
    return modern ? modern_request(std::move(request), cancel) : legacy_request(request, cancel);
}

} // namespace assay::mcp
