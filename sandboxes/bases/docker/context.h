// The build context: picks the sources of COPY and ADD and lays them out as they will be in the
// image. The context is somebody else's: no path and no link leaves it.
#pragma once

#include "assay/base/fs.h"
#include "assay/base/hash.h"
#include "bases/docker/patterns.h"

#include <memory>
#include <string>
#include <vector>

namespace assay::bases {

// What one COPY puts: a folder whose children go into the destination.
struct Staged {
    std::shared_ptr<TempFolder> folder;
    bool one_file = false; // a single file, whose name the destination may change
    std::string file_name;
    Digest digest;
    const Path& path() const { return folder->path(); }
};

class BuildContext {
  public:
    // Reads DOCKERFILE.dockerignore or .dockerignore, if there is one.
    BuildContext(const Path& folder, const Path& dockerfile);

    // Docker's rules: wildcards, the content of a folder rather than the folder, links kept as
    // links. `unpack`: local tar archives are extracted (ADD). Throws Error(Input).
    Staged stage(const std::vector<std::string>& sources, bool unpack) const;

  private:
    std::vector<Path> find(const std::string& source) const; // relative paths
    void add(const Path& relative, Staged& staged, bool unpack) const;
    void copy(const Path& relative, const Path& to) const;

    Path folder_; // canonical
    IgnoreRules ignore_;
};

// The same for files given in the Dockerfile itself (heredocs): name and content.
Staged stage_texts(const std::vector<std::pair<std::string, std::string>>& texts);

} // namespace assay::bases
