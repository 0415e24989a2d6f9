// Dockerfiles built in real sandboxes on the base host.
#include "assay/base/error.h"
#include "assay/io/spawner.h"
#include "assay/sandboxes/local.h"
#include "catch.h"
#include "sandbox_probe.h"
#include "skip.h"

using namespace assay;

namespace {

struct Machine {
    Spawner spawner;
    std::unique_ptr<LocalBackend> backend;
    Machine() {
        Path work = Path(ASSAY_BUILD_DIR) / "bases-tests";
        BaseMakerOptions bases;
        bases.state = work / "state";
        bases.spawner = &spawner;
        LocalOptions options;
        options.scratch = work / "scratch";
        options.state = work / "state";
        options.bases = make_base_maker(std::move(bases));
        backend = make_local_backend(std::move(options));
    }
};

LocalBackend& backend() {
    test::need_sandboxes();
    static Machine machine;
    return *machine.backend;
}

struct Context {
    TempFolder folder;
    std::unique_ptr<Environment> start(const std::string& dockerfile) {
        RealFileSystem().write(folder.path() / "Dockerfile", dockerfile);
        EnvironmentSpec spec;
        spec.sandboxes[0].base = {
            BaseSpec::Kind::Dockerfile, {}, folder.path(), folder.path() / "Dockerfile"};
        return backend().start(spec, Cancel());
    }
};

std::string sh(Environment& environment, const std::string& command) {
    ExecOptions options;
    options.merge_stderr = true;
    ExecResult result = run_shell(environment.main(), command, options, Cancel());
    return result.out + (result.ok() ? "" : result.status.text());
}

} // namespace

TEST_CASE("a Dockerfile with every kind of copy") {
    backend();
    Context context;
    RealFileSystem files;
    files.make_folders(context.folder.path() / "dir/sub");
    files.write(context.folder.path() / "dir/sub/file", "f\n", 0640);
    files.write(context.folder.path() / "run.sh", "#!/bin/sh\necho ran\n", 0755);
    std::filesystem::create_symlink("sub/file", context.folder.path() / "dir/link");
    auto made = context.start("FROM assay/host AS build\n"
                              "WORKDIR /made\n"
                              "RUN --network=none echo one > a && ln -s a b && mkdir -p d/e\n"
                              "FROM assay/host\n"
                              "ENV NAME=\"a b\"\n"
                              "WORKDIR /app\n"
                              "COPY dir .\n"
                              "COPY run.sh /tmp\n"
                              "COPY --chown=agent:agent --chmod=0600 run.sh /opt/own\n"
                              "COPY --from=build /made /copied\n"
                              "COPY --from=build /made/a /single\n"
                              "COPY <<EOF /etc/motd\nhello $NAME\nEOF\n"
                              "RUN --network=none sleep 300 & echo \"$NAME $PWD\" > /env\n");
    CHECK(sh(*made, "pwd; cat /env") == "/app\na b /app\n");
    CHECK(sh(*made, "cat sub/file; readlink link; stat -c %a sub/file") == "f\nsub/file\n640\n");
    CHECK(sh(*made, "stat -c %a /tmp; /tmp/run.sh") == "1777\nran\n");
    CHECK(sh(*made, "stat -c '%U %G %a' /opt/own") == "agent agent 600\n");
    CHECK(sh(*made, "cat /copied/b; readlink /copied/b; ls -d /copied/d/e; cat /single") ==
          "one\na\n/copied/d/e\none\n");
    CHECK(sh(*made, "cat /etc/motd; ls / | grep -c assay; pgrep sleep") ==
          "hello a b\n0\nexit code 1");
    BaseRecord record = made->bases().at(0);
    CHECK(record.asked == "assay/host, assay/host");
    CHECK_FALSE(record.substituted);
}

TEST_CASE("a build step reaches the public network where the machine gives one") {
    SandboxCapabilities can = backend().capabilities();
    bool has_public =
        std::find(can.network.begin(), can.network.end(), NetworkMode::Public) != can.network.end();
    if (!has_public) {
        test::skip("no public network: " + can.notes);
        return;
    }
    Context context;
    auto made = context.start("FROM assay/host\n"
                              "RUN cat /proc/net/route /proc/net/if_inet6 > /routes\n");
    CHECK(sh(*made, "wc -l < /routes").find('0') != 0);
}
