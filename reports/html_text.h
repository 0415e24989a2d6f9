// Hostile text into HTML, and bytes into a page: every string of a run passes one of these.
#pragma once

#include <string>
#include <string_view>

namespace assay {

// Escapes for element content and double-quoted attributes; bidi and other invisible control
// characters become visible "[U+202E]", so that a text cannot rearrange what surrounds it.
std::string html_escape(std::string_view text);
std::string visible_controls(std::string_view text);

// JSON for <script type="application/json">: no "<", no U+2028/9 in the result, still the same
// value.
std::string script_json(std::string_view json);

// zlib stream, base64: what DecompressionStream("deflate") reads.
std::string deflate_base64(std::string_view bytes);

// 'sha256-...' source expression of an inline script or style.
std::string csp_hash(std::string_view inline_text);

// Removes ANSI escape sequences and carriage-return overwrites from command output.
std::string plain_output(std::string_view text);

} // namespace assay
