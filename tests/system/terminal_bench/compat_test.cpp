// The compat verifier's stand-ins in a real sandbox on the base host.
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/sandboxes/local.h"
#include "catch.h"
#include "compat.h"
#include "sandbox_probe.h"
#include "skip.h"

using namespace assay;

namespace {

std::unique_ptr<LocalBackend> make_backend() {
    test::need_sandboxes();
    Path work = Path(ASSAY_BUILD_DIR) / "terminal-bench-tests";
    BaseMakerOptions bases;
    bases.state = work / "state";
    LocalOptions options;
    options.scratch = work / "scratch";
    options.bases = make_base_maker(std::move(bases));
    return make_local_backend(std::move(options));
}

} // namespace

TEST_CASE("the stand-ins come first in PATH and are read-only") {
    auto backend = make_backend();
    auto environment = backend->start({}, Cancel());
    Sandbox& sandbox = environment->main();
    ExecOptions options;
    options.merge_stderr = true;
    // An agent leaves a module where ours will be, and an rm that does nothing.
    REQUIRE(run_shell(sandbox,
                      "mkdir -p /opt/assay-verifier/lib && touch /opt/assay-verifier/lib/json.py "
                      "&& printf '#!/bin/sh\n' > /usr/local/sbin/rm && chmod +x /usr/local/sbin/rm "
                      "&& rm -r /opt/assay-verifier && ls /opt/assay-verifier/lib/json.py",
                      options, Cancel())
                .ok());
    terminal_bench::install_compat(sandbox, options.environment, Cancel());
    auto sh = [&](const std::string& command) {
        ExecResult result = run_shell(sandbox, command, options, Cancel());
        return result.out + (result.ok() ? "" : result.status.text());
    };
    CHECK(sh("ls /opt/assay-verifier/lib/json.py").find("No such file") != std::string::npos);
    CHECK(sh("command -v uvx pip curl pytest")
              .find("/opt/assay-verifier/bin/uvx\n"
                    "/opt/assay-verifier/bin/pip\n"
                    "/opt/assay-verifier/bin/curl\n") == 0);
    CHECK(sh("find /opt/assay-verifier -type f -perm /222") == "");
    CHECK(sh("curl -LsSf https://installer.test/uv/0.9.5/install.sh | sh").find("stand-in") !=
          std::string::npos);
    // apt-get is played by a script, to see what would be installed.
    sh("printf '#!/bin/sh\\necho \"$@\"\\n' > /usr/local/sbin/apt-get; "
       "chmod +x /usr/local/sbin/apt-get");
    if (sh("command -v python3").find("/python3") == std::string::npos) {
        test::skip("no python3 on this machine");
        return;
    }
    CHECK(sh("assay-python-modules 'no-such-a[extra]==1.0' 'No_Such.B>=2' json pytest-json-ctrf") ==
          "install -y --no-install-recommends python3-no-such-a python3-no-such.b\n");
    CHECK(sh("uvx -p 3.13 -w json==1 --with=os python3 -c 'print(1 + 1)'").find("2\n") !=
          std::string::npos);
    if (sh("python3 -c 'import pytest' && echo there") != "there\n") {
        test::skip("no pytest on this machine");
        return;
    }
    sh("mkdir /app && printf 'raise SystemExit(9)\\n' > /app/code.py && "
       "printf 'def test_a(): pass\\ndef test_b(): assert 0\\n' > /app/test_x.py");
    std::string out =
        sh("cd /app && uvx -p 3.13 -w pytest==8.4.1 -w pytest-json-ctrf==0.3.5 pytest "
           "--ctrf /tmp/ctrf.json /app/test_x.py -rA");
    CHECK(out.find("1 failed, 1 passed") != std::string::npos);
    CHECK(sh("grep -c '\"status\": \"passed\"' /tmp/ctrf.json") == "1\n");
    CHECK(sh("grep -o '\"failed\": 1' /tmp/ctrf.json") == "\"failed\": 1\n");
}
