// A process in a local sandbox: pipes (or a pty) and a status pipe on which init writes how it
// ended.
#pragma once

#include "assay/io/fd_stream.h"
#include "local/channel.h"

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace assay::local {

struct SpawnSpec { // SpawnOptions with the sandbox's defaults filled in
    std::vector<std::string> argv, environment;
    std::string user, cwd;
    bool with_stdin = false, merge = false;
    std::optional<TerminalSize> terminal;
};

class LocalProcess final : public Process {
  public:
    static std::unique_ptr<LocalProcess> start(const std::shared_ptr<Channel>& channel,
                                               const SpawnSpec& spec, const Cancel& cancel);
    int id() const override { return pid_; }
    Stream& in() override;
    Stream& out() override { return *out_; }
    Stream& err() override;
    void signal(int number) override;
    void resize(TerminalSize size) override;
    ExitStatus wait(const Cancel& cancel) override;
    int wait_fd() const override { return status_.get(); }

  private:
    std::shared_ptr<Channel> channel_;
    int pid_ = 0;
    bool terminal_ = false;
    UniqueFd status_;
    std::unique_ptr<FdStream> in_, out_, err_; // with a terminal only out_, in both directions
    std::mutex mutex_;
    std::optional<ExitStatus> ended_;
};

} // namespace assay::local
