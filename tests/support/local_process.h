// A Process of this machine, without a sandbox: for tests of what talks over pipes.
#pragma once

#include "assay/api/sandbox.h"
#include "assay/io/fd_stream.h"
#include "assay/io/spawner.h"

namespace assay::test {

class LocalProcess final : public Process {
  public:
    LocalProcess(Spawner& spawner, std::vector<std::string> argv) {
        assay::Pipe in = make_pipe(), out = make_pipe(), err = make_pipe();
        ChildSpec spec{.argv = std::move(argv),
                       .environment = current_environment(),
                       .cwd = {},
                       .in = std::move(in.read_end),
                       .out = std::move(out.write_end),
                       .err = std::move(err.write_end),
                       .extra = {}};
        child_ = spawner.spawn(std::move(spec));
        in_ = std::make_unique<FdStream>(std::move(in.write_end));
        out_ = std::make_unique<FdStream>(std::move(out.read_end));
        err_ = std::make_unique<FdStream>(std::move(err.read_end));
    }

    int id() const override { return child_.pid(); }
    Stream& in() override { return *in_; }
    Stream& out() override { return *out_; }
    Stream& err() override { return *err_; }
    void signal(int number) override { child_.signal_group(number); }
    void resize(TerminalSize) override {}
    ExitStatus wait(const Cancel& cancel) override {
        ChildExit end = child_.wait(cancel);
        return {end.code, end.signal};
    }

  private:
    ChildProcess child_;
    std::unique_ptr<FdStream> in_, out_, err_;
};

} // namespace assay::test
