// Applying COPY, ADD and WORKDIR inside a build sandbox, with Docker's rules for destinations.
#pragma once

#include "assay/api/sandbox.h"
#include "bases/docker/context.h"

#include <string>
#include <vector>

namespace assay::bases {

struct CopyTarget {
    std::string path;    // absolute
    bool folder = false; // it ends with '/' or there are several sources
    std::string owner;   // "user:group" for chown; empty: root
    std::string mode;    // --chmod; empty: as it is
};

void put_staged(Sandbox& sandbox, const Staged& staged, const CopyTarget& target,
                const Cancel& cancel);

// From another stage's sandbox: links and owners are kept, so both need tar. Sources are absolute
// and may hold wildcards.
void copy_between(Sandbox& from, const std::vector<std::string>& sources, Sandbox& to,
                  const CopyTarget& target, const Cancel& cancel);

void make_workdir(Sandbox& sandbox, const std::string& path, const Cancel& cancel);

} // namespace assay::bases
