// A checkpoint's chat template, executed as transformers executes it: Jinja2 with trim_blocks and
// lstrip_blocks, loop controls, the tag `generation`, transformers' own tojson, raise_exception and
// strftime_now, in a sandbox that can change neither lists nor dicts.
//
//   auto chat = ChatTemplate::compile(source, "chat_template.jinja");
//   std::string prompt = chat->render(R"({"messages": [...], "add_generation_prompt": true})");
//
// Source and variables may come from strangers: steps, nesting and the bytes made are bounded, and
// every mistake is one Error(Input) that begins with NAME:LINE. Text inside the variables needs no
// marking: it is never read as template code. Whole numbers beyond 64 bits are passed on and
// printed, not computed with. Not supported, and refused by name: recursive loops, and the tags
// block, extends, include, import, from and autoescape, which need other templates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace assay::engine {

struct RenderOptions {
    std::uint64_t steps = 20'000'000;  // an endless template ends here
    std::size_t output = 64u << 20;    // bytes of the prompt
    std::size_t values = 512u << 20;   // bytes of all values made on the way
    std::int64_t now_microseconds = 0; // since the Unix epoch: strftime_now tells UTC
};

class ChatTemplate {
  public:
    // Throws Error(Input) for what the language does not allow. `name` is for messages.
    static std::unique_ptr<ChatTemplate> compile(std::string_view source, std::string name);
    virtual ~ChatTemplate() = default;

    // Variables: a JSON object, whose order and numbers are kept. Thread-safe.
    virtual std::string render(std::string_view variables,
                               const RenderOptions& options = {}) const = 0;
};

} // namespace assay::engine
