#include "arguments.h"
#include "assay/base/text.h"
#include "sandbox_tools.h"

#include <fmt/format.h>

namespace assay {

namespace {

constexpr std::size_t kReadLimit = 4u << 20;
constexpr std::size_t kViewLimit = 48u << 10;
constexpr const char* kWriteScript = "mkdir -p -- \"$(dirname -- \"$1\")\" && cat > \"$1\"";

std::size_t count_of(std::string_view text, std::string_view needle) {
    std::size_t n = 0;
    for (std::size_t at = text.find(needle); at != std::string_view::npos;
         at = text.find(needle, at + needle.size()))
        ++n;
    return n;
}

// Numbered lines [first, last], cut where they grow too long.
std::string numbered(std::string_view text, long first, long last) {
    auto lines = split_lines(text);
    std::string out;
    for (long i = first; i <= last; ++i) {
        std::string line =
            fmt::format("{:6}\t{}\n", i, utf8_clean(lines[static_cast<std::size_t>(i - 1)]));
        if (out.size() + line.size() > kViewLimit)
            return out + fmt::format("[cut here; lines {} to {} follow]", i, lines.size());
        out += line;
    }
    if (last < static_cast<long>(lines.size()))
        out += fmt::format("[the file has {} lines]", lines.size());
    return out;
}

class FileTool final : public Tool {
  public:
    explicit FileTool(TrialContext& context)
        : context_(context) {
        spec_.name = "file";
        spec_.description =
            "Looks at and edits text files in the task's machine. Actions: view (with line "
            "numbers, "
            "from line `first` to line `last`), create (writes `text`, makes folders, replaces "
            "what is there), replace (exchanges `old`, which must occur exactly once, for `new`), "
            "insert (puts `text` after line `line`; 0 is the beginning).";
        spec_.schema =
            R"({"type":"object","properties":{)"
            R"("action":{"type":"string","enum":["view","create","replace","insert"]},)"
            R"("path":{"type":"string","description":"absolute path"},)"
            R"("text":{"type":"string"},"old":{"type":"string"},"new":{"type":"string"},)"
            R"("line":{"type":"integer"},"first":{"type":"integer"},"last":{"type":"integer"}},)"
            R"("required":["action","path"],"additionalProperties":false})";
    }
    const ToolSpec& spec() const override { return spec_; }

    ToolOutcome call(std::string_view json, const Cancel&) override {
        try {
            Arguments arguments(json);
            std::string action = arguments.text("action");
            std::string path = arguments.text("path");
            if (path.empty() || path[0] != '/' || path.find('\0') != std::string::npos)
                throw BadArgument("\"path\" must be an absolute path, it is '" + path + "'");
            if (action == "view") return view(path, arguments);
            if (action == "create") return create(path, arguments);
            if (action == "replace") return replace(path, arguments);
            if (action == "insert") return insert(path, arguments);
            throw BadArgument("unknown action '" + action +
                              "': use view, create, replace or insert");
        } catch (const BadArgument& e) {
            return text_outcome(std::string("Error: ") + e.what(), true);
        } catch (const StartError& e) {
            return text_outcome("Error: " + e.message(), true);
        }
    }

  private:
    std::string read(const std::string& path) {
        ExecOptions options;
        options.output_limit = kReadLimit;
        ExecResult result =
            recorded_exec(context_.environment().main(), {"cat", "--", path}, options, context_);
        if (!result.ok())
            throw BadArgument("cannot read " + path + ": " + utf8_clean(trim(result.err)));
        if (result.out_bytes > kReadLimit)
            throw BadArgument(
                fmt::format("{} is larger than {} bytes: use the shell", path, kReadLimit));
        if (result.out.find('\0') != std::string::npos)
            throw BadArgument(path + " is not a text file: it holds NUL bytes");
        return std::move(result.out);
    }

    // Through a shell of the sandbox's user, so that owner, mode and permissions are as if the
    // agent had written the file itself.
    void write(const std::string& path, std::string text) {
        ExecOptions options;
        options.stdin_mode = StdinMode::Pipe;
        options.input = std::move(text);
        ExecResult result =
            recorded_exec(context_.environment().main(), {"sh", "-c", kWriteScript, "sh", path},
                          options, context_);
        if (!result.ok())
            throw BadArgument("cannot write " + path + ": " + utf8_clean(trim(result.err)));
    }

    ToolOutcome view(const std::string& path, const Arguments& arguments) {
        std::string text = read(path);
        if (text.empty()) return text_outcome("[the file is empty]");
        long total = static_cast<long>(split_lines(text).size());
        long first = arguments.optional_integer("first").value_or(1);
        long last = arguments.optional_integer("last").value_or(total);
        if (last < 0 || last > total) last = total;
        if (first < 1 || first > last)
            throw BadArgument(
                fmt::format("there is no line {}: {} has {} lines", first, path, total));
        return text_outcome(numbered(text, first, last));
    }

    ToolOutcome create(const std::string& path, const Arguments& arguments) {
        std::string text = arguments.text("text");
        std::size_t size = text.size();
        write(path, std::move(text));
        return text_outcome(fmt::format("wrote {} bytes to {}", size, path));
    }

    ToolOutcome replace(const std::string& path, const Arguments& arguments) {
        std::string before = arguments.text("old"), after = arguments.text("new");
        if (before.empty()) throw BadArgument("\"old\" is empty");
        std::string text = read(path);
        std::size_t found = count_of(text, before);
        if (found == 0)
            throw BadArgument("\"old\" does not occur in " + path +
                              ": it must match exactly, blanks included");
        if (found > 1)
            throw BadArgument(fmt::format("\"old\" occurs {} times in {}: give more of the text "
                                          "around it",
                                          found, path));
        std::size_t at = text.find(before);
        text.replace(at, before.size(), after);
        write(path, std::move(text));
        return text_outcome("replaced once in " + path);
    }

    ToolOutcome insert(const std::string& path, const Arguments& arguments) {
        std::string add = arguments.text("text");
        auto line = arguments.optional_integer("line");
        if (!line) throw BadArgument("\"line\" is missing");
        std::string text = read(path);
        if (!text.empty() && text.back() != '\n') text += '\n';
        if (!add.empty() && add.back() != '\n') add += '\n';
        std::size_t at = 0;
        for (long i = 0; i < *line; ++i) {
            std::size_t end = text.find('\n', at);
            if (end == std::string::npos)
                throw BadArgument(
                    fmt::format("there is no line {}: {} has {} lines", *line, path, i));
            at = end + 1;
        }
        if (*line < 0) throw BadArgument("\"line\" must be 0 or more");
        text.insert(at, add);
        write(path, std::move(text));
        return text_outcome(fmt::format("inserted after line {} of {}", *line, path));
    }

    TrialContext& context_;
    ToolSpec spec_;
};

} // namespace

std::unique_ptr<Tool> make_file_tool(TrialContext& context) {
    return std::make_unique<FileTool>(context);
}

} // namespace assay
