#include "assay/base/error.h"
#include "bases/docker/dockerfile.h"
#include "catch.h"

using namespace assay;
using namespace assay::bases;

namespace {
std::string refusal(std::string_view text) {
    try {
        parse_dockerfile(text, "Dockerfile");
    } catch (const Error& e) {
        return e.message();
    }
    return "";
}
} // namespace

TEST_CASE("a Dockerfile with continuations, comments and forms") {
    Dockerfile file = parse_dockerfile("# syntax=docker/dockerfile:1\n"
                                       "FROM --platform=linux/amd64 ubuntu:24.04 AS build\n"
                                       "\n"
                                       "run apt-get update && \\\n"
                                       "  # a comment inside\n"
                                       "\n"
                                       "  apt-get install -y curl\\  \n"
                                       "  git\n"
                                       "CMD [\"sh\", \"-c\", \"echo \\\"x\\\"\"]\r\n"
                                       "RUN [ -f /x ] && true\n"
                                       "COPY --from=build --chown=a:b /x /y",
                                       "Dockerfile");
    REQUIRE(file.instructions.size() == 5);
    CHECK(file.instructions[0].flag("platform") == "linux/amd64");
    CHECK(file.instructions[0].text == "ubuntu:24.04 AS build");
    CHECK(file.instructions[1].name == "RUN");
    CHECK(file.instructions[1].line == 4);
    CHECK(file.instructions[1].text == "apt-get update &&   apt-get install -y curl  git");
    CHECK(*file.instructions[2].exec == std::vector<std::string>{"sh", "-c", "echo \"x\""});
    CHECK_FALSE(file.instructions[3].exec);
    CHECK(file.instructions[4].flag("from") == "build");
    CHECK(file.instructions[4].flag("chown") == "a:b");
    CHECK(file.instructions[4].text == "/x /y");
}

TEST_CASE("heredocs of RUN and COPY") {
    Dockerfile file = parse_dockerfile("FROM a\n"
                                       "RUN <<EOF\n"
                                       "echo one # two\n"
                                       "EOF\n"
                                       "RUN cat <<-'X' > /a && cat <<Y\n"
                                       "\t$HOME\n"
                                       "\tX\n"
                                       "y\n"
                                       "Y\n"
                                       "RUN cat <<< word << 2\n"
                                       "COPY <<a.txt <<\"b\" /dest/\n"
                                       "1\na.txt\n2\nb\n",
                                       "Dockerfile");
    REQUIRE(file.instructions.size() == 5);
    CHECK(file.instructions[1].heredocs.at(0).content == "echo one # two\n");
    REQUIRE(file.instructions[2].heredocs.size() == 2);
    CHECK(file.instructions[2].heredocs[0].content == "$HOME\n");
    CHECK_FALSE(file.instructions[2].heredocs[0].expand);
    CHECK(file.instructions[2].heredocs[1].content == "y\n");
    CHECK(file.instructions[3].heredocs.empty());
    REQUIRE(file.instructions[4].heredocs.size() == 2);
    CHECK(file.instructions[4].heredocs[0].name == "a.txt");
}

TEST_CASE("the escape character can be changed") {
    Dockerfile file = parse_dockerfile("# escape=`\nFROM a\nRUN a `\n b\\\nRUN c\n", "Dockerfile");
    REQUIRE(file.instructions.size() == 3);
    CHECK(file.instructions[1].text == "a  b\\");
}

TEST_CASE("malformed Dockerfiles are named with their line") {
    CHECK(refusal("") == "Dockerfile: no instruction");
    CHECK(refusal("FROM a\nFETCH b\n") == "Dockerfile:2: unknown instruction 'FETCH'");
    CHECK(refusal("FROM a\n\nRUN\n") == "Dockerfile:3: RUN needs an argument");
    CHECK(refusal("FROM a\nRUN <<EOF\nx\n") == "Dockerfile:2: heredoc 'EOF' has no end");
    CHECK(refusal("# escape=x\nFROM a\n") == "Dockerfile:1: escape must be \\ or `");
}
