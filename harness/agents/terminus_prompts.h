// The texts of the terminal protocol. The wording is ours; the protocol is Terminus-2's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay {

enum class TerminusFormat { Json, Xml };

namespace prompts {

std::string first(TerminusFormat format, std::string_view instruction, std::string_view tools,
                  std::string_view screen);
std::string parse_error(TerminusFormat format, std::string_view error,
                        const std::vector<std::string>& warnings);
std::string with_warnings(const std::vector<std::string>& warnings, std::string_view screen);
std::string confirm(TerminusFormat format, std::string_view screen, bool answer_missing);
std::string cut_off(TerminusFormat format);

// The hand-over to a fresh context.
std::string summarize(std::string_view instruction);
std::string questions(std::string_view instruction, std::string_view summary,
                      std::string_view screen);
std::string answer_questions(std::string_view questions);
std::string hand_over(std::string_view answers, std::string_view screen);
std::string short_summary(std::string_view instruction, std::string_view screen_tail);
std::string restart(std::string_view instruction, std::string_view summary,
                    std::string_view screen);

} // namespace prompts
} // namespace assay
