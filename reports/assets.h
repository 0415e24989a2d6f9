// The page's style sheet and script (assets/), embedded by embed.cmake.
#pragma once

namespace assay {

extern const char k_report_css[];
extern const char k_report_js[];

} // namespace assay
