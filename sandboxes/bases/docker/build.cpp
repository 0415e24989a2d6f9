#include "bases/docker/build.h"

#include "assay/base/error.h"
#include "assay/base/log.h"
#include "assay/base/text.h"
#include "bases/docker/context.h"
#include "bases/docker/copy.h"
#include "bases/docker/dockerfile.h"
#include "bases/docker/layers.h"
#include "bases/docker/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay::bases {

namespace {

#if defined(__aarch64__)
constexpr const char* kArchitecture = "arm64";
#else
constexpr const char* kArchitecture = "amd64";
#endif

struct Stage {
    std::string name;
    BaseImage image;
    std::string key;     // of the chain of layers so far
    Variables arguments; // ARG values in scope
    std::vector<std::string> shell = {"/bin/sh", "-c"};

    Variables variables() const { // what instructions may use; ENV wins over ARG
        Variables all = image.environment;
        all.insert(arguments.begin(), arguments.end());
        return all;
    }
};

// A change that waits for the next layer; `key` describes it in full.
struct Step {
    std::string key;
    std::function<void(Sandbox&)> apply;
};

bool is_url(std::string_view source) {
    return source.find("://") != std::string_view::npos || source.substr(0, 4) == "git@";
}

class Builder {
  public:
    Builder(const BaseSpec& spec, const BuildTools& tools, const Cancel& cancel)
        : tools_(tools)
        , cancel_(cancel)
        , context_(spec.context, spec.dockerfile)
        , file_(parse_dockerfile(RealFileSystem().read(spec.dockerfile, 1 << 20),
                                 spec.dockerfile.string())) {
        globals_ = {{"TARGETPLATFORM", std::string("linux/") + kArchitecture},
                    {"BUILDPLATFORM", std::string("linux/") + kArchitecture},
                    {"TARGETOS", "linux"},
                    {"TARGETARCH", kArchitecture}};
    }

    BaseImage run() {
        for (const Instruction& instruction : file_.instructions) {
            try {
                do_instruction(instruction);
            } catch (Error& e) {
                e.frame(fmt::format("{}:{}: {}", file_.file, instruction.line, instruction.name));
                throw;
            }
        }
        if (stages_.empty()) throw Error(ErrorKind::Input, file_.file + ": no FROM");
        flush(nullptr);
        BaseImage image = stage().image;
        image.record = record_;
        image.record.digest = sha256(stage().key);
        return image;
    }

  private:
    Stage& stage() { return stages_.back(); }

    [[noreturn]] static void refuse(const std::string& what, const std::string& hint) {
        throw Error(ErrorKind::Unsupported, what).hint(hint);
    }

    void do_instruction(const Instruction& instruction) {
        cancel_.check();
        const std::string& name = instruction.name;
        if (stages_.empty() && name != "FROM" && name != "ARG")
            throw Error(ErrorKind::Input, name + " before FROM");
        check_flags(instruction);
        if (name == "FROM")
            from(instruction);
        else if (name == "ARG")
            arg(instruction);
        else if (name == "RUN")
            run_command(instruction);
        else if (name == "COPY" || name == "ADD")
            copy(instruction);
        else if (name == "WORKDIR")
            workdir(instruction);
        else if (name == "ENV")
            env(instruction);
        else if (name == "USER")
            user(instruction);
        else if (name == "SHELL")
            shell(instruction);
        else if (name == "ENTRYPOINT")
            entrypoint(instruction);
        else if (name == "ONBUILD")
            refuse("ONBUILD is not supported", "write it in this file");
        // CMD, EXPOSE, LABEL, VOLUME, STOPSIGNAL, HEALTHCHECK and MAINTAINER change no file, and a
        // task's container runs a command of the harness in place of CMD.
    }

