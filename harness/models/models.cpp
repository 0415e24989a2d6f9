#include "assay/models/models.h"

#include "assay/base/error.h"
#include "factories.h"

namespace assay {

const std::vector<ModelKind>& model_kinds() {
    static const std::vector<ModelKind> kinds = {
        {"m3", "m3:CHECKPOINT[@OPTIONS]", "MiniMax-M3 in this process, from a folder of weights"},
        {"openai", "openai:MODEL[@BASE_URL]", "a server that speaks chat completions"},
        {"script", "script:FILE", "answers by the rules of a JSON file; no model at all"},
        {"replay", "replay:RUN.db[@loose]", "the answers of a finished run, compared as it goes"},
        {"null", "null[:turns=N]", "answers at once with a fixed text, after N tool calls"},
    };
    return kinds;
}

std::unique_ptr<Model> make_model(std::string_view spec, const ModelOptions& options) {
    std::size_t colon = spec.find(':');
    std::string_view prefix = spec.substr(0, colon);
    std::string_view rest = colon == std::string_view::npos ? "" : spec.substr(colon + 1);
    if (prefix == "m3") return make_m3_model(rest, options);
    if (prefix == "null") return make_null_model(rest);
    if (prefix == "openai") return make_openai_model(rest, options);
    if (prefix == "replay") return make_replay_model(rest, options);
    if (prefix == "script") return make_script_model(rest, options);
    std::string list;
    for (const ModelKind& kind : model_kinds()) list += (list.empty() ? "" : ", ") + kind.form;
    throw Error(ErrorKind::Usage,
                "model '" + std::string(spec) + "': unknown kind '" + std::string(prefix) + "'")
        .hint("models: " + list);
}

} // namespace assay
