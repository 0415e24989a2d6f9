// CSV as RFC 4180 has it, read tolerantly: LF or CRLF, a byte order mark, quotes inside a bare
// field. Header-only and free of other modules: the server kit uses it inside the sandbox, too.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

class CsvError : public std::runtime_error { // "line 12: ..."
    using std::runtime_error::runtime_error;
};

struct CsvRow {
    int line = 0; // where it begins, from 1
    std::vector<std::string> fields;
};

// Empty lines are left out. Throws CsvError for a quote that is never closed, and for text between
// a closing quote and the next comma.
inline std::vector<CsvRow> parse_csv(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    std::vector<CsvRow> rows;
    std::size_t i = 0;
    int line = 1;
    auto at_line_end = [&] {
        return i == text.size() || text[i] == '\n' || text.substr(i, 2) == "\r\n";
    };
    auto fail = [](int where, const std::string& what) {
        throw CsvError("line " + std::to_string(where) + ": " + what);
    };
    while (i < text.size()) {
        CsvRow row{line, {}};
        bool quoted = false;
        for (bool more = true; more;) {
            std::string field;
            if (i < text.size() && text[i] == '"') {
                quoted = true;
                const int opened = line;
                for (++i;; ++i) {
                    if (i == text.size()) fail(opened, "a quoted field is never closed");
                    if (text[i] == '"') {
                        if (i + 1 == text.size() || text[i + 1] != '"') break;
                        ++i;
                    }
                    line += text[i] == '\n';
                    field += text[i];
                }
                ++i;
                if (!at_line_end() && text[i] != ',')
                    fail(line, "text after the closing quote of a field");
            } else {
                while (!at_line_end() && text[i] != ',') field += text[i++];
            }
            row.fields.push_back(std::move(field));
            more = i < text.size() && text[i] == ',';
            if (more) ++i;
        }
        if (i < text.size()) i += text[i] == '\r' ? 2 : 1;
        ++line;
        if (row.fields.size() > 1 || quoted || !row.fields[0].empty())
            rows.push_back(std::move(row));
    }
    return rows;
}

} // namespace assay
