// The tools of one or more MCP servers as a ToolSet: names are prefixed with the server's name, as
// "memory_read_graph".
//
// A snapshot: a ToolSet is stable for the trial, whatever a server says later (servers_changed()).
#pragma once

#include "assay/api/tool.h"
#include "assay/mcp/client.h"

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace assay::mcp {

// What a call came to, before it is turned into what the model reads.
struct CallEnd {
    enum class Kind {
        Result,   // content blocks, is_error perhaps
        RpcError, // the server refused
        Timeout,
        Dead, // the server is gone or unusable; its sandbox lives
    } kind = Kind::Result;
    CallResult result;
    std::string message;      // of RpcError, Timeout, Dead
    double limit_seconds = 0; // Timeout
};

// Shows a call's end to the model; suites may have their own. Called on the thread of the call.
using Renderer = std::function<ToolOutcome(const std::string& tool, const CallEnd& end)>;

// text: as it is; image: into the blob store; audio and binary resources: into the blob store and
// named in a line of text; embedded text resources: their text; links: "name: uri".
std::vector<MediaPart> media_parts(std::string_view content, BlobStore& blobs);
// The default: parts as above, errors as "Error: ...".
Renderer plain_renderer(BlobStore& blobs);

struct ToolSetStats {
    std::uint64_t calls = 0, tool_errors = 0, rpc_errors = 0, timeouts = 0, dead = 0;
};

class McpToolSet final : public ToolSet {
  public:
    explicit McpToolSet(Renderer render);
    ~McpToolSet() override;

    // `client` is open. Its sandbox, if known, tells a dead server from a lost environment.
    // Tools that `wanted` (full names) does not name are left out, unless it is empty.
    void add_server(const std::string& prefix, std::unique_ptr<Client> client, Sandbox* sandbox,
                    const std::vector<std::string>& wanted, const Cancel& cancel);
    const std::vector<Tool*>& tools() const override { return view_; }
    void order_by(const std::vector<std::string>& names); // those first, in this order

    ToolSetStats stats() const;
    bool servers_changed() const; // some server's list has changed since
    std::vector<std::string> warnings() const;

  private:
    class McpTool;
    struct Server;
    std::shared_ptr<struct Counters> counters_;
    Renderer render_;
    std::vector<std::unique_ptr<Server>> servers_;
    std::vector<std::unique_ptr<McpTool>> owned_;
    std::vector<Tool*> view_;
};

} // namespace assay::mcp
