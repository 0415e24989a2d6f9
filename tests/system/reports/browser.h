// Pages in headless Chromium: what a page's DOM is after its script has run.
#pragma once

#include "assay/base/fs.h"
#include "assay/io/run_command.h"
#include "catch.h"

#include <unistd.h>

#include <regex>
#include <string>
#include <vector>

namespace assay::test {

inline std::string chromium() {
    for (const char* path :
         {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"})
        if (::access(path, X_OK) == 0) return path;
    return "";
}

// `profile` is a folder of this page's own: what it stores ends with it.
inline std::string dom_of(const Path& page, const Path& profile, const std::string& fragment = "",
                          const std::vector<std::string>& more = {}) {
    CommandOptions options;
    options.timeout = std::chrono::seconds(120);
    options.output_limit = 64 << 20;
    static Spawner spawner;
    std::vector<std::string> command = {chromium(),
                                        "--headless",
                                        "--no-sandbox",
                                        "--disable-gpu",
                                        "--disable-quic",
                                        "--no-first-run",
                                        "--disable-background-networking",
                                        "--disable-component-update",
                                        "--disable-sync",
                                        "--user-data-dir=" + profile.string(),
                                        "--virtual-time-budget=20000",
                                        "--dump-dom"};
    command.insert(command.end(), more.begin(), more.end());
    command.push_back("file://" + page.string() + fragment);
    CommandResult result = run_command(spawner, command, options, Cancel());
    INFO(result.err);
    REQUIRE(result.ok());
    return result.out;
}

inline std::string title_of(const std::string& dom) {
    std::smatch match;
    REQUIRE(std::regex_search(dom, match, std::regex("<title>([^<]*)</title>")));
    return match[1];
}

} // namespace assay::test
