#include "assay/engine/conversation.h"

#include "assay/base/error.h"
#include "chat/json_text.h"

#include <fmt/format.h>

namespace assay::engine {

namespace {

using namespace jinja;

constexpr std::size_t kLargestFile = 64u << 20;
constexpr std::size_t kMostValues = 1u << 30;
constexpr std::string_view kSpecialTokens[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                               "pad_token", "cls_token", "mask_token"};

class Converter {
  public:
    Value parse(std::string_view text, std::string_view what) {
        try {
            Value made = from_json(heap_, text);
            if (made.is(Kind::Dict)) return made;
        } catch (const Failure& failure) {
            throw Error(ErrorKind::Input, fmt::format("{}: {}", what, failure.what()));
        }
        throw Error(ErrorKind::Input, fmt::format("{}: not a JSON object", what));
    }

    void set(Value& dict, std::string_view key, const Value& value) {
        heap_.set(*dict.dict, heap_.text(std::string(key)), value);
    }
    void set_text(Value& dict, std::string_view key, std::string_view text) {
        set(dict, key, heap_.text(std::string(text)));
    }
    void set_if_absent(Value& dict, std::string_view key, const Value& value) {
        if (!dict.dict->find(key)) set(dict, key, value);
    }

    std::string print(const Value& value) {
        Text out(heap_.left());
        add_json(out, value, {});
        return out.take();
    }

    void convert(const Value& message, std::size_t number) {
        if (!message.is(Kind::Dict)) return;
        if (const Value* calls = message.dict->find("tool_calls"); calls && calls->is(Kind::List))
            for (const Value& call : calls->list->items) decode_arguments(call, number);
        if (const Value* content = message.dict->find("content");
            content && content->is(Kind::List))
            for (const Value& part : content->list->items) rename_media(part);
    }

  private:
    void decode_arguments(Value call, std::size_t message) {
        if (!call.is(Kind::Dict)) return;
        if (const Value* function = call.dict->find("function")) call = *function;
        if (!call.is(Kind::Dict)) return;
        const Value* arguments = call.dict->find("arguments");
        if (arguments && arguments->is_string())
            set(call, "arguments",
                parse(*arguments->text,
                      fmt::format("arguments of a tool call in message {}", message + 1)));
    }

    void rename_media(Value part) {
        if (!part.is(Kind::Dict)) return;
        const Value* type = part.dict->find("type");
        if (!type || !type->is_string()) return;
        for (std::string_view media : {"image", "video"}) {
            std::string from = std::string(media) + "_url";
            if (*type->text != from) continue;
            Value place = part.dict->find(from) ? *part.dict->find(from) : Value();
            set_text(part, "type", media);
            set(part, media, place);
            return;
        }
    }

    Heap heap_{kMostValues};
};

} // namespace

TemplateSource find_template(FileSystem& files, const Path& checkpoint) {
    Path file = checkpoint / "chat_template.jinja", config = checkpoint / "tokenizer_config.json";
    TemplateSource source;
    bool found = files.exists(file);
    if (found) {
        source.text = files.read(file, kLargestFile);
        source.name = file.string();
    }
    if (files.exists(config)) {
        Converter converter;
        Value settings = converter.parse(files.read(config, kLargestFile), config.string());
        Value tokens = converter.parse("{}", "");
        for (std::string_view name : kSpecialTokens) {
            const Value* token = settings.dict->find(name);
            if (token && token->is(Kind::Dict)) token = token->dict->find("content");
            if (token && token->is_string()) converter.set(tokens, name, *token);
        }
        source.special_tokens = converter.print(tokens);
        const Value* text = settings.dict->find("chat_template");
        if (!found && text && text->is_string()) {
            source.text = *text->text;
            source.name = config.string() + ": chat_template";
            found = true;
        }
    }
    if (!found)
        throw Error(ErrorKind::Input,
                    fmt::format("{}: no chat_template.jinja, and no chat_template in "
                                "tokenizer_config.json",
                                checkpoint.string()))
            .hint("put the model's chat_template.jinja there; `assay engine render` also takes "
                  "--template FILE");
    return source;
}

std::string template_variables(std::string_view conversation, const TemplateSource& source,
                               bool verbatim) {
    Converter converter;
    Value variables = converter.parse(conversation, "the conversation");
    const Value* messages = variables.dict->find("messages");
    if (!messages || !messages->is(Kind::List))
        throw Error(ErrorKind::Input, "the conversation: no list \"messages\"");
    if (!verbatim)
        for (std::size_t i = 0; i < messages->list->items.size(); ++i)
            converter.convert(messages->list->items[i], i);
    converter.set_if_absent(variables, "tools", Value());
    converter.set_if_absent(variables, "documents", Value());
    converter.set_if_absent(variables, "add_generation_prompt", Value(true));
    for (const auto& [name, token] :
         converter.parse(source.special_tokens, "the special tokens").dict->entries)
        converter.set_if_absent(variables, *name.text, token);
    return converter.print(variables);
}

} // namespace assay::engine
