// An MCP server with bad manners, for the tests of the client. Independent of harness/mcp on
// purpose: the two must agree on the protocol, not on code.
//
//   assay_test_mcp_server [--era legacy|modern|both] [--version V] [option]...
//
// Options: --hang (answers nothing)  --ignore-eof (stays when stdin closes, and on SIGTERM)
//   --noise (prints lines that are no JSON)  --stderr-flood (1 MiB of log)  --die-at-start
//   --pages N (N pages of tools; the first cursor is the empty string)  --repeat-cursor
//   --endless-pages  --bad-schema  --tools-at-init (list_changed before initialize is answered)
//   --refuse-first (modern: the first request is refused with -32022)
// What a tool does is in the table below.
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <thread>

using Json = nlohmann::json;

namespace {

std::set<std::string> g_flags;
std::map<std::string, std::string> g_values;
bool g_modern_only = false, g_legacy_only = true;
bool g_refused = false;
int g_extra_tools = 0;

bool flag(const char* name) {
    return g_flags.count(name) > 0;
}

void put(const std::string& line) {
    std::string all = line + "\n";
    std::fwrite(all.data(), 1, all.size(), stdout);
    std::fflush(stdout);
}
void put(const Json& json) {
    put(json.dump());
}

void reply(const Json& id, const Json& result) {
    put(Json{{"jsonrpc", "2.0"}, {"id", id}, {"result", result}});
}
void reply_error(const Json& id, int code, const std::string& text, const Json& data = nullptr) {
    Json error = {{"code", code}, {"message", text}};
    if (!data.is_null()) error["data"] = data;
    put(Json{{"jsonrpc", "2.0"}, {"id", id}, {"error", error}});
}
void notify(const std::string& method, const Json& params) {
    put(Json{{"jsonrpc", "2.0"}, {"method", method}, {"params", params}});
}

Json text_result(const std::string& text) {
    return {{"content", {{{"type", "text"}, {"text", text}}}}};
}

Json read_message() {
    std::string line;
    while (std::getline(std::cin, line)) {
        Json json = Json::parse(line, nullptr, false);
        if (!json.is_discarded()) return json;
    }
    return nullptr;
}

void sleep_ms(int ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

// A server of the legacy era may ask the client in the middle of a call. Its ids start at 0.
Json ask(const std::string& method, const Json& params) {
    put(Json{{"jsonrpc", "2.0"}, {"id", 0}, {"method", method}, {"params", params}});
    for (;;) {
        Json message = read_message();
        if (message.is_null()) std::exit(0);
        if (!message.contains("method") && message["id"] == 0) return message;
    }
}

const char* kPng = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgA"
                   "AAABJRU5ErkJggg==";

using Handler = std::function<void(const Json& id, const Json& arguments, const Json& params)>;

const std::map<std::string, Handler>& handlers() {
    static const std::map<std::string, Handler> table = {
        {"echo", [](const Json& id, const Json& a,
                    const Json&) { reply(id, text_result(a.value("text", ""))); }},
        {"add",
         [](const Json& id, const Json& a, const Json&) {
             int sum = a.value("a", 0) + a.value("b", 0);
             Json result = text_result(std::to_string(sum));
             result["structuredContent"] = {{"sum", sum}};
             reply(id, result);
         }},
        {"fail",
         [](const Json& id, const Json&, const Json&) {
             Json result = text_result("it went wrong");
             result["isError"] = true;
             reply(id, result);
         }},
        {"media",
         [](const Json& id, const Json&, const Json&) {
             reply(id,
                   {{"content",
                     {{{"type", "text"}, {"text", "see"}},
                      {{"type", "image"}, {"data", kPng}, {"mimeType", "image/png"}},
                      {{"type", "audio"}, {"data", "AAAA"}, {"mimeType", "audio/wav"}},
                      {{"type", "resource"},
                       {"resource", {{"uri", "file:///a"}, {"text", "inside"}}}},
                      {{"type", "resource"}, {"resource", {{"uri", "file:///b"}, {"blob", "!!"}}}},
                      {{"type", "resource_link"}, {"name", "n"}, {"uri", "file:///c"}},
                      {{"type", "hologram"}},
                      42}}});
         }},
        {"only_structured", [](const Json& id, const Json&,
                               const Json&) { reply(id, {{"structuredContent", {{"k", 1}}}}); }},
        {"no_content", [](const Json& id, const Json&, const Json&) { reply(id, Json::object()); }},
        {"die",
         [](const Json&, const Json&, const Json&) {
             std::fprintf(stderr, "fatal: out of cheese\n");
             std::exit(3);
         }},
        {"die_in_line",
         [](const Json&, const Json&, const Json&) {
             std::fputs("{\"jsonrpc\":\"2.0\",\"id\"", stdout);
             std::fflush(stdout);
             std::raise(SIGKILL);
         }},
        {"never", [](const Json&, const Json&, const Json&) {}},
        {"late",
         [](const Json& id, const Json& a, const Json&) {
             sleep_ms(a.value("ms", 300));
             reply(id, text_result("late"));
         }},
        {"progress",
         [](const Json& id, const Json& a, const Json& params) {
             for (int i = 0; i < a.value("steps", 5); ++i) {
                 sleep_ms(a.value("ms", 100));
                 if (params.contains("_meta") && params["_meta"].contains("progressToken"))
                     notify("notifications/progress",
                            {{"progressToken", params["_meta"]["progressToken"]}, {"progress", i}});
             }
             reply(id, text_result("done"));
         }},
        {"huge",
         [](const Json& id, const Json& a, const Json&) {
             reply(id, text_result(std::string(a.value("bytes", 1000), 'x')));
         }},
        {"deep",
         [](const Json& id, const Json& a, const Json&) {
             int depth = a.value("depth", 100000);
             put("{\"jsonrpc\":\"2.0\",\"id\":" + id.dump() + ",\"result\":{\"content\":" +
                 std::string(depth, '[') + std::string(depth, ']') + "}}");
             reply(id, text_result("after the deep one"));
         }},
        {"garbage",
         [](const Json& id, const Json&, const Json&) {
             put(std::string("{\"jsonrpc\":\"2.0\",\"id\":"));
             put(std::string("Listening on port 8080"));
             put(std::string("{\"id\":{},\"result\":1}"));
             put(std::string("\xff\xfe\x00\x01", 4));
             put(std::string("[]"));
             reply(id, text_result("after the garbage"));
         }},
        {"latin1",
         [](const Json& id, const Json&, const Json&) {
             put("{\"jsonrpc\":\"2.0\",\"id\":" + id.dump() +
                 ",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"caf\xe9\"}]}}");
         }},
        {"batch",
         [](const Json& id, const Json&, const Json&) {
             put(Json::array(
                 {Json{{"jsonrpc", "2.0"}, {"method", "notifications/message"}},
                  Json{{"jsonrpc", "2.0"}, {"id", id}, {"result", text_result("both")}}}));
         }},
        {"wrong_id",
         [](const Json& id, const Json&, const Json&) {
             reply(id.get<int>() + 1000, text_result("not yours"));
             reply(std::to_string(id.get<int>()), text_result("nor this"));
             reply(id, text_result("yours"));
         }},
        {"twice",
         [](const Json& id, const Json&, const Json&) {
             reply(id, text_result("first"));
             reply(id, text_result("second"));
         }},
        {"chatter",
         [](const Json& id, const Json& a, const Json&) {
             for (int i = 0; i < a.value("count", 1000); ++i)
                 notify("notifications/message", {{"level", "info"}, {"data", i}});
             reply(id, text_result("heard"));
         }},
        {"endless",
         [](const Json&, const Json&, const Json&) {
             for (;;) notify("notifications/message", {{"data", "and another thing"}});
         }},
        {"asks",
         [](const Json& id, const Json& a, const Json&) {
             Json answer = ask(a.value("method", "ping"), a.value("params", Json::object()));
             reply(id, text_result(answer.dump()));
         }},
        {"grow",
         [](const Json& id, const Json&, const Json&) {
             ++g_extra_tools;
             notify("notifications/tools/list_changed", Json::object());
             reply(id, text_result("grown"));
         }},
        {"cancelled",
         [](const Json& id, const Json&, const Json&) { // what the client cancels
             Json message = read_message();
             std::fprintf(stderr, "got %s of %s\n", message.value("method", "").c_str(),
                          message["params"].value("requestId", Json()).dump().c_str());
             (void)id;
         }},
        {"error_without_id", [](const Json&, const Json&,
                                const Json&) { reply_error(nullptr, -32700, "Parse error"); }},
        {"needs_input",
         [](const Json& id, const Json& a, const Json& params) { // modern
             if (params.contains("inputResponses") && !a.value("for_ever", false)) {
                 std::string state = params.value("requestState", "none");
                 return reply(id, text_result(state + params["inputResponses"].dump()));
             }
             Json result = {
                 {"resultType", "input_required"},
                 {"inputRequests",
                  {{"who", {{"method", "elicitation/create"}, {"params", {{"q", 1}}}}}}}};
             if (a.value("state", true)) result["requestState"] = "opaque";
             reply(id, result);
         }},
        {"odd_type",
         [](const Json& id, const Json&, const Json&) {
             Json result = text_result("?");
             result["resultType"] = "quantum";
             reply(id, result);
         }},
    };
    return table;
}

Json tool(const std::string& name) {
    return {{"name", name},
            {"description", "does " + name},
            {"inputSchema", {{"type", "object"}, {"properties", Json::object()}}}};
}

void list_tools(const Json& id, const Json& params) {
    if (flag("--repeat-cursor"))
        return reply(id, {{"tools", {tool("echo")}}, {"nextCursor", "again"}});
    if (flag("--endless-pages")) {
        static int page = 0;
        return reply(id, {{"tools", {tool("t" + std::to_string(page))}},
                          {"nextCursor", std::to_string(++page)}});
    }
    Json tools = Json::array();
    for (const auto& [name, handler] : handlers()) tools.push_back(tool(name));
    for (int i = 0; i < g_extra_tools; ++i) tools.push_back(tool("extra" + std::to_string(i)));
    if (flag("--bad-schema")) {
        tools = {tool("good"),
                 Json{{"name", "no_schema"}},
                 Json{{"name", "string_schema"}, {"inputSchema", "object"}},
                 Json{{"inputSchema", Json::object()}},
                 17,
                 tool("good")};
    }
    if (g_values.count("--pages")) {
        int pages = std::stoi(g_values["--pages"]);
        int at = 0;
        if (params.contains("cursor")) {
            std::string cursor = params["cursor"];
            at = cursor.empty() ? 1 : std::stoi(cursor);
        }
        Json result = {{"tools", {tool("page" + std::to_string(at))}}};
        if (at + 1 < pages) result["nextCursor"] = at == 0 ? "" : std::to_string(at + 1);
        return reply(id, result);
    }
    reply(id, {{"tools", tools}});
}

bool has_meta(const Json& params) {
    return params.contains("_meta") &&
           params["_meta"].value("io.modelcontextprotocol/protocolVersion", "") == "2026-07-28" &&
           params["_meta"].contains("io.modelcontextprotocol/clientCapabilities");
}

void request(const Json& message) {
    const Json& id = message["id"];
    std::string method = message["method"];
    Json params = message.value("params", Json::object());
    if (flag("--hang")) return;
    if (method == "server/discover") {
        if (g_legacy_only) return reply_error(id, -32601, "Method not found");
        if (flag("--refuse-first") && !g_refused) {
            g_refused = true;
            return reply_error(id, -32022, "Unsupported protocol version",
                               {{"supported", {"2026-07-28"}}, {"requested", "?"}});
        }
        return reply(
            id,
            {{"supportedVersions", {"2026-07-28"}},
             {"capabilities", {{"tools", Json::object()}}},
             {"_meta",
              {{"io.modelcontextprotocol/serverInfo", {{"name", "nasty"}, {"version", "1"}}}}}});
    }
    if (method == "initialize") {
        if (g_modern_only) return reply_error(id, -32601, "Method not found");
        if (flag("--tools-at-init")) notify("notifications/tools/list_changed", Json::object());
        std::string version = params.value("protocolVersion", "");
        if (g_values.count("--version")) version = g_values["--version"];
        return reply(id, {{"protocolVersion", version},
                          {"capabilities", {{"tools", {{"listChanged", true}}}}},
                          {"serverInfo", {{"name", "nasty"}, {"version", "1"}}},
                          {"instructions", "be careful"}});
    }
    if (g_modern_only && !has_meta(params))
        return reply_error(id, -32602, "no metadata in the request");
    if (method == "ping") return reply(id, Json::object());
    if (method == "tools/list") return list_tools(id, params);
    if (method == "tools/call") {
        auto found = handlers().find(params.value("name", ""));
        if (found == handlers().end()) return reply_error(id, -32602, "Unknown tool");
        return found->second(id, params.value("arguments", Json::object()), params);
    }
    reply_error(id, -32601, "Method not found");
}

} // namespace

int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        std::string word = argv[i];
        if (word == "--era" || word == "--version" || word == "--pages")
            g_values[word] = i + 1 < argc ? argv[++i] : "";
        else
            g_flags.insert(word);
    }
    std::string era = g_values.count("--era") ? g_values["--era"] : "legacy";
    g_modern_only = era == "modern";
    g_legacy_only = era == "legacy";
    if (flag("--ignore-eof")) std::signal(SIGTERM, SIG_IGN);
    if (flag("--die-at-start")) {
        std::fprintf(stderr, "error: no such module\n");
        return 7;
    }
    if (flag("--noise")) put(std::string("nasty server v1, welcome!\n\n  {"));
    if (flag("--stderr-flood"))
        for (int i = 0; i < 16384; ++i)
            std::fprintf(stderr, "log line number %05d of very many, to fill pipes\n", i);
    for (;;) {
        Json message = read_message();
        if (message.is_null()) break;
        if (message.contains("method") && message.contains("id")) request(message);
    }
    while (flag("--ignore-eof")) ::pause();
    return 0;
}
