#include "bases/docker/dockerfile.h"

#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>

namespace assay::bases {

namespace {

constexpr std::size_t kLimit = 1 << 20; // of the file; real ones are a few kilobytes
constexpr std::array kKnown = {"ADD",    "ARG",   "CMD",         "COPY",  "ENTRYPOINT", "ENV",
                               "EXPOSE", "FROM",  "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD",
                               "RUN",    "SHELL", "STOPSIGNAL",  "USER",  "VOLUME",     "WORKDIR"};

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
}

bool is_space(char c) {
    return c == ' ' || c == '\t';
}

std::string_view skip_space(std::string_view text) {
    std::size_t begin = text.find_first_not_of(" \t");
    return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

struct HeredocMark {
    std::string name;
    bool strip_tabs = false;
    bool expand = true;
};

// The name after "<<", quoted or not; nullopt if it is no heredoc ("<<<", "<< 2").
std::optional<HeredocMark> read_mark(std::string_view rest) {
    HeredocMark mark;
    if (!rest.empty() && rest[0] == '-') {
        mark.strip_tabs = true;
        rest.remove_prefix(1);
    }
    char quote = !rest.empty() && (rest[0] == '"' || rest[0] == '\'') ? rest[0] : '\0';
    if (quote) {
        mark.expand = false;
        rest.remove_prefix(1);
    }
    std::size_t end = 0;
    while (end < rest.size() && (std::isalnum(static_cast<unsigned char>(rest[end])) ||
                                 rest[end] == '_' || rest[end] == '.'))
        ++end;
    if (end == 0 || std::isdigit(static_cast<unsigned char>(rest[0]))) return std::nullopt;
    if (quote && (end >= rest.size() || rest[end] != quote)) return std::nullopt;
    mark.name = std::string(rest.substr(0, end));
    return mark;
}

std::vector<HeredocMark> find_marks(std::string_view text) {
    std::vector<HeredocMark> marks;
    char quote = 0;
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
        if (quote) {
            if (text[i] == '\\' && quote == '"')
                ++i;
            else if (text[i] == quote)
                quote = 0;
        } else if (text[i] == '\\') {
            ++i;
        } else if (text[i] == '"' || text[i] == '\'') {
            quote = text[i];
        } else if (text[i] == '<' && text[i + 1] == '<') {
            bool here_string = i + 2 < text.size() && text[i + 2] == '<';
            if (!here_string)
                if (auto mark = read_mark(text.substr(i + 2))) marks.push_back(*mark);
            i += here_string ? 2 : 1;
        }
    }
    return marks;
}

class Parser {
  public:
    Parser(std::string_view text, const std::string& file)
        : lines_(split_lines(text)) {
        out_.file = file;
    }

    Dockerfile run() {
        read_directives();
        while (next_ < lines_.size()) {
            std::string_view line = skip_space(lines_[next_]);
            if (line.empty() || line[0] == '#') {
                ++next_;
                continue;
            }
            read_instruction();
        }
        return std::move(out_);
    }

  private:
    [[noreturn]] void fail(int line, std::string_view what) const {
        throw Error(ErrorKind::Input, fmt::format("{}:{}: {}", out_.file, line, what));
    }

    // "# key=value" lines before anything else.
    void read_directives() {
        for (; next_ < lines_.size(); ++next_) {
            std::string_view line = trim(lines_[next_]);
            if (line.empty() || line[0] != '#') return;
            line = trim(line.substr(1));
            std::size_t equals = line.find('=');
            if (equals == std::string_view::npos) return;
            std::string key = to_lower(trim(line.substr(0, equals)));
            if (key.find(' ') != std::string::npos) return;
            std::string_view value = trim(line.substr(equals + 1));
            if (key != "escape") continue;
            if (value != "\\" && value != "`")
                fail(static_cast<int>(next_) + 1, "escape must be \\ or `");
            out_.escape = value[0];
        }
    }

