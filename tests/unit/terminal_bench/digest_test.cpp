// The expected values were computed independently, with Python's hashlib, from the rules in
// docs/suites/terminal-bench.md:
//
//   h = hashlib.sha256()
//   for path in sorted(files):
//       h.update(path.encode() + b"\0" + hashlib.sha256(content).hexdigest().encode() + b"\n")
//
//   e = hashlib.sha256()
//   for path in sorted(files):
//       e.update(struct.pack(">I", len(path)) + path + struct.pack(">I", len(data)) + data)
#include "catch.h"
#include "digest.h"

using namespace assay;
using namespace assay::terminal_bench;

namespace {
void write(const Path& path, std::string_view text) {
    std::filesystem::create_directories(path.parent_path());
    RealFileSystem().write(path, text, 0644);
}

void make_task(const Path& folder) {
    write(folder / "task.toml", "version = \"1.0\"\n");
    write(folder / "instruction.md", "Do it.\n");
    write(folder / "environment/Dockerfile", "FROM assay/host\nWORKDIR /app\n");
    write(folder / "environment/data/a.bin", std::string_view("\0\1\2", 3));
    write(folder / "tests/test.sh", "#!/bin/sh\necho 1 > /logs/verifier/reward.txt\n");
    write(folder / "solution/solve.sh", "#!/bin/sh\n");
}
} // namespace

TEST_CASE("task digest and environment hash") {
    TempFolder area;
    make_task(area.path());
    std::string digest = task_digest(area.path());
    CHECK(digest == "sha256:7f67434520814bb55499890a48e924e206f72da9684cf9bbeb47fbc50159b313");
    std::string hash = environment_hash(area.path() / "environment", "img");
    CHECK(hash == "6f8f52501a640ab2ca522af31323b641");
    SECTION("files that do not count") {
        write(area.path() / "notes.txt", "x");
        write(area.path() / "tests/__pycache__/x.pyc", "x");
        write(area.path() / ".git/HEAD", "x");
        write(area.path() / "environment/.DS_Store", "x");
        std::filesystem::create_symlink("Dockerfile", area.path() / "environment/link");
        CHECK(environment_hash(area.path() / "environment", "img") == hash);
        std::filesystem::remove(area.path() / "environment/link");
        CHECK(task_digest(area.path()) == digest);
    }
    SECTION("every byte, name and file that counts changes it") {
        write(area.path() / "tests/test.sh", "#!/bin/sh\necho 0 > /logs/verifier/reward.txt\n");
        CHECK(task_digest(area.path()) != digest);
        std::filesystem::rename(area.path() / "environment/data/a.bin",
                                area.path() / "environment/data/b.bin");
        CHECK(environment_hash(area.path() / "environment", "img") != hash);
    }
    SECTION("a .gitignore replaces the default rules") {
        write(area.path() / ".gitignore", "*.bin\n!keep.bin\n/solution/\n");
        write(area.path() / "environment/keep.bin", "k");
        CHECK(task_files(area.path()) ==
              std::vector<std::string>{"environment/Dockerfile", "environment/keep.bin",
                                       "instruction.md", "task.toml", "tests/test.sh"});
    }
    SECTION("a link in a circle ends the walk") {
        std::filesystem::create_directory_symlink("..", area.path() / "tests/round");
        CHECK(task_digest(area.path()) == digest);
    }
}

TEST_CASE("an empty environment is known by its image") {
    TempFolder area;
    CHECK(environment_hash(area.path(), "python:3.13").size() == 32);
    CHECK(environment_hash(area.path(), "python:3.13") !=
          environment_hash(area.path(), "python:3.12"));
}
