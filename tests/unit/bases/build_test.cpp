#include "assay/base/error.h"
#include "assay/base/text.h"
#include "bases/docker/build.h"
#include "bases/docker/context.h"
#include "bases/tree.h"
#include "catch.h"
#include "fake_sandbox.h"
#include "tar_maker.h"

using namespace assay;
using namespace assay::bases;
using assay::test::exec_result;
using assay::test::FakeSandbox;

namespace {

// Sandboxes in memory: a layer is the map of files, kept under a folder's name.
class FakeRunner final : public LayerRunner {
  public:
    explicit FakeRunner(Path folder)
        : folder_(std::move(folder)) {}

    std::unique_ptr<Sandbox> start_on(const BaseImage& base, const SandboxSpec& spec,
                                      const Cancel&) override {
        auto sandbox = std::make_unique<FakeSandbox>(spec);
        specs.push_back(spec);
        sandbox->files = layers_[base.mounts[0].lowers[0].string()];
        FakeSandbox* self = sandbox.get();
        sandbox->on_exec = [this, self](const std::vector<std::string>& argv,
                                        const ExecOptions& options) {
            if (argv.size() > 2 && argv[0] == "/bin/sh" && argv[2].rfind("[ -d", 0) == 0)
                return folders.contains(argv[4]) ? exec_result(0, "0:0 1777\n") : exec_result(1);
            ran.push_back(argv);
            ran_options.push_back(options);
            if (argv.back() == "fail") return exec_result(3, "no such luck");
            if (argv.back() == "fail silently") return exec_result(3, "\n");
            if (argv.back() == "be killed") {
                ExecResult killed = exec_result(0);
                killed.status.signal = 9;
                return killed;
            }
            if (argv.back().rfind("touch ", 0) == 0)
                self->files[argv.back().substr(6)] = {"", 0644};
            return exec_result(0);
        };
        return sandbox;
    }
    BaseImage seal(Sandbox& sandbox, const BaseImage& base, const Cancel&) override {
        Path layer = folder_ / std::to_string(layers_.size());
        make_folder(layer);
        layers_[layer.string()] = dynamic_cast<FakeSandbox&>(sandbox).files;
        BaseImage out = base;
        out.mounts[0].lowers.insert(out.mounts[0].lowers.begin(), layer);
        return out;
    }
    std::map<std::string, FakeSandbox::File>& files(const BaseImage& image) {
        return layers_.at(image.mounts[0].lowers[0].string());
    }

    std::set<std::string> folders = {"/tmp", "/"};
    std::vector<SandboxSpec> specs;
    std::vector<std::vector<std::string>> ran;
    std::vector<ExecOptions> ran_options;

  private:
    Path folder_;
    std::map<std::string, std::map<std::string, FakeSandbox::File>> layers_;
};

struct Area {
    TempFolder folder;
    Path context = folder.path() / "context";
    Cache cache{folder.path() / "cache"};
    FakeRunner runner{folder.path() / "layers"};

    Area() { make_folder(context); }
    BaseImage build(const std::string& dockerfile) {
        write_text(context / "Dockerfile", dockerfile);
        BaseSpec spec{BaseSpec::Kind::Dockerfile, {}, context, context / "Dockerfile"};
        auto base = [&](const std::string& reference) {
            BaseImage image;
            make_folder(folder.path() / "base");
            image.mounts = {{"/", {folder.path() / "base"}}};
            image.environment = {{"PATH", "/bin"}};
            image.record = {reference, "host", reference != "assay/host", sha256(reference)};
            return image;
        };
        return build_dockerfile(spec, {cache, runner, base}, Cancel());
    }
    std::string refusal(const std::string& dockerfile) {
        try {
            build(dockerfile);
        } catch (const Error& e) {
            return e.message();
        }
        return "";
    }
};

} // namespace