    bool continues(std::string_view& line) const {
        std::size_t end = line.find_last_not_of(" \t");
        if (end == std::string_view::npos || line[end] != out_.escape) return false;
        line = line.substr(0, end);
        return true;
    }

    // Joins continuation lines; comments and empty lines between them are dropped, as Docker does.
    std::string read_logical_line() {
        std::string text;
        bool more = true;
        for (bool first = true; more && next_ < lines_.size(); first = false) {
            std::string_view line = lines_[next_++];
            std::string_view bare = skip_space(line);
            if (!first && (bare.empty() || bare[0] == '#')) continue;
            more = continues(line);
            text += line;
        }
        return text;
    }

    void read_instruction() {
        Instruction instruction;
        instruction.line = static_cast<int>(next_) + 1;
        std::string text = read_logical_line();
        std::string_view rest = skip_space(text);
        std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
        instruction.name = upper(rest.substr(0, end));
        if (std::find(kKnown.begin(), kKnown.end(), instruction.name) == kKnown.end())
            fail(instruction.line, fmt::format("unknown instruction '{}'",
                                               utf8_clean(rest.substr(0, end).substr(0, 40))));
        rest = skip_space(rest.substr(end));
        read_flags(instruction, rest);
        instruction.text = std::string(trim(rest));
        if (instruction.text.empty())
            fail(instruction.line, instruction.name + " needs an argument");
        read_exec_form(instruction);
        if (instruction.name == "RUN" || instruction.name == "COPY" || instruction.name == "ADD")
            if (!instruction.exec) read_heredocs(instruction);
        out_.instructions.push_back(std::move(instruction));
    }

    static void read_flags(Instruction& instruction, std::string_view& rest) {
        while (rest.size() > 2 && rest.substr(0, 2) == "--" && !is_space(rest[2])) {
            std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
            std::string_view flag = rest.substr(2, end - 2);
            std::size_t equals = flag.find('=');
            instruction.flags.emplace_back(
                std::string(flag.substr(0, equals)),
                equals == std::string_view::npos ? "" : std::string(flag.substr(equals + 1)));
            rest = skip_space(rest.substr(end));
        }
    }

    // A text that is no JSON array of strings is shell form: "[ -f x ] && y" is a command.
    static void read_exec_form(Instruction& instruction) {
        if (instruction.text[0] != '[') return;
        auto json = parse_json<nlohmann::json>(instruction.text);
        if (!json.is_array()) return;
        std::vector<std::string> words;
        for (const auto& word : json) {
            if (!word.is_string()) return;
            words.push_back(word.get<std::string>());
        }
        instruction.exec = std::move(words);
    }

    void read_heredocs(Instruction& instruction) {
        for (const HeredocMark& mark : find_marks(instruction.text)) {
            Heredoc heredoc{.name = mark.name, .content = {}, .expand = mark.expand};
            for (bool found = false; !found;) {
                if (next_ >= lines_.size())
                    fail(instruction.line, "heredoc '" + mark.name + "' has no end");
                std::string_view line = lines_[next_++];
                if (mark.strip_tabs)
                    line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
                found = line == mark.name;
                if (!found) heredoc.content += std::string(line) + "\n";
            }
            instruction.heredocs.push_back(std::move(heredoc));
        }
    }

    std::vector<std::string_view> lines_;
    std::size_t next_ = 0;
    Dockerfile out_;
};

} // namespace

std::string Instruction::flag(std::string_view key) const {
    for (const auto& [given, value] : flags)
        if (given == key) return value;
    return {};
}

Dockerfile parse_dockerfile(std::string_view text, const std::string& file) {
    if (text.size() > kLimit) throw Error(ErrorKind::Input, file + ": larger than 1 MiB");
    if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
    Dockerfile out = Parser(text, file).run();
    if (out.instructions.empty()) throw Error(ErrorKind::Input, file + ": no instruction");
    return out;
}

} // namespace assay::bases
