// A suite's tools for whoever has only a shell: a service of the harness that the sandbox can
// reach, and a small bash program there that speaks to it.
//
//   tool list                 names and what they do
//   tool show NAME            description and JSON schema
//   tool call NAME 'JSON'     runs it, prints the result; '-' reads the JSON from standard input
//   tool answer TEXT          hands in the answer; '-' reads it from standard input
//
// One request a connection, both ways a header line and so many bytes: "call NAME 17\n<17 bytes>",
// "ok 5\n<5 bytes>" or "error 5\n<5 bytes>". Calls run one at a time. What must end the trial
// (sandbox lost, cancelled) is kept and thrown by check() on the agent's thread, which also hands
// in the answer there: a TrialContext belongs to one thread.
#pragma once

#include "assay/api/trial.h"
#include "service_door.h"

#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace assay {

class ToolBridge {
  public:
    // Installs the client in the context's main sandbox. Borrows the context.
    explicit ToolBridge(TrialContext& context);
    ~ToolBridge();

    void check();               // submits what was answered; rethrows what a call died of
    bool answered() const;      // by `tool answer`, so far
    std::string prompt() const; // for the first message of the conversation

    static std::string client_script(std::string_view address);

  private:
    struct Reply {
        bool ok = false;
        std::string text;
    };
    void serve(Stream& connection, const Cancel& cancel);
    Reply reply(std::string_view verb, std::string_view name, std::string body);
    Reply call(std::string_view name, std::string arguments);
    std::string list() const;

    TrialContext& context_;
    mutable std::mutex mutex_;
    int calls_ = 0;
    bool answered_ = false;
    std::optional<std::string> answer_; // not yet submitted
    std::exception_ptr failure_;
    Cancel stop_;
    std::shared_ptr<ServiceDoor> door_;
    std::unique_ptr<Exposed> exposed_;
};

} // namespace assay