    static void check_flags(const Instruction& instruction) {
        struct Known {
            std::string_view instruction, flags;
        };
        constexpr Known kKnown[] = {{"FROM", " platform "},
                                    {"RUN", " network "},
                                    {"COPY", " from chown chmod link "},
                                    {"ADD", " chown chmod link "}};
        for (const auto& [flag, value] : instruction.flags) {
            bool known = instruction.name == "HEALTHCHECK"; // noted only
            for (const Known& row : kKnown)
                known |= row.instruction == instruction.name &&
                         row.flags.find(" " + flag + " ") != std::string_view::npos;
            if (!known)
                refuse(instruction.name + " --" + flag + " is not supported",
                       "build the image with another tool and use it as tar:FILE");
        }
    }

    void from(const Instruction& instruction) {
        if (!stages_.empty()) flush(nullptr);
        auto words = expand_words(instruction.text, globals_, file_.escape);
        bool named = words.size() == 3 && equals_nocase(words[1], "as");
        if (words.size() != 1 && !named)
            throw Error(ErrorKind::Input, "expected FROM IMAGE [AS NAME]");
        std::string platform = expand(instruction.flag("platform"), globals_, file_.escape);
        if (!platform.empty() && platform != globals_.at("TARGETPLATFORM"))
            refuse("FROM --platform=" + platform + ": this machine is " +
                       globals_.at("TARGETPLATFORM"),
                   "run it on such a machine");
        Stage next;
        if (const Stage* earlier = find_stage(words[0])) {
            next = *earlier;
            next.arguments.clear();
        } else {
            next.image = base(words[0]);
            next.key = next.image.record.digest.hex();
        }
        next.name = named ? to_lower(words[2]) : "";
        stages_.push_back(std::move(next));
    }

    BaseImage base(const std::string& reference) {
        BaseImage image = tools_.base(reference);
        auto join = [](std::string& list, const std::string& word) {
            if (!list.empty()) list += ", ";
            list += word;
        };
        join(record_.asked, image.record.asked);
        join(record_.used, image.record.used);
        record_.substituted |= image.record.substituted;
        return image;
    }

    const Stage* find_stage(const std::string& reference) const {
        for (std::size_t i = 0; i < stages_.size(); ++i)
            if (to_lower(reference) == stages_[i].name && !stages_[i].name.empty())
                return &stages_[i];
        return nullptr;
    }

    // COPY --from: a stage by name or number, else an image.
    Stage source_stage(const std::string& reference) {
        if (const Stage* found = find_stage(reference)) return *found;
        bool number = !reference.empty() && reference.size() < 4 &&
                      reference.find_first_not_of("0123456789") == std::string::npos;
        if (number && std::stoul(reference) + 1 < stages_.size())
            return stages_[std::stoul(reference)];
        Stage image;
        image.image = base(reference);
        image.key = image.image.record.digest.hex();
        return image;
    }

    void arg(const Instruction& instruction) {
        Variables scope = stages_.empty() ? globals_ : stage().variables();
        for (const std::string& word : expand_words(instruction.text, scope, file_.escape)) {
            std::size_t equals = word.find('=');
            std::string name = word.substr(0, equals);
            auto global = globals_.find(name);
            if (stages_.empty()) {
                if (equals != std::string::npos) globals_[name] = word.substr(equals + 1);
            } else if (equals != std::string::npos) {
                stage().arguments[name] = word.substr(equals + 1);
            } else if (global != globals_.end()) {
                stage().arguments[name] = global->second;
            }
        }
    }

    void env(const Instruction& instruction) {
        auto pairs = expand_pairs(instruction.text, stage().variables(), file_.escape);
        for (auto& [name, value] : pairs) stage().image.environment[name] = std::move(value);
    }

    void user(const Instruction& instruction) {
        std::string text = expand(instruction.text, stage().variables(), file_.escape);
        stage().image.user = text.substr(0, text.find(':')); // the group follows from /etc/passwd
    }

    void shell(const Instruction& instruction) {
        if (!instruction.exec || instruction.exec->empty())
            throw Error(ErrorKind::Input, "SHELL needs a JSON array of strings");
        stage().shell = *instruction.exec;
    }

    static void entrypoint(const Instruction& instruction) {
        if (instruction.exec && instruction.exec->empty()) return; // resets an inherited one
        refuse("ENTRYPOINT is not supported: nothing would run it",
               "start the service from the task's scripts, or with a healthcheck");
    }

