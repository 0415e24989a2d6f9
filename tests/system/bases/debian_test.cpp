// A base by debootstrap: slow, needs root and the archive of the machine's apt.
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/sandboxes/local.h"
#include "catch.h"
#include "skip.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

using namespace assay;

TEST_CASE("debian:SUITE with a package, installed and reaching the archive") {
    if (::geteuid() != 0 || ::access("/usr/sbin/debootstrap", X_OK) != 0) {
        test::skip_program("debootstrap as root is needed");
    }
    Path work = Path(ASSAY_BUILD_DIR) / "bases-tests";
    BaseMakerOptions bases;
    bases.state = work / "state";
    bases.images = ImageMap::parse("some/image debian:bookworm+bc\n", "map");
    LocalOptions options;
    options.scratch = work / "scratch";
    options.state = work / "state";
    options.bases = make_base_maker(std::move(bases));
    auto backend = make_local_backend(std::move(options));
    EnvironmentSpec spec;
    spec.sandboxes[0].base = {BaseSpec::Kind::Image, "some/image", {}, {}};
    std::unique_ptr<Environment> environment;
    try {
        environment = backend->start(spec, Cancel());
    } catch (const Error& e) {
        if (e.kind() == ErrorKind::Internal) throw;
        test::skip_program(e.message()); // no archive, no network, no backend
    }
    auto sh = [&](const std::string& command) {
        return run_shell(environment->main(), command, {}, Cancel()).out;
    };
    CHECK(sh("echo 6*7 | bc") == "42\n");
    CHECK(sh(". /etc/os-release; echo $VERSION_CODENAME") == "bookworm\n");
    CHECK(sh("/usr/sbin/policy-rc.d; echo $?") == "101\n");
    CHECK(sh("grep -c '^deb ' /etc/apt/sources.list") != "0\n");
    CHECK(sh("ls /var/cache/apt/archives") == "partial\n");
    BaseRecord record = environment->bases().at(0);
    CHECK(record.asked == "some/image");
    CHECK(record.used == "debian:bookworm+bc");
    CHECK(record.substituted);
}
