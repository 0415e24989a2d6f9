// Where code is built and run: sandboxes in the product, plain processes in unit tests. The judge
// knows nothing else of the outside.
#pragma once

#include "assay/base/cancel.h"
#include "assay/base/stream.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay::kernel_bench {

// Rooms are apart from one another. Trusted: the reference, the baseline and the yardsticks are
// built and run here. Build: the answer is compiled. Answer: it runs, beside nothing but a runner.
enum class Room { Trusted, Build, Answer };

struct BuildRequest {
    std::vector<std::pair<std::string, std::string>> files; // name, text
    std::vector<std::string> arguments; // of g++, before "-o": flags and the files to compile
    double seconds = 60;
};

struct BuildResult {
    bool ok = false;
    std::string log;   // of the compiler, bounded
    std::string bytes; // what it made
    double seconds = 0;
};

class RunnerLink { // a started runner; the destructor ends it
  public:
    virtual ~RunnerLink() = default;
    virtual Stream& to_runner() = 0;
    virtual Stream& from_runner() = 0;
    virtual std::string library_path() const = 0; // as the runner sees it
    // How a runner that answers no more has ended; throws SandboxLost if its room is lost.
    virtual std::string ending(const Cancel& cancel) = 0;
};

class Workshop {
  public:
    virtual ~Workshop() = default;
    // A compiler that says no is ok == false; one that cannot be started throws.
    virtual BuildResult build(Room room, const BuildRequest& request, const Cancel& cancel) = 0;
    virtual std::unique_ptr<RunnerLink> start(Room room, std::string_view runner,
                                              std::string_view library, const Cancel& cancel) = 0;
};

} // namespace assay::kernel_bench