    void workdir(const Instruction& instruction) {
        std::string path = absolute(expand(instruction.text, stage().variables(), file_.escape));
        stage().image.workdir = path;
        steps_.push_back({"WORKDIR " + path, [this, path](Sandbox& sandbox) {
                              make_workdir(sandbox, path, cancel_);
                          }});
    }

    std::string absolute(const std::string& path) {
        std::string base = stage().image.workdir.empty() ? "/" : stage().image.workdir;
        std::string out = (Path(base) / path).lexically_normal().string();
        while (out.size() > 1 && out.back() == '/') out.pop_back();
        return out;
    }

    // Sources and destination, of either form.
    std::vector<std::string> copy_words(const Instruction& instruction) {
        Variables scope = stage().variables();
        if (!instruction.exec) return expand_words(instruction.text, scope, file_.escape);
        std::vector<std::string> words;
        for (const std::string& word : *instruction.exec) words.push_back(expand_body(word, scope));
        return words;
    }

    void copy(const Instruction& instruction) {
        std::vector<std::string> words = copy_words(instruction);
        if (words.size() < 2)
            throw Error(ErrorKind::Input, instruction.name + " needs a source and a destination");
        std::string destination = words.back();
        words.pop_back();
        CopyTarget target;
        target.path = absolute(destination);
        target.folder = destination.back() == '/' || words.size() > 1 || destination == "." ||
                        destination == "..";
        Variables scope = stage().variables();
        target.owner = expand(instruction.flag("chown"), scope, file_.escape);
        target.mode = expand(instruction.flag("chmod"), scope, file_.escape);
        for (const std::string& source : words)
            if (instruction.name == "ADD" && is_url(source))
                refuse("ADD of a URL is not supported: " + source, "use RUN with curl");
        std::string key =
            fmt::format("COPY {} {} {} {}", target.path, target.folder, target.owner, target.mode);
        std::string from = expand(instruction.flag("from"), scope, file_.escape);
        if (from.empty())
            copy_from_context(instruction, words, target, key);
        else
            copy_from_stage(source_stage(from), words, target, key);
    }

    void copy_from_context(const Instruction& instruction, const std::vector<std::string>& words,
                           const CopyTarget& target, std::string key) {
        Staged staged;
        if (instruction.heredocs.empty()) {
            staged = context_.stage(words, instruction.name == "ADD");
        } else {
            if (instruction.heredocs.size() != words.size())
                refuse("COPY of heredocs together with files", "use two COPY lines");
            std::vector<std::pair<std::string, std::string>> texts;
            for (const Heredoc& doc : instruction.heredocs)
                texts.emplace_back(doc.name, doc.expand
                                                 ? expand_body(doc.content, stage().variables())
                                                 : doc.content);
            staged = stage_texts(texts);
        }
        key += " " + staged.digest.hex() + (staged.one_file ? " file " + staged.file_name : "");
        steps_.push_back({std::move(key), [this, staged, target](Sandbox& sandbox) {
                              put_staged(sandbox, staged, target, cancel_);
                          }});
    }

    void copy_from_stage(const Stage& source, std::vector<std::string> words,
                         const CopyTarget& target, std::string key) {
        key += " from " + source.key;
        for (std::string& word : words) {
            if (word[0] != '/') word.insert(0, "/");
            key += " " + word;
        }
        steps_.push_back({std::move(key), [this, source, words, target](Sandbox& sandbox) {
                              auto other = start(source, false);
                              copy_between(*other, words, sandbox, target, cancel_);
                          }});
    }

    void run_command(const Instruction& instruction) {
        std::string network = instruction.flag("network");
        if (!network.empty() && network != "default" && network != "none")
            refuse("RUN --network=" + network + " is not supported", "use default or none");
        flush(&instruction);
    }

    std::unique_ptr<Sandbox> start(const Stage& of, bool network) {
        SandboxSpec spec;
        spec.name = "build";
        spec.environment = of.variables();
        spec.network.mode = network ? NetworkMode::Public : NetworkMode::None;
        return tools_.runner.start_on(of.image, spec, cancel_);
    }

