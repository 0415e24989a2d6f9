#include "assay/api/tool.h"

namespace assay {

ToolOutcome text_outcome(std::string text, bool is_error) {
    return {{TextPart{std::move(text)}}, is_error, std::nullopt};
}

Tool* ToolSet::find(std::string_view name) const {
    for (Tool* tool : tools())
        if (tool->spec().name == name) return tool;
    return nullptr;
}

void OwnedToolSet::add(std::unique_ptr<Tool> tool) {
    view_.push_back(tool.get());
    owned_.push_back(std::move(tool));
}

} // namespace assay
