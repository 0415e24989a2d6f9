// `assay serve` in the background.
#pragma once

#include "binary.h"

#include <csignal>
#include <optional>

namespace assay::test {

class ServedBinary {
  public:
    // `more` names the model and what else; the address is free, the output goes to serve.out.
    ServedBinary(Binary& assay, const std::vector<std::string>& more, bool listen = true) {
        std::string line = "exec " ASSAY_BINARY " serve";
        for (const std::string& word : more) line += " '" + word + "'";
        if (listen) line += " --listen 127.0.0.1:0";
        shell_.emplace("/bin/sh");
        shell_->set("ASSAY_TEST_KEY=key-of-the-test");
        folder_ = assay.folder();
        child_ = std::make_unique<ChildProcess>(shell_->start(
            {"-c", "cd '" + folder_.string() + "'; " + line + " >serve.out 2>serve.err"}));
        for (int i = 0; i < 600 && where_.empty(); ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            std::string out = read("serve.out");
            std::size_t at = out.rfind(" at ");
            if (at != std::string::npos && out.ends_with('\n'))
                where_ = out.substr(at + 4, out.size() - at - 5);
        }
    }
    const std::string& where() const { return where_; } // "http://127.0.0.1:1234/v1"; empty: died
    int stop() {
        child_->signal(SIGINT);
        return child_->wait(Cancel()).code;
    }
    std::string log() { return read("serve.err"); }

  private:
    std::string read(const std::string& name) {
        RealFileSystem files;
        return files.exists(folder_ / name) ? files.read(folder_ / name, 1 << 20) : "";
    }
    std::optional<Binary> shell_;
    Path folder_;
    std::unique_ptr<ChildProcess> child_;
    std::string where_;
};

} // namespace assay::test
