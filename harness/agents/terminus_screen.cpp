#include "terminus_screen.h"

#include "assay/base/capture.h"
#include "assay/base/text.h"

namespace assay {

std::string_view new_output(std::string_view before, std::string_view now) {
    before = trim(before);
    if (before.empty()) return {};
    // Only at the beginning: after `clear` a short text such as a lone prompt is found again at the
    // end of the new output, which would then be kept from the model.
    std::size_t at = now.find_first_not_of(" \t\r\n");
    if (at == std::string_view::npos || now.substr(at, before.size()) != before) return {};
    std::size_t line = before.rfind('\n');
    return now.substr(at + (line == std::string_view::npos ? 0 : line + 1));
}

std::string TerminusScreen::visible(Terminal& terminal) {
    return "Current Terminal Screen:\n" + cut_middle(utf8_clean(terminal.screen()), kLimit);
}

std::string TerminusScreen::look(Terminal& terminal) {
    std::string now = utf8_clean(terminal.history());
    std::string_view fresh = new_output(previous_, now);
    std::string shown = trim(fresh).empty() ? visible(terminal)
                                            : "New Terminal Output:\n" + cut_middle(fresh, kLimit);
    previous_ = std::move(now);
    return shown;
}

} // namespace assay