TEST_CASE("a Dockerfile is built: files, environment, working directory, user") {
    Area area;
    write_text(area.context / "src/main.c", "int main;");
    write_text(area.context / "src/sub/x", "x");
    write_text(area.context / "run.sh", "#!/bin/sh\n", 0755);
    BaseImage image = area.build("ARG VERSION=3.13\n"
                                 "FROM python:${VERSION}-slim\n"
                                 "ARG VERSION\n"
                                 "ENV HOME=/root PATH=/opt:$PATH\n"
                                 "WORKDIR /app\n"
                                 "WORKDIR src\n"
                                 "COPY src .\n"
                                 "COPY run.sh /usr/bin/start\n"
                                 "COPY run.sh /tmp\n"
                                 "RUN echo $VERSION\n"
                                 "USER app:app\n"
                                 "RUN [\"tool\", \"arg\"]\n"
                                 "CMD [\"x\"]\n");
    CHECK(image.workdir == "/app/src");
    CHECK(image.user == "app");
    CHECK(image.environment.at("PATH") == "/opt:/bin");
    CHECK_FALSE(image.environment.contains("VERSION"));
    CHECK(image.record.asked == "python:3.13-slim");
    CHECK(image.record.substituted);
    auto& files = area.runner.files(image);
    CHECK(files.at("/app/src/main.c").data == "int main;");
    CHECK(files.at("/app/src/sub/x").data == "x");
    CHECK(files.at("/usr/bin/start").mode == 0755);
    CHECK(files.contains("/tmp/run.sh"));
    REQUIRE(area.runner.ran.size() == 2);
    CHECK(area.runner.ran[0] == std::vector<std::string>{"/bin/sh", "-c", "echo $VERSION"});
    CHECK(area.runner.ran_options[0].cwd == "/app/src");
    CHECK(area.runner.specs[0].environment.at("VERSION") == "3.13");
    CHECK(area.runner.specs[0].network.mode == NetworkMode::Public);
    CHECK(area.runner.ran[1] == std::vector<std::string>{"tool", "arg"});
    CHECK(area.runner.ran_options[1].user == "app");
}

TEST_CASE("layers are cached by instruction and by copied content") {
    Area area;
    write_text(area.context / "a", "1");
    std::string text = "FROM assay/host\nRUN first\nCOPY a /a\nRUN second\n";
    BaseImage one = area.build(text);
    CHECK_FALSE(one.record.substituted);
    REQUIRE(area.runner.ran.size() == 2);
    CHECK(area.build(text).record.digest == one.record.digest);
    CHECK(area.runner.ran.size() == 2);
    write_text(area.context / "a", "2");
    BaseImage two = area.build(text);
    CHECK(area.runner.ran.size() == 3); // `first` came from the cache
    CHECK(area.runner.files(two).at("/a").data == "2");
    CHECK(two.record.digest != one.record.digest);
    // A layer whose folder was deleted is made again.
    std::filesystem::remove_all(two.mounts[0].lowers[0]);
    area.build(text);
    CHECK(area.runner.ran.size() == 4);
}

TEST_CASE("wildcards, several sources, .dockerignore and archives") {
    Area area;
    write_text(area.context / "a.txt", "a");
    write_text(area.context / "b.txt", "b");
    write_text(area.context / "secret.txt", "s");
    write_text(area.context / "d/keep", "k");
    write_text(area.context / "d/drop.o", "o");
    write_text(area.context / ".dockerignore", "secret.txt\n**/*.o\n");
    write_text(area.context / "t.tar.gz", test::make_tar({{"in/side", "t"}}, true));
    auto& files = area.runner.files(area.build("FROM assay/host\n"
                                               "COPY *.txt /texts\n"
                                               "COPY a.txt d /both/\n"
                                               "ADD t.tar.gz /opt\n"
                                               "COPY t.tar.gz /raw/\n"
                                               "COPY [\"a.txt\", \"/with space\"]\n"
                                               "COPY <<EOF /doc\nhello $PATH\nEOF\n"));
    CHECK(files.contains("/texts/a.txt"));
    CHECK(files.contains("/texts/b.txt"));
    CHECK_FALSE(files.contains("/texts/secret.txt"));
    CHECK(files.contains("/both/a.txt"));
    CHECK(files.contains("/both/keep"));
    CHECK_FALSE(files.contains("/both/drop.o"));
    CHECK(files.at("/opt/in/side").data == "t");
    CHECK(files.contains("/raw/t.tar.gz"));
    CHECK(files.contains("/with space"));
    CHECK(files.at("/doc").data == "hello /bin\n");
    CHECK(area.refusal("FROM assay/host\nCOPY secret.txt /x\n").find("not in the build context") !=
          std::string::npos);
}

