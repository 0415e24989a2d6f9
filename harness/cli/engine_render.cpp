// assay engine render: a conversation as the prompt that the checkpoint's template makes of it.
#include "assay/base/clock.h"
#include "assay/engine/conversation.h"
#include "assay/engine/template.h"
#include "commands.h"

#include <cstdio>

namespace assay {

namespace {

constexpr std::uint64_t kLargestConversation = 256u << 20;
constexpr std::uint64_t kLargestTemplate = 4u << 20;

} // namespace

int engine_render(const Arguments& arguments) {
    const EngineArguments& wanted = arguments.engine;
    RealFileSystem files;
    engine::TemplateSource source;
    if (wanted.template_file.empty()) {
        source = engine::find_template(files, wanted.checkpoint);
    } else {
        source.text = files.read(wanted.template_file, kLargestTemplate);
        source.name = wanted.template_file.string();
    }
    std::string variables = engine::template_variables(
        files.read(wanted.conversation, kLargestConversation), source, wanted.verbatim);
    engine::RenderOptions options;
    options.now_microseconds = SystemClock().wall_microseconds();
    std::string prompt =
        engine::ChatTemplate::compile(source.text, source.name)->render(variables, options);
    std::fwrite(prompt.data(), 1, prompt.size(), stdout);
    return 0;
}

} // namespace assay
