// Which MCP servers this run has: built-in entries, and those of a configuration file.
#pragma once

#include "assay/api/sandbox.h"
#include "assay/api/suite.h"
#include "assay/mcp/client.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace assay::atlas {

enum class Carrier { Stdio, Http };

struct ServerConfig {
    std::string name; // as in the tools' prefix
    std::vector<std::string> argv;
    std::map<std::string, std::string> environment;
    BaseSpec base;
    NetworkPolicy network;
    std::vector<std::pair<Path, std::string>> folders_ro; // host folder, shown at
    Path program;             // put at argv[0]; empty: it is there already
    std::optional<Path> data; // its own fixtures for /data; absent: those of the rows
    Carrier carrier = Carrier::Stdio;
    std::uint16_t port = 0;    // Http: where it listens inside
    std::string path = "/mcp"; // Http
    mcp::Era era = mcp::Era::Auto;
    std::string stand_in_for; // a server of ours in place of this one
};

struct ServerTable {
    std::map<std::string, ServerConfig> servers; // by name
    std::map<std::string, std::string> missing;  // known, but not usable here: why, and what to do
};

// Settings: servers (a JSON file, see docs/suites/mcp-atlas.md), mcp_servers (the folder that
// tools/mcp-servers made; else $ASSAY_MCP_SERVERS), node, kit, stand_ins (yes or no).
ServerTable find_servers(const Settings& settings);

} // namespace assay::atlas
