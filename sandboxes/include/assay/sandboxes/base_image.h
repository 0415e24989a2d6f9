// A base made ready: which host folders are stacked where, and what the image says about itself.
// sandboxes/bases makes them, sandboxes/local runs on them.
#pragma once

#include "assay/api/environment.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace assay {

// One overlay of the root: `lowers` from the top layer down, read-only, shared by all sandboxes.
// Overlays do not cross mounts, so the base "host" has two: "/" (a skeleton) and "/usr" (the
// machine's). A sandbox gives each mount an upper of its own.
struct BaseMount {
    std::string at; // "/" first
    std::vector<Path> lowers;
};

struct BaseImage {
    std::vector<BaseMount> mounts;
    std::map<std::string, std::string> environment; // PATH at least
    std::string workdir = "/";
    std::string user;  // empty: root
    BaseRecord record; // asked, used, substituted, digest
};

// Runs a build step: a sandbox on `base` with a network policy, whose changes can be sealed as a
// layer.
class LayerRunner {
  public:
    virtual ~LayerRunner() = default;
    virtual std::unique_ptr<Sandbox> start_on(const BaseImage& base, const SandboxSpec& spec,
                                              const Cancel& cancel) = 0;
    // Ends the sandbox. `base` plus its changes, sealed below the cache and owned by it.
    virtual BaseImage seal(Sandbox& sandbox, const BaseImage& base, const Cancel& cancel) = 0;
};

// Maps image references (FROM lines, docker_image) to bases: lines "GLOB BASE", first match wins,
// '#' starts a comment. E.g. "python:3.13-slim-bookworm debian:trixie+python3".
class ImageMap {
  public:
    static ImageMap parse(std::string_view text, const std::string& file); // Error(Input) with line
    void add(std::string glob, std::string base);
    std::string find(std::string_view reference) const; // empty: none

  private:
    std::vector<std::pair<std::string, std::string>> rules_;
};

class BaseMaker {
  public:
    virtual ~BaseMaker() = default;
    // Builds on first use, one builder per base at a time (also across processes: a lock file),
    // cached below the state folder by content. Errors say what is missing and how to get it.
    virtual BaseImage make(const BaseSpec& spec, LayerRunner& runner, const Cancel& cancel) = 0;
};

class Spawner; // assay/io/spawner.h

struct BaseMakerOptions {
    Path state;                 // the cache's folder
    Spawner* spawner = nullptr; // for debootstrap; nullptr: one of its own
    ImageMap images{};          // "assay/NAME" is the base NAME without a rule
    // --base: instead of every base asked for and every FROM; recorded as a substitution.
    std::string override_base{};
};
// Error(Usage), Error(Input) for an override_base that cannot be made anywhere or not here.
std::unique_ptr<BaseMaker> make_base_maker(BaseMakerOptions options);

// Throws Error(Usage) for a name that is no base; looks at nothing else.
void check_base_name(const std::string& name);

} // namespace assay
