#include "assay/engine/template.h"

#include "assay/base/error.h"
#include "assay/base/text.h"
#include "chat/interpreter.h"
#include "chat/json_text.h"
#include "chat/parser.h"

#include <fmt/format.h>

namespace assay::engine {

namespace {

using namespace jinja;

constexpr std::size_t kLargestSource = 4u << 20;

class Compiled final : public ChatTemplate {
  public:
    Compiled(std::string_view source, std::string name)
        : name_(std::move(name)) {
        if (source.size() > kLargestSource)
            throw Error(ErrorKind::Input, fmt::format("{}: the template is larger than {} MiB",
                                                      name_, kLargestSource >> 20));
        if (!utf8_valid(source))
            throw Error(ErrorKind::Input, name_ + ": the template is no valid UTF-8");
        try {
            Parser(source, program_).run();
        } catch (const SyntaxFailure& failure) {
            throw error(failure.line, failure.message);
        }
    }

    std::string render(std::string_view variables, const RenderOptions& options) const override {
        Heap heap(options.values);
        Steps steps(options.steps);
        Value given;
        try {
            given = from_json(heap, variables);
        } catch (const Failure& failure) {
            throw Error(ErrorKind::Input,
                        fmt::format("variables of {}: {}", name_, failure.what()));
        }
        if (!given.is(Kind::Dict))
            throw Error(ErrorKind::Input, fmt::format("variables of {}: not an object", name_));
        Interpreter interpreter(program_, given.dict, options, heap, steps);
        try {
            return interpreter.run();
        } catch (const Failure& failure) {
            throw error(interpreter.line(), failure.what());
        }
    }

  private:
    Error error(int line, std::string_view message) const {
        return Error(ErrorKind::Input, fmt::format("{}:{}: {}", name_, line, message));
    }

    std::string name_;
    Program program_;
};

} // namespace

std::unique_ptr<ChatTemplate> ChatTemplate::compile(std::string_view source, std::string name) {
    return std::make_unique<Compiled>(source, std::move(name));
}

} // namespace assay::engine
