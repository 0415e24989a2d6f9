// assay doctor: what this machine offers, and how to get what is missing. Exit code 1 if the
// default sandbox cannot run.
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "commands.h"
#include "live_run.h"
#include "registry.h"
#include "version.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace assay {

namespace {

using Json = nlohmann::ordered_json;

struct Check {
    std::string name;
    bool ok = false;
    bool needed = false; // the default sandbox does not run without it
    std::string detail, hint;
};

std::string find_program(const std::string& name) {
    const char* variable = std::getenv("PATH");
    std::string path = variable != nullptr ? variable : "/usr/bin:/bin";
    path += ":/usr/sbin:/sbin"; // not in the PATH of an ordinary user
    for (std::string_view folder : split(path, ':')) {
        std::string file = std::string(folder) + "/" + name;
        if (::access(file.c_str(), X_OK) == 0) return file;
    }
    return "";
}

Check program(const std::string& name, bool needed, const std::string& purpose,
              const std::string& package) {
    std::string file = find_program(name);
    return {name, !file.empty(), needed, file.empty() ? "missing: " + purpose : file,
            file.empty() ? "install the package " + package : ""};
}

Check debootstrap() {
    Check check = program("debootstrap", false, "only the base host can be made", "debootstrap");
    if (check.ok && ::getuid() != 0) check.detail += "; makes debian: bases, which needs root";
    return check;
}

std::string first_line(const Path& file) {
    try {
        std::string text = RealFileSystem().read(file, 4096);
        return std::string(trim(std::string_view(text).substr(0, text.find('\n'))));
    } catch (const Error&) {
        return "";
    }
}

Check user_namespaces() {
    std::string most = first_line("/proc/sys/user/max_user_namespaces");
    std::string clone = first_line("/proc/sys/kernel/unprivileged_userns_clone");
    bool ok = !most.empty() && most != "0" && (::getuid() == 0 || clone != "0");
    return {"user namespaces", ok, true, ok ? "up to " + most : "switched off",
            ok ? "" : "sysctl user.max_user_namespaces and kernel.unprivileged_userns_clone"};
}

Check backend_check(const Arguments& arguments) {
    const SandboxEntry& entry = find_sandbox(arguments.run.sandbox);
    Check check{"sandbox " + entry.name, false, true, "", ""};
    try {
        SandboxSettings settings = sandbox_settings(arguments.run.state);
        auto backend = entry.make(settings);
        SandboxCapabilities can = backend->capabilities();
        auto environment =
            backend->start({}, Cancel().child(Cause::Deadline, std::chrono::seconds(60), "doctor"));
        ExecResult hello = environment->main().exec(
            {"true"}, {}, Cancel().child(Cause::Deadline, std::chrono::seconds(30), "doctor"));
        std::string held;
        auto add = [&](bool holds, const char* name) {
            held += fmt::format("{}{} {}", held.empty() ? "" : ", ", name, holds ? "yes" : "no");
        };
        add(can.limit_cpus, "cpus");
        add(can.limit_memory, "memory");
        add(can.limit_pids, "pids");
        add(can.limit_disk, "disk");
        check.ok = hello.ok();
        check.detail = fmt::format("runs commands; several users: {}; limits that hold: {}{}{}",
                                   can.multi_user ? "yes" : "no", held,
                                   can.notes.empty() ? "" : "; ", can.notes);
        if (!hello.ok()) check.detail = "a command ended with " + hello.status.text();
    } catch (const Error& e) {
        check.detail = e.message();
        check.hint = e.hint();
    } catch (const Interrupted& e) {
        check.detail = e.what();
    }
    return check;
}

std::vector<Check> all_checks(const Arguments& arguments) {
    std::vector<Check> checks = {
        user_namespaces(),
        program("bwrap", true, "sandboxes need it", "bubblewrap"),
        program("newuidmap", false, "without it a sandbox of an ordinary user has one user",
                "uidmap"),
        program("pasta", false, "no sandbox gets a public network", "passt"),
        debootstrap(),
        program("node", false, "no MCP server written in JavaScript runs", "nodejs"),
        program("g++", false, "no kernel task is compiled on the base host", "g++"),
        program("nvcc", false, "CPU kernels only", "nvidia-cuda-toolkit, or run tools/cuda"),
        program("tmux", false, "the agent terminus needs none, some tasks do", "tmux"),
    };
    checks.push_back(backend_check(arguments));
    return checks;
}

} // namespace

int command_doctor(const Arguments& arguments) {
    std::vector<Check> checks = all_checks(arguments);
    bool ok = checks.back().ok;
    if (arguments.json) {
        Json list = Json::array();
        for (const Check& check : checks)
            list.push_back({{"name", check.name},
                            {"ok", check.ok},
                            {"needed", check.needed},
                            {"detail", check.detail},
                            {"hint", check.hint}});
        Json out = {{"ok", ok}, {"version", version_text()}, {"checks", std::move(list)}};
        std::printf("%s\n", out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    } else {
        fmt::print("{}\n", version_text());
        for (const Check& check : checks) {
            fmt::print("{}  {:<18} {}\n",
                       check.ok       ? "ok     "
                       : check.needed ? "MISSING"
                                      : "absent ",
                       check.name, check.detail);
            if (!check.hint.empty()) fmt::print("         {:<18} -> {}\n", "", check.hint);
        }
        fmt::print("{}\n", ok ? "sandboxes work here" : "sandboxes do not work here");
    }
    return ok ? 0 : 1;
}

} // namespace assay
