// The server `kit`: notes, arithmetic, and queries over CSV files of the data folder.
#include "../csv.h"
#include "server.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace kit {

namespace fs = std::filesystem;

namespace {

// A file below the data folder, by its name; links out of it are not followed.
std::string read_data(const std::string& folder, const std::string& name) {
    std::error_code ignored;
    fs::path root = fs::weakly_canonical(folder, ignored);
    fs::path path = fs::weakly_canonical(root / name, ignored);
    fs::path below = path.lexically_relative(root);
    if (below.empty() || *below.begin() == "..")
        throw ToolError("'" + name + "' is outside the data folder");
    std::ifstream in(path, std::ios::binary);
    if (!in || !fs::is_regular_file(path)) throw ToolError("there is no file '" + name + "'");
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

std::string list_files(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(folder, error))
        if (entry.is_regular_file()) names.push_back(entry.path().lexically_relative(folder));
    std::sort(names.begin(), names.end());
    std::string out;
    for (const std::string& name : names) out += name + "\n";
    return out.empty() ? "(no files)" : out;
}

struct Table {
    std::vector<std::vector<std::string>> rows; // the first is the header
    std::size_t column(const std::string& name) const {
        for (std::size_t i = 0; i < rows.front().size(); ++i)
            if (rows.front()[i] == name) return i;
        std::string known;
        for (const std::string& one : rows.front()) known += (known.empty() ? "" : ", ") + one;
        throw ToolError("there is no column '" + name + "'; the columns are " + known);
    }
};

Table read_table(const std::string& folder, const std::string& name) {
    Table table;
    try {
        for (auto& row : assay::parse_csv(read_data(folder, name)))
            table.rows.push_back(row.fields);
    } catch (const assay::CsvError& e) {
        throw ToolError(name + ": " + e.what());
    }
    if (table.rows.empty()) throw ToolError("'" + name + "' is empty");
    for (const auto& row : table.rows)
        if (row.size() != table.rows.front().size())
            throw ToolError("'" + name + "' has rows of different lengths");
    return table;
}

// "$1,234.50" and " 42 " are numbers, too.
bool as_number(const std::string& text, double& value) {
    std::string digits;
    for (char c : text)
        if (c != '$' && c != ',' && c != ' ' && c != '%') digits += c;
    if (digits.empty() || digits.find_first_not_of("0123456789.-+eE") != digits.npos) return false;
    try {
        std::size_t used = 0;
        value = std::stod(digits, &used);
        return used == digits.size();
    } catch (const std::exception&) {
        return false;
    }
}

double aggregate(const std::string& how, const std::vector<double>& values) {
    if (values.empty()) throw ToolError("no numbers to aggregate");
    double sum = 0;
    for (double value : values) sum += value;
    if (how == "sum") return sum;
    if (how == "mean") return sum / static_cast<double>(values.size());
    if (how == "min") return *std::min_element(values.begin(), values.end());
    if (how == "max") return *std::max_element(values.begin(), values.end());
    throw ToolError("unknown aggregate '" + how + "': count, sum, mean, min or max");
}

std::string query(const std::string& folder, const Json& a) {
    Table table = read_table(folder, text_argument(a, "file"));
    std::vector<std::pair<std::size_t, std::string>> where;
    Json conditions = a.value("where", Json::object());
    if (!conditions.is_object()) throw ToolError("'where' must be an object of column: value");
    for (const auto& [column, value] : conditions.items())
        where.emplace_back(table.column(column),
                           value.is_string() ? value.get<std::string>() : value.dump());
    std::string how = text_argument(a, "aggregate", "");
    std::string by = text_argument(a, "group_by", "");
    std::string column = text_argument(a, "column", "");
    if (!how.empty() && how != "count" && column.empty())
        throw ToolError("'" + how + "' needs 'column'");
    std::map<std::string, std::vector<double>> numbers;
    std::map<std::string, std::size_t> counts;
    std::string lines;
    for (std::size_t i = 1; i < table.rows.size(); ++i) {
        const auto& row = table.rows[i];
        bool fits = std::all_of(where.begin(), where.end(),
                                [&](const auto& one) { return row[one.first] == one.second; });
        if (!fits) continue;
        if (how.empty()) {
            for (std::size_t k = 0; k < row.size(); ++k) lines += (k ? "," : "") + row[k];
            lines += "\n";
            continue;
        }
        std::string key = by.empty() ? "" : row[table.column(by)];
        ++counts[key];
        double value = 0;
        if (how != "count" && as_number(row[table.column(column)], value))
            numbers[key].push_back(value);
    }
    if (how.empty()) return lines.empty() ? "(no rows)" : lines;
    if (counts.empty()) return how == "count" ? "0" : "(no rows)";
    std::string out;
    for (const auto& [key, count] : counts) {
        double value = how == "count" ? static_cast<double>(count) : aggregate(how, numbers[key]);
        out += (by.empty() ? "" : key + ": ") + number_text(value) + "\n";
    }
    out.pop_back();
    return out;
}

} // namespace

std::vector<Tool> kit_tools(const std::string& data_folder) {
    auto notes = std::make_shared<std::map<std::string, std::string>>();
    const Json text = {{"type", "string"}};
    return {
        {"list_files",
         "Lists the files of the data folder.",
         Json::object(),
         {},
         [=](const Json&) { return list_files(data_folder); }},
        {"csv_query",
         "Queries a CSV file of the data folder: rows where every given column has exactly the "
         "given value, or an aggregate (count, sum, mean, min, max) of a column over them, per "
         "value of group_by if that is given.",
         {{"file", text},
          {"where", {{"type", "object"}}},
          {"aggregate", text},
          {"column", text},
          {"group_by", text}},
         {"file"},
         [=](const Json& a) { return query(data_folder, a); }},
        {"calculate",
         "The value of an arithmetic expression.",
         {{"expression", text}},
         {"expression"},
         [](const Json& a) { return number_text(evaluate(text_argument(a, "expression"))); }},
        {"put_note",
         "Keeps a text under a key.",
         {{"key", text}, {"text", text}},
         {"key", "text"},
         [=](const Json& a) {
             (*notes)[text_argument(a, "key")] = text_argument(a, "text");
             return std::string("kept");
         }},
        {"get_note",
         "The text that is kept under a key.",
         {{"key", text}},
         {"key"},
         [=](const Json& a) {
             auto found = notes->find(text_argument(a, "key"));
             if (found == notes->end()) throw ToolError("there is no note of this key");
             return found->second;
         }},
    };
}

} // namespace kit
