// tools/list with pages and mending, tools/call.
#pragma once

#include "session.h"

#include <atomic>

namespace assay::mcp {

class Tools {
  public:
    Tools(Session& session, bool http, std::string server, const ClientOptions& options);

    std::vector<ToolInfo> list(const Cancel& cancel);
    CallResult call(const std::string& tool, const std::string& arguments, const Cancel& cancel);
    void mark_changed() { changed_ = true; }
    bool changed() const { return changed_; }
    std::vector<std::string> warnings() const;

  private:
    std::vector<ToolInfo> fetch(const Cancel& cancel);
    void take_page(const Json& result, std::vector<ToolInfo>& into);
    void warn(std::string text);
    std::vector<std::pair<std::string, std::string>> headers_of(const std::string& tool,
                                                                const Json& arguments) const;

    Session& session_;
    bool http_;
    std::string server_;
    const ClientOptions& options_;
    std::atomic<bool> changed_ = false;
    mutable std::mutex mutex_; // all below
    bool listed_ = false;
    std::vector<ToolInfo> tools_;
    std::vector<std::string> warnings_;
};

// The arguments of a tool that a modern client must mirror into headers (x-mcp-header in its input
// schema). nullopt: the schema breaks the rules; `problem` says how.
using HeaderArguments = std::vector<std::pair<std::vector<std::string>, std::string>>;
std::optional<HeaderArguments> header_arguments(const Json& schema, std::string& problem);
// A value as a header: plain if it is printable ASCII without outer blanks, else =?base64?...?=.
// nullopt: null, absent or not of a type that has a header form.
std::optional<std::string> header_value(const Json& value);

} // namespace assay::mcp
