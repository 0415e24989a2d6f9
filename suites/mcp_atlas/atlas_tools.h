// The MCP servers of one task, started in their sandboxes, and their tools as the agent sees them.
#pragma once

#include "assay/api/trial.h"
#include "assay/mcp/tool_set.h"
#include "servers.h"

#include <memory>
#include <mutex>

namespace assay::atlas {

struct AtlasOptions {
    bool strict = false;      // errors and images as the official harness shows them
    bool shared = false;      // all servers in one sandbox, as there
    bool stale_cache = false; // results kept over all trials, of stateful servers too, as there
    Path data;                // fixtures for /data; empty: none
};

// Successful results by tool and arguments, for as long as the run; see AtlasOptions::stale_cache.
class ResultCache {
  public:
    static bool covers(std::string_view server); // the official list leaves four servers out
    static std::string key(std::string_view tool, std::string_view arguments);
    std::optional<ToolOutcome> find(const std::string& key) const;
    void keep(const std::string& key, const ToolOutcome& outcome);

  private:
    mutable std::mutex mutex_;
    std::map<std::string, ToolOutcome> results_;
};

struct StartedServer { // what must stand beside a score
    std::string name, own_name, version, protocol, tools_hash;
    std::size_t tools = 0;
};

class AtlasTools final : public ToolSet {
  public:
    // Copies the fixtures, starts the servers, lists their tools; leaves those that `enabled` does
    // not name out and puts the rest into its order.
    AtlasTools(const std::vector<const ServerConfig*>& servers,
               const std::vector<std::string>& enabled, const AtlasOptions& options,
               ResultCache* cache, TrialContext& context);
    ~AtlasTools() override;

    const std::vector<Tool*>& tools() const override { return view_; }
    const std::vector<StartedServer>& servers() const { return servers_; }
    const std::vector<std::string>& absent() const { return absent_; } // enabled, but not there
    mcp::ToolSetStats stats() const { return set_.stats(); }
    // Non-strict: an error or image was shown otherwise than the official harness would.
    bool shown_otherwise() const { return *shown_otherwise_; }

  private:
    class Wrapped;
    std::shared_ptr<std::atomic<bool>> shown_otherwise_;
    mcp::McpToolSet set_;
    std::vector<std::unique_ptr<Wrapped>> wrapped_;
    std::vector<Tool*> view_;
    std::vector<StartedServer> servers_;
    std::vector<std::string> absent_;
};

// How the official harness shows a call's end: text blocks only, "success" where there is no text,
// a failed tool as the body of an HTTP 500.
mcp::Renderer strict_renderer();

} // namespace assay::atlas