    std::vector<std::string> command(const Instruction& run) {
        if (run.exec) return *run.exec;
        std::vector<std::string> argv = stage().shell;
        std::string text = run.text;
        // "RUN <<EOF" alone: the document is the script. Else the shell reads the document itself.
        bool script = run.heredocs.size() == 1 && text.substr(0, 2) == "<<" &&
                      text.find_first_of(" \t;|&") == std::string::npos;
        if (script) {
            text = run.heredocs[0].content;
        } else {
            for (const Heredoc& doc : run.heredocs) text += "\n" + doc.content + doc.name;
        }
        argv.push_back(std::move(text));
        return argv;
    }

    // Makes a layer of the steps that wait and of `run`, if there is one.
    void flush(const Instruction* run) {
        if (!run && steps_.empty()) return;
        std::string key = stage().key;
        for (const Step& step : steps_) key += "\n" + step.key;
        if (run) {
            key += "\nRUN " + run->flag("network");
            for (const std::string& word : command(*run)) key += '\0' + word;
            for (const auto& [name, value] : stage().variables()) key += '\0' + name + "=" + value;
            key += '\0' + stage().image.workdir + '\0' + stage().image.user;
        }
        key = sha256(key).hex();
        stage().image.mounts = cached_layer(tools_.cache, "layer-" + key.substr(0, 32), cancel_,
                                            [&] { return make_layer(run); });
        stage().key = key;
        steps_.clear();
    }

    std::vector<BaseMount> make_layer(const Instruction* run) {
        auto sandbox = start(stage(), run && run->flag("network") != "none");
        for (const Step& step : steps_) step.apply(*sandbox);
        if (run) execute(*sandbox, *run);
        return tools_.runner.seal(*sandbox, stage().image, cancel_).mounts;
    }

    void execute(Sandbox& sandbox, const Instruction& run) {
        constexpr std::size_t kShown = 2000;
        log_info("build: {}:{}: RUN {}", file_.file, run.line, run.text.substr(0, 100));
        ExecOptions options;
        options.user = stage().image.user;
        options.cwd = stage().image.workdir.empty() ? "/" : stage().image.workdir;
        options.merge_stderr = true;
        options.output_limit = 64 * 1024;
        std::vector<std::string> argv = command(run);
        if (!run.exec && argv.back().substr(0, 2) == "#!") { // a heredoc with an interpreter
            sandbox.put_file("/.assay-run", argv.back(), 0755, cancel_);
            argv = {"/.assay-run"};
        }
        ExecResult result = sandbox.exec(argv, options, cancel_);
        if (argv[0] == "/.assay-run") sandbox.exec({"rm", "-f", argv[0]}, {}, cancel_);
        if (result.ok()) return;
        // An exit code is the command's own verdict; a signal came from outside it, and another try
        // may be luckier.
        Error error(result.status.signal == 0 ? ErrorKind::Input : ErrorKind::Sandbox,
                    fmt::format("{}:{}: RUN failed: {}: {}", file_.file, run.line,
                                result.status.text(), utf8_clean(trim(run.text.substr(0, 200)))));
        std::size_t begin = result.out.size() > kShown ? result.out.size() - kShown : 0;
        std::string end = utf8_clean(trim(result.out.substr(begin)));
        if (end.empty()) throw error;
        throw std::move(error).hint("the end of its output:\n" + end);
    }

    const BuildTools& tools_;
    const Cancel& cancel_;
    BuildContext context_;
    Dockerfile file_;
    Variables globals_;
    std::vector<Stage> stages_;
    std::vector<Step> steps_;
    BaseRecord record_;
};

} // namespace

BaseImage build_dockerfile(const BaseSpec& spec, const BuildTools& tools, const Cancel& cancel) {
    RealFileSystem files;
    if (!files.exists(spec.dockerfile))
        throw Error(ErrorKind::Input, spec.dockerfile.string() + ": no such Dockerfile");
    return Builder(spec, tools, cancel).run();
}

} // namespace assay::bases
