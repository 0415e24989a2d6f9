// assay engine parse: what a model wrote, on standard input, as reasoning, content and tool calls.
#include "assay/base/error.h"
#include "assay/base/fs.h"
#include "assay/base/text.h"
#include "assay/engine/output_parser.h"
#include "commands.h"

#include <fmt/format.h>

#include <cstdio>

namespace assay {

namespace {

engine::ThinkingMode mode_of(const std::string& name) {
    if (name == "enabled") return engine::ThinkingMode::Enabled;
    if (name == "disabled") return engine::ThinkingMode::Disabled;
    return engine::ThinkingMode::Adaptive;
}

} // namespace

int engine_parse(const Arguments& arguments) {
    const EngineArguments& wanted = arguments.engine;
    RealFileSystem files;
    if (auto info = files.info(wanted.checkpoint); !info || info->type != FileInfo::Type::Directory)
        throw Error(ErrorKind::Input, wanted.checkpoint.string() + ": no such folder");
    auto parser = engine::OutputParser::create(mode_of(wanted.thinking_mode),
                                               files.read(wanted.tools, 64u << 20));
    char buffer[1 << 16];
    while (std::size_t bytes = std::fread(buffer, 1, sizeof buffer, stdin))
        parser->feed({buffer, bytes});
    parser->finish();
    std::string calls;
    for (const engine::ParsedCall& call : parser->result().calls)
        calls += fmt::format("{}{{\"name\": {}, \"arguments\": {}}}", calls.empty() ? "" : ", ",
                             json_quote(call.name), call.arguments);
    fmt::print("{{\"reasoning\": {}, \"content\": {}, \"tool_calls\": [{}]}}\n",
               json_quote(parser->result().reasoning), json_quote(parser->result().content), calls);
    return 0;
}

} // namespace assay
