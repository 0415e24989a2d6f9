#include "servers.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cstdlib>

namespace assay::atlas {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {

constexpr const char* kInsideNpm = "/opt/mcp-servers";
constexpr const char* kInsideNode = "/opt/node";
constexpr const char* kInsideKit = "/opt/assay/mcp-kit";

std::string setting(const Settings& settings, const char* key, const char* variable = nullptr) {
    if (auto found = settings.find(key); found != settings.end()) return found->second;
    const char* value = variable != nullptr ? std::getenv(variable) : nullptr;
    return value != nullptr ? value : "";
}

std::optional<Path> in_path(const std::string& program) {
    const char* path = std::getenv("PATH");
    for (std::string_view folder : split(path != nullptr ? path : "", ':')) {
        Path candidate = Path(folder) / program;
        std::error_code ignored;
        if (!folder.empty() && fs::is_regular_file(candidate, ignored)) return candidate;
    }
    return std::nullopt;
}

// How a sandbox gets at Node: where it is below /usr the base `host` has it; elsewhere its folder
// is shown read-only.
struct Node {
    std::string inside; // path of the program inside; empty: there is none
    std::vector<std::pair<Path, std::string>> folders;
};

Node find_node(const Settings& settings) {
    std::string given = setting(settings, "node");
    std::optional<Path> found = given.empty() ? in_path("node") : Path(given);
    std::error_code failed;
    if (!found) return {};
    Path real = fs::canonical(*found, failed);
    if (failed) return {};
    if (real.string().starts_with("/usr/")) return {real.string(), {}};
    Path prefix = real.parent_path().parent_path();
    return {std::string(kInsideNode) + "/bin/" + real.filename().string(), {{prefix, kInsideNode}}};
}

// Where tools/mcp-servers installs, unless told otherwise.
Path npm_folder(const Settings& settings) {
    std::string given = setting(settings, "mcp_servers", "ASSAY_MCP_SERVERS");
    if (!given.empty()) return fs::absolute(given);
    const char* data = std::getenv("XDG_DATA_HOME");
    const char* home = std::getenv("HOME");
    if (data != nullptr && *data != '\0') return Path(data) / "assay/mcp-servers";
    return home != nullptr ? Path(home) / ".local/share/assay/mcp-servers" : Path();
}

void add_npm(ServerTable& table, const Settings& settings) {
    struct Package {
        const char *server, *package, *argument;
    };
    static constexpr std::array<Package, 2> kPackages = {{
        {"filesystem", "server-filesystem", "/data"},
        {"memory", "server-memory", ""},
    }};
    Path npm = npm_folder(settings);
    Node node = find_node(settings);
    for (const Package& one : kPackages) {
        std::string entry =
            fmt::format("node_modules/@modelcontextprotocol/{}/dist/index.js", one.package);
        std::error_code ignored;
        bool installed = !npm.empty() && fs::is_regular_file(npm / entry, ignored);
        if (!installed || node.inside.empty()) {
            table.missing[one.server] =
                installed ? "Node is not on this machine"
                          : "its npm package is not installed: run tools/mcp-servers";
            continue;
        }
        ServerConfig server;
        server.name = one.server;
        server.argv = {node.inside, std::string(kInsideNpm) + "/" + entry};
        if (*one.argument != '\0') server.argv.emplace_back(one.argument);
        server.folders_ro = node.folders;
        server.folders_ro.emplace_back(npm, kInsideNpm);
        if (server.name == "memory") server.environment["MEMORY_FILE_PATH"] = "/tmp/memory.jsonl";
        server.era = mcp::Era::Legacy; // known: saves the probe
        table.servers[server.name] = std::move(server);
    }
}

std::optional<Path> find_kit(const Settings& settings) {
    std::string given = setting(settings, "kit", "ASSAY_MCP_KIT");
    std::error_code failed;
    Path self = fs::canonical("/proc/self/exe", failed);
    std::vector<Path> candidates = {self.parent_path() / "assay-mcp-kit",
                                    self.parent_path().parent_path() /
                                        "libexec/assay/assay-mcp-kit"};
    if (!given.empty()) candidates = {given};
    for (const Path& one : candidates)
        if (fs::is_regular_file(one, failed)) return one;
    return std::nullopt;
}

void add_kit(ServerTable& table, const Settings& settings) {
    std::string wanted = setting(settings, "stand_ins");
    if (!wanted.empty() && wanted != "yes" && wanted != "no")
        throw Error(ErrorKind::Usage, "mcp_atlas: stand_ins=" + wanted + ": must be yes or no");
    std::optional<Path> kit = find_kit(settings);
    for (std::string role : {"kit", "calculator", "cli-mcp-server", "mcp-code-executor"}) {
        bool stand_in = role != "kit";
        if (stand_in && wanted == "no") {
            table.missing[role] = "it is not configured, and stand_ins=no";
            continue;
        }
        if (!kit) {
            table.missing[role] = "assay-mcp-kit is not beside the program (give kit=PATH)";
            continue;
        }
        ServerConfig server;
        server.name = role;
        server.argv = {kInsideKit, "--as", role};
        server.program = *kit;
        server.era = mcp::Era::Legacy;
        if (stand_in) server.stand_in_for = role;
        table.servers[role] = std::move(server);
    }
}

// "${NAME}" in a value is the variable of our environment: keys stay out of the file.
std::string expand(const std::string& value, const std::string& where) {
    std::string out;
    for (std::size_t i = 0; i < value.size();) {
        std::size_t end = value.compare(i, 2, "${") == 0 ? value.find('}', i) : std::string::npos;
        if (end == std::string::npos) {
            out += value[i++];
            continue;
        }
        std::string name = value.substr(i + 2, end - i - 2);
        const char* found = std::getenv(name.c_str());
        if (found == nullptr)
            throw Error(ErrorKind::Usage, where + ": the variable " + name + " is not set");
        out += found;
        i = end + 1;
    }
    return out;
}

class ConfigReader {
  public:
    ConfigReader(const Json& json, std::string where, Path folder)
        : json_(json)
        , where_(std::move(where))
        , folder_(std::move(folder)) {}