TEST_CASE("nothing outside of the build context is copied") {
    Area area;
    write_text(area.folder.path() / "outside", "SECRET");
    make_link(area.context / "link", (area.folder.path() / "outside").string());
    make_link(area.context / "up", "..");
    CHECK(area.refusal("FROM a\nCOPY link /x\n").find("links out") != std::string::npos);
    CHECK(area.refusal("FROM a\nCOPY up/outside /x\n").find("links out") != std::string::npos);
    CHECK(area.refusal("FROM a\nCOPY ../outside /x\n").find("not in the build context") !=
          std::string::npos);
}

TEST_CASE("what would change the result is refused by name") {
    Area area;
    for (const auto& [line, word] : std::vector<std::pair<std::string, std::string>>{
             {"ENTRYPOINT [\"x\"]", "ENTRYPOINT"},
             {"ONBUILD RUN x", "ONBUILD"},
             {"RUN --mount=type=cache,target=/x y", "RUN --mount"},
             {"RUN --network=host y", "--network=host"},
             {"ADD http://x.test/y /z", "ADD of a URL"},
             {"COPY --parents a /z", "COPY --parents"}}) {
        INFO(line);
        CHECK(area.refusal("FROM a\n" + line + "\n").find(word) != std::string::npos);
    }
    CHECK(area.refusal("RUN x\n").find("before FROM") != std::string::npos);
    CHECK(area.refusal("FROM --platform=linux/riscv64 a\n").find("riscv64") != std::string::npos);
    CHECK(area.refusal("FROM a\nENTRYPOINT []\nLABEL a=b\nEXPOSE 1\nVOLUME /x\n").empty());
}

TEST_CASE("a failing RUN shows its command and the end of its output") {
    Area area;
    auto failure = [&](const std::string& command) {
        try {
            area.build("FROM a\nRUN " + command + "\n");
        } catch (const Error& e) {
            return e;
        }
        return Error(ErrorKind::Internal, "built");
    };
    Error loud = failure("fail");
    CHECK(loud.kind() == ErrorKind::Input); // so that it isn't tried again
    CHECK(loud.message().find("Dockerfile:2: RUN failed: exit code 3: fail") != std::string::npos);
    CHECK(loud.hint() == "the end of its output:\nno such luck");
    CHECK(failure("fail silently").kind() == ErrorKind::Input);
    CHECK(failure("fail silently").hint().empty());
    CHECK(failure("be killed").kind() == ErrorKind::Sandbox);
}

TEST_CASE("stages, and heredocs of RUN") {
    Area area;
    BaseImage image = area.build("FROM one AS build\n"
                                 "RUN touch /made\n"
                                 "FROM build AS next\n"
                                 "RUN <<EOF\necho 1\nEOF\n"
                                 "RUN cat <<X\nbody\nX\n"
                                 "FROM next\n");
    CHECK(area.runner.files(image).contains("/made"));
    CHECK(area.runner.ran[1].back() == "echo 1\n");
    CHECK(area.runner.ran[2].back() == "cat <<X\nbody\nX");
    CHECK(image.record.asked == "one");
}
