// Runs the binary as a user does, in a folder of its own.
#pragma once

#include "assay/base/fs.h"
#include "assay/io/run_command.h"
#include "catch.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace assay::test {

using Json = nlohmann::json;

class Binary {
  public:
    explicit Binary(std::string program = ASSAY_BINARY)
        : program_(std::move(program)) {
        environment_ = {"PATH=/usr/bin:/bin", "HOME=" + folder_.path().string()};
    }

    CommandResult operator()(std::vector<std::string> arguments, std::string input = "") {
        arguments.insert(arguments.begin(), program_);
        CommandOptions options;
        options.cwd = folder_.path();
        options.environment = environment_;
        options.input = std::move(input);
        options.timeout = std::chrono::seconds(120);
        options.output_limit = 8 << 20;
        return run_command(spawner_, std::move(arguments), options, Cancel());
    }
    // In the background; output goes to <name>.out and <name>.err.
    ChildProcess start(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), program_);
        ChildSpec spec;
        spec.argv = std::move(arguments);
        spec.environment = environment_;
        spec.cwd = folder_.path();
        return spawner_.spawn(std::move(spec));
    }
    Json show(const std::string& file) {
        CommandResult result = (*this)({"show", file, "--json"});
        INFO(result.err);
        REQUIRE(result.exit.code == 0);
        return Json::parse(result.out);
    }
    Json attempts(const std::string& file) { return show(file)["attempts"]; }
    void write(const std::string& name, std::string_view text) {
        RealFileSystem().write(folder_.path() / name, text, 0644);
    }
    std::string read(const std::string& name) {
        return RealFileSystem().read(folder_.path() / name, 64 << 20);
    }
    bool exists(const std::string& name) { return RealFileSystem().exists(folder_.path() / name); }
    void set(const std::string& variable) { environment_.push_back(variable); }
    const Path& folder() const { return folder_.path(); }

    // n sums for the suite example, and a model that answers after `delay` seconds.
    void write_sums(int count) {
        std::string text;
        for (int i = 0; i < count; ++i) text += std::to_string(i) + "+1\n";
        write("sums.txt", text);
    }
    void write_model(double delay, const std::string& say = "I do not know") {
        Json script = {{"rules", Json::array({{{"say", say}, {"delay", delay}}})}};
        write("model.json", script.dump());
    }

  private:
    std::string program_;
    TempFolder folder_{"assay-e2e"};
    Spawner spawner_;
    std::vector<std::string> environment_;
};

} // namespace assay::test