    ServerConfig read(const std::string& name) {
        if (!json_.is_object()) fail("must be an object");
        static constexpr std::array kKeys = {"command", "args",    "env",     "data",
                                             "base",    "network", "folders", "transport",
                                             "port",    "path",    "era"};
        for (const auto& [key, value] : json_.items())
            if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
                fail("unknown key '" + key + "'");
        if (name.empty() || name.find('_') != name.npos)
            fail("a server's name must not be empty or have an underscore");
        ServerConfig server;
        server.name = name;
        server.argv = {text("command", "")};
        if (server.argv[0].empty()) fail("'command' is missing");
        for (const Json& one : list("args")) {
            if (!one.is_string()) fail("'args' must hold strings");
            server.argv.push_back(one.get<std::string>());
        }
        const Json variables = object("env"), folders = object("folders");
        for (const auto& [key, value] : variables.items()) {
            if (!value.is_string()) fail("'env' must hold strings");
            server.environment[key] = expand(value.get<std::string>(), where_);
        }
        server.base.name = text("base", "host");
        if (std::string data = text("data", ""); !data.empty()) server.data = folder_ / data;
        for (const auto& [outside, inside] : folders.items()) {
            if (!inside.is_string()) fail("'folders' must be host folder: folder inside");
            server.folders_ro.emplace_back(folder_ / outside, inside.get<std::string>());
        }
        read_choices(server);
        return server;
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        throw Error(ErrorKind::Input, where_ + ": " + what);
    }
    void read_choices(ServerConfig& server) {
        std::string network = text("network", "none");
        if (network == "public")
            server.network.mode = NetworkMode::Public;
        else if (network != "none")
            fail("'network' must be none or public");
        std::string carrier = text("transport", "stdio");
        if (carrier == "http")
            server.carrier = Carrier::Http;
        else if (carrier != "stdio")
            fail("'transport' must be stdio or http");
        if (server.carrier == Carrier::Http) {
            auto port = json_.find("port");
            if (port == json_.end() || !port->is_number_unsigned() || *port == 0 || *port > 65535)
                fail("'port' must be a number, 1 to 65535");
            server.port = port->get<std::uint16_t>();
            server.path = text("path", "/mcp");
        }
        std::string era = text("era", "auto");
        if (era == "legacy")
            server.era = mcp::Era::Legacy;
        else if (era == "modern")
            server.era = mcp::Era::Modern;
        else if (era != "auto")
            fail("'era' must be auto, legacy or modern");
    }
    std::string text(const char* key, const char* otherwise) const {
        auto found = json_.find(key);
        if (found == json_.end()) return otherwise;
        if (!found->is_string()) fail(fmt::format("'{}' must be a string", key));
        return found->get<std::string>();
    }
    Json list(const char* key) const {
        Json value = json_.value(key, Json::array());
        if (!value.is_array()) fail(fmt::format("'{}' must be a list", key));
        return value;
    }
    Json object(const char* key) const {
        Json value = json_.value(key, Json::object());
        if (!value.is_object()) fail(fmt::format("'{}' must be an object", key));
        return value;
    }

    const Json& json_;
    std::string where_;
    Path folder_; // of the file: paths are relative to it
};

void add_file(ServerTable& table, const Path& file) {
    Json json;
    try {
        json = Json::parse(RealFileSystem().read(file, 1 << 20));
    } catch (const Json::exception& e) {
        throw Error(ErrorKind::Input, fmt::format("{}: {}", file.string(), e.what()));
    }
    if (!json.is_object() || !json.contains("servers") || !json["servers"].is_object())
        throw Error(ErrorKind::Input, file.string() + ": there is no object \"servers\"");
    for (const auto& [name, entry] : json["servers"].items()) {
        ConfigReader reader(entry, file.string() + ": server '" + name + "'",
                            fs::absolute(file).parent_path());
        table.servers[name] = reader.read(name);
        table.missing.erase(name);
    }
}

} // namespace

ServerTable find_servers(const Settings& settings) {
    ServerTable table;
    add_npm(table, settings);
    add_kit(table, settings);
    if (std::string file = setting(settings, "servers"); !file.empty()) add_file(table, file);
    return table;
}

} // namespace assay::atlas
