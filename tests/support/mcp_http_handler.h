// A small MCP server over streamable HTTP for tests: sessions, streams that break and are resumed,
// both eras. What it saw can be looked at afterwards.
#pragma once

#include "assay/net/http_server.h"

#include <nlohmann/json.hpp>

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace assay::test {

struct McpHttpServer {
    using Json = nlohmann::ordered_json;

    bool modern = false;
    bool events = false;        // answers as server-sent events
    bool break_streams = false; // closes the stream before the answer; it comes on resumption
    int retry_ms = 30;
    bool plain_404 = false; // everything is not found, without a JSON body
    Json tools = Json::array({Json{{"name", "echo"}, {"inputSchema", {{"type", "object"}}}},
                              Json{{"name", "hang"}, {"inputSchema", {{"type", "object"}}}},
                              Json{{"name", "cut"}, {"inputSchema", {{"type", "object"}}}}});

    std::mutex mutex;
    std::vector<HttpRequest> seen;
    std::vector<MonoTime> resumed; // when a stream was asked for again
    MonoTime cut_at{};
    int sessions = 0;
    std::atomic<bool> forget = false; // the next request with a session gets 404

    void operator()(const HttpRequest& request, ResponseWriter& writer) {
        {
            std::lock_guard lock(mutex);
            seen.push_back(request);
            if (request.headers.has("Last-Event-ID"))
                resumed.push_back(std::chrono::steady_clock::now());
        }
        if (plain_404) return writer.send(response(404, "nothing here"));
        if (request.method == "DELETE") return writer.send(response(200, ""));
        if (request.method == "GET") return resume(request, writer);
        Json message = Json::parse(request.body, nullptr, false);
        if (!message.is_object()) return writer.send(response(400, "no JSON"));
        if (modern && !agrees(request, message))
            return reply_error(writer, message, -32020, "header and metadata differ", 400);
        std::string session = request.headers.get("MCP-Session-Id");
        if (!session.empty() && (forget.exchange(false) || session != name_of(sessions)))
            return writer.send(response(404, "no such session"));
        if (!message.contains("id")) return writer.send(response(202, ""));
        answer(request, message, writer);
    }

    int count(const std::string& method) {
        std::lock_guard lock(mutex);
        int n = 0;
        for (const HttpRequest& one : seen) n += one.method == method ? 1 : 0;
        return n;
    }
    std::string last_header(const std::string& rpc_method, const std::string& name) {
        std::lock_guard lock(mutex);
        std::string value = "(no such request)";
        for (const HttpRequest& one : seen)
            if (one.body.find("\"" + rpc_method + "\"") != std::string::npos)
                value = one.headers.get(name);
        return value;
    }

  private:
    std::map<std::string, Json> pending_; // by event id: answers of cut streams

    static std::string name_of(int session) { return "session-" + std::to_string(session); }
    static HttpResponse response(int status, std::string body) {
        HttpResponse out;
        out.status = status;
        out.body = std::move(body);
        return out;
    }
    static bool agrees(const HttpRequest& request, const Json& message) {
        std::string version = message["params"]["_meta"].value(
            "io.modelcontextprotocol/protocolVersion", std::string());
        return version == "2026-07-28" && request.headers.get("MCP-Protocol-Version") == version &&
               message["method"] == request.headers.get("Mcp-Method");
    }
    void reply(ResponseWriter& writer, const Json& message, const Json& result,
               HttpHeaders headers = {}) {
        Json body = {{"jsonrpc", "2.0"}, {"id", message["id"]}, {"result", result}};
        HttpResponse head;
        head.headers = std::move(headers);
        if (!events) {
            head.headers.set("Content-Type", "application/json");
            head.body = body.dump();
            return writer.send(std::move(head));
        }
        writer.start_events(std::move(head));
        SseEvent event;
        if (break_streams && message["method"] == "tools/call") {
            std::lock_guard lock(mutex);
            event.id = "e" + std::to_string(pending_.size());
            event.retry = retry_ms;
            pending_[event.id] = body;
            cut_at = std::chrono::steady_clock::now();
            return writer.event(event); // with empty data, then the end
        }
        event.data = R"({"jsonrpc":"2.0","method":"notifications/message","params":{}})";
        writer.event(event);
        event.data = body.dump();
        writer.event(event);
    }
    void reply_error(ResponseWriter& writer, const Json& message, int code, const char* text,
                     int status) {
        Json body = {{"jsonrpc", "2.0"},
                     {"id", message["id"]},
                     {"error", {{"code", code}, {"message", text}}}};
        HttpResponse out = response(status, body.dump());
        out.headers.set("Content-Type", "application/json");
        writer.send(std::move(out));
    }
    void resume(const HttpRequest& request, ResponseWriter& writer) {
        std::string id = request.headers.get("Last-Event-ID");
        Json body;
        {
            std::lock_guard lock(mutex);
            auto found = pending_.find(id);
            if (found == pending_.end()) return writer.send(response(405, ""));
            body = found->second;
        }
        writer.start_events();
        SseEvent event;
        event.data = body.dump();
        writer.event(event);
    }
    void answer(const HttpRequest&, const Json& message, ResponseWriter& writer) {
        std::string method = message["method"];
        Json params = message.value("params", Json::object());
        if (method == "server/discover" && modern)
            return reply(writer, message,
                         {{"supportedVersions", {"2026-07-28"}}, {"capabilities", Json::object()}});
        if (method == "initialize" && !modern) {
            std::unique_lock lock(mutex);
            std::string session = name_of(++sessions);
            lock.unlock();
            return reply(writer, message,
                         {{"protocolVersion", "2025-11-25"},
                          {"capabilities", {{"tools", Json::object()}}},
                          {"serverInfo", {{"name", "http"}, {"version", "1"}}}},
                         {{"MCP-Session-Id", session}});
        }
        if (method == "tools/list") return reply(writer, message, {{"tools", tools}});
        if (method == "tools/call") {
            std::string tool = params.value("name", "");
            if (tool == "hang")
                while (!writer.cancel().cancelled())
                    writer.cancel().sleep_for(std::chrono::milliseconds(5));
            if (tool == "cut") {
                writer.start_events();
                return writer.break_connection();
            }
            return reply(writer, message,
                         {{"content", {{{"type", "text"}, {"text", params["arguments"].dump()}}}}});
        }
        reply_error(writer, message, -32601, "Method not found", 404);
    }
};

} // namespace assay::test
