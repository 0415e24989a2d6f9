// The two eras of the protocol: how a conversation opens and what each request must carry.
#pragma once

#include "peer.h"

namespace assay::mcp {

inline constexpr const char* kModernVersion = "2026-07-28";

class Session {
  public:
    Session(Peer& peer, Transport& transport, const ClientOptions& options);

    void open(const Cancel& cancel);
    ServerInfo info() const;
    // Adds what the era wants, answers requests for input, opens a lost session anew (once).
    Json request(Request request, const Cancel& cancel);

  private:
    bool probe(const Cancel& cancel); // true: modern
    bool probe_once(const Cancel& cancel, bool& try_again);
    void discovered(const Json& result);
    void initialize(const Cancel& cancel);
    Json modern_request(Request request, const Cancel& cancel);
    std::optional<Json> unless_gone(const Request& request, const Cancel& cancel);
    Json legacy_request(const Request& request, const Cancel& cancel);
    Json answer_inputs(const Json& result);
    Json meta() const;
    void set_info(ServerInfo info);

    Peer& peer_;
    Transport& transport_;
    const ClientOptions& options_;
    mutable std::mutex mutex_; // info_, generation_
    std::mutex opening_;       // one re-opening at a time
    ServerInfo info_;
    int generation_ = 0; // of the session, counts re-openings
};

} // namespace assay::mcp
