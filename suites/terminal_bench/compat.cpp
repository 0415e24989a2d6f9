#include "compat.h"

#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/suites/folder.h"

namespace assay::terminal_bench {

namespace {
constexpr const char* kAt = "/opt/assay-verifier";
}

void install_compat(Sandbox& sandbox, std::map<std::string, std::string>& environment,
                    const Cancel& cancel) {
    ExecOptions root;
    root.user = "root";
    root.cwd = "/";
    std::string at = kAt;
    sandbox.remove(at, cancel); // by no program that the agent may have replaced
    sandbox.put_folder(suite_folder(ASSAY_SUITE_FOLDER) / "compat", at, cancel);
    ExecResult made = run_shell(sandbox,
                                "chown -R 0:0 " + at + " && chmod -R a-w,a+rX " + at +
                                    " && chmod 0555 " + at + "/bin/* && printf %s \"$PATH\"",
                                root, cancel);
    if (!made.ok())
        throw Error(ErrorKind::Verifier, "compat verifier: " + made.status.text() + ": " +
                                             utf8_clean(made.err.substr(0, 500)));
    std::string path = environment.contains("PATH") ? environment["PATH"] : made.out;
    environment["PATH"] = at + "/bin:" + path;
    std::string& modules = environment["PYTHONPATH"];
    modules = at + "/lib" + (modules.empty() ? "" : ":" + modules);
}

} // namespace assay::terminal_bench
