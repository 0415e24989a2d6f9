// Our end of put and get: see wire.h for the stream. What comes out of a sandbox is hostile: paths
// are checked part by part, no link is followed on the host, and none is made that leads out.
#pragma once

#include "assay/base/fs.h"
#include "local/channel.h"

#include <optional>
#include <string>
#include <vector>

namespace assay::local {

void put_file(Channel& channel, const std::string& path, std::string_view data, unsigned mode,
              const Cancel& cancel);
void put_folder(Channel& channel, const Path& folder, const std::string& path,
                const Cancel& cancel);
std::optional<std::string> get_file(Channel& channel, const std::string& path, std::uint64_t limit,
                                    const Cancel& cancel);
std::vector<std::string> get_folder(Channel& channel, const std::string& path, const Path& folder,
                                    std::uint64_t limit, const Cancel& cancel);
void remove(Channel& channel, const std::string& path, const Cancel& cancel);

// Receives a tree into `folder` from a stream. Throws Error(Sandbox) on anything malformed.
std::vector<std::string> receive_tree(Stream& from, const Path& folder, std::uint64_t limit,
                                      const Cancel& cancel);

} // namespace assay::local
