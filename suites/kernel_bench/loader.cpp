#include "assay/base/error.h"
#include "assay/base/hash.h"
#include "assay/base/json.h"
#include "assay/base/text.h"
#include "task.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <set>

namespace assay::kernel_bench {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxFile = 1 << 20;
constexpr double kMaxElements = 1 << 26;
constexpr std::size_t kMaxTensors = 16, kMaxAxes = 16, kMaxCases = 64, kMaxRank = 8;

// One JSON value with its place, for messages such as "task.json: /cases/2/axes/m: ...".
class Node {
  public:
    Node(const json& value, std::string file, std::string path = "")
        : value_(&value)
        , file_(std::move(file))
        , path_(std::move(path)) {}

    [[noreturn]] void fail(const std::string& what) const {
        throw Error(ErrorKind::Input,
                    fmt::format("{}: {}: {}", file_, path_.empty() ? "/" : path_, what));
    }
    [[noreturn]] void unsupported(const std::string& what) const {
        throw Error(ErrorKind::Unsupported,
                    fmt::format("{}: {}: {}", file_, path_.empty() ? "/" : path_, what));
    }

    void only(const std::set<std::string>& keys) const {
        object();
        for (const auto& [key, value] : value_->items())
            if (!keys.contains(key)) Node(value, file_, path_ + "/" + key).fail("unknown key");
    }
    bool has(const char* key) const { return object().contains(key); }
    Node operator[](const char* key) const {
        if (!has(key)) fail(fmt::format("misses the key '{}'", key));
        return Node(object()[key], file_, path_ + "/" + key);
    }
    std::vector<Node> items(std::size_t most) const {
        if (!value_->is_array()) wrong_type("a list");
        if (value_->size() > most) fail(fmt::format("has more than {} entries", most));
        std::vector<Node> out;
        for (std::size_t i = 0; i < value_->size(); ++i)
            out.emplace_back((*value_)[i], file_, fmt::format("{}/{}", path_, i));
        return out;
    }
    std::vector<std::pair<std::string, Node>> members(std::size_t most) const {
        if (object().size() > most) fail(fmt::format("has more than {} entries", most));
        std::vector<std::pair<std::string, Node>> out;
        for (const auto& [key, value] : value_->items())
            out.emplace_back(key, Node(value, file_, path_ + "/" + key));
        return out;
    }
    std::string text() const {
        if (!value_->is_string()) wrong_type("a string");
        return value_->get<std::string>();
    }
    std::string text_or_number() const {
        return value_->is_number_integer() ? value_->dump() : text();
    }
    bool boolean() const {
        if (!value_->is_boolean()) wrong_type("true or false");
        return value_->get<bool>();
    }
    double number(double least, double most) const {
        if (!value_->is_number()) wrong_type("a number");
        auto value = value_->get<double>();
        if (!(value >= least && value <= most))
            fail(fmt::format("is {}, must be from {} to {}", value, least, most));
        return value;
    }
    std::int64_t integer(std::int64_t least, std::int64_t most) const {
        if (!value_->is_number_integer()) wrong_type("an integer");
        double wide = value_->get<double>();
        if (!(wide >= static_cast<double>(least) && wide <= static_cast<double>(most)))
            fail(fmt::format("is {}, must be from {} to {}", wide, least, most));
        return value_->get<std::int64_t>();
    }
    bool is_string() const { return value_->is_string(); }

  private:
    const json& object() const {
        if (!value_->is_object()) wrong_type("an object");
        return *value_;
    }
    [[noreturn]] void wrong_type(const char* wanted) const {
        fail(fmt::format("must be {}, is {}", wanted, value_->type_name()));
    }

    const json* value_;
    std::string file_, path_;
};

json parse(const std::string& text, const std::string& file) {
    if (nested_too_deep(text)) throw Error(ErrorKind::Input, file + ": nested too deeply");
    try {
        return json::parse(text);
    } catch (const json::parse_error& e) {
        std::size_t at = std::min<std::size_t>(e.byte > 0 ? e.byte - 1 : 0, text.size());
        std::string_view before(text.data(), at);
        auto line = std::count(before.begin(), before.end(), '\n') + 1;
        std::size_t start = before.rfind('\n');
        std::size_t column = start == std::string_view::npos ? at + 1 : at - start;
        std::string what = e.what();
        throw Error(ErrorKind::Input, fmt::format("{}:{}:{}: not valid JSON: {}", file, line,
                                                  column, what.substr(what.rfind("] ") + 2)));
    }
}

bool is_name(std::string_view text) {
    if (text.empty() || text.size() > 31 || (text[0] >= '0' && text[0] <= '9')) return false;
    for (char c : text)
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    return true;
}

std::string name_of(const Node& node) {
    std::string name = node.text();
    if (!is_name(name)) node.fail("must be a name of letters, digits and '_', at most 31");
    return name;
}

DType dtype_of(const Node& node) {
    std::string text = node.text();
    for (DType dtype :
         {DType::F64, DType::F32, DType::BF16, DType::I64, DType::I32, DType::I8, DType::U8})
        if (to_string(dtype) == text) return dtype;
    if (text == "f16" || text == "e4m3" || text == "e5m2" || text == "b1")
        node.unsupported("dtype " + text + " is not supported");
    node.fail("unknown dtype '" + text + "'");
}

// "normal(0,1)" -> the two numbers; nullopt if it is another function.
std::optional<std::pair<double, double>> call_of(const Node& node, std::string_view text,
                                                 std::string_view function) {
    if (!text.starts_with(function) || !text.ends_with(")")) return std::nullopt;
    text.remove_prefix(function.size());
    text.remove_suffix(1);
    auto parts = split(text, ',');
    if (parts.size() != 2) node.fail("wants two numbers");
    return std::pair(evaluate(trim(parts[0]), {}), evaluate(trim(parts[1]), {}));
}

Generator generator_of(const Node& node) {
    std::string text = node.text();
    auto make = [](Generator::Kind kind, std::pair<double, double> numbers) {
        return Generator{kind, numbers.first, numbers.second};
    };
    try {
        if (auto n = call_of(node, text, "normal(")) return make(Generator::Kind::Normal, *n);
        if (auto n = call_of(node, text, "uniform(")) return make(Generator::Kind::Uniform, *n);
        if (auto n = call_of(node, text, "randint(")) {
            if (!(n->first <= n->second) || std::abs(n->first) > 1e15 || std::abs(n->second) > 1e15)
                node.fail("wants an ascending range of integers below 1e15");
            return make(Generator::Kind::Integers, *n);
        }
    } catch (Error& e) {
        node.fail(e.message());
    }
    if (text == "perm") return {Generator::Kind::Permutation, 0, 0};
    if (text == "causal_lengths" || text == "file")
        node.unsupported("generator " + text + " is not supported");
    node.fail("unknown generator '" + text + "'");
}

std::vector<TensorSpec> tensors_of(const Node& node, bool inputs) {
    std::vector<TensorSpec> out;
    std::set<std::string> names;
    for (const Node& item : node.items(kMaxTensors)) {
        if (inputs)
            item.only({"name", "dtype", "shape", "role", "generator"});
        else
            item.only({"name", "dtype", "shape"});
        TensorSpec tensor;
        tensor.name = name_of(item["name"]);
        if (!names.insert(tensor.name).second) item["name"].fail("is there twice");
        tensor.dtype = dtype_of(item["dtype"]);
        for (const Node& dimension : item["shape"].items(kMaxRank))
            tensor.shape.push_back(dimension.text_or_number());
        if (inputs) {
            if (item.has("role")) {
                std::string role = item["role"].text();
                if (role != "activation" && role != "weight")
                    item["role"].fail("must be \"activation\" or \"weight\"");
            }
            tensor.generator = generator_of(item["generator"]);
        }
        out.push_back(std::move(tensor));
    }
    return out;
}

Stress stress_of(const Node& node) {
    std::string text = node.text();
    if (text == "zeros") return {Stress::Kind::Zeros, 0};
    if (text == "large_offset") return {Stress::Kind::LargeOffset, 1e4};
    if (text == "denormals") return {Stress::Kind::Denormals, 1e-40};
    if (text.starts_with("scale ")) {
        try {
            return {Stress::Kind::Scale, evaluate(trim(text.substr(6)), {})};
        } catch (Error& e) {
            node.fail(e.message());
        }
    }
    if (text == "special_lengths") node.unsupported("stress special_lengths is not supported");
    node.fail("unknown stress '" + text + "'");
}

KernelCase case_of(const Node& node, const Axes& constants,
                   const std::set<std::string>& free_axes) {
    node.only({"name", "axes", "use", "stress"});
    KernelCase c;
    c.name = node["name"].text();
    if (c.name.empty() || c.name.size() > 80) node["name"].fail("must have 1 to 80 characters");
    c.axes = constants;
    for (const auto& [name, value] : node["axes"].members(kMaxAxes)) {
        if (!free_axes.contains(name)) value.fail("is no axis that a case sets");
        c.axes[name] = value.integer(1, 1 << 30);
    }
    for (const std::string& name : free_axes)
        if (!c.axes.contains(name)) node["axes"].fail("misses the axis '" + name + "'");
    if (node.has("use")) {
        std::string use = node["use"].text();
        if (use != "test" && use != "bench" && use != "both")
            node["use"].fail("must be \"test\", \"bench\" or \"both\"");
        c.bench = use != "test";
    }
    if (node.has("stress")) {
        c.stress = stress_of(node["stress"]);
        c.bench = false; // odd numbers have odd speeds
    }
    return c;
}

Tolerance tolerance_of(const Node& node) {
    node.only({"atol", "rtol", "rel_to_std", "max_bad_fraction", "exact", "gather_of"});
    if (node.has("gather_of")) node["gather_of"].unsupported("gather_of is not supported");
    Tolerance t;
    if (node.has("exact")) t.exact = node["exact"].boolean();
    if (node.has("atol")) t.atol = node["atol"].number(0, 1e30);
    if (node.has("rtol")) t.rtol = node["rtol"].number(0, 1);
    if (node.has("rel_to_std")) t.rel_to_std = node["rel_to_std"].number(0, 1);
    if (node.has("max_bad_fraction")) t.max_bad_fraction = node["max_bad_fraction"].number(0, 0.1);
    bool some = t.atol > 0 || t.rtol > 0 || t.rel_to_std > 0;
    if (t.exact == some) node.fail("wants either \"exact\": true or a tolerance above 0");
    return t;
}

class Loader {
  public:
    explicit Loader(const Path& folder)
        : folder_(folder)
        , file_((folder / "task.json").string()) {}

    std::shared_ptr<const KernelTask> load() {
        std::string text = read("task.json");
        json document = parse(text, file_);
        Node root(document, file_);
        root.only({"schema", "id",        "title", "prompt",  "tags",  "license", "source",
                   "device", "arch",      "entry", "threads", "axes",  "inputs",  "outputs",
                   "cases",  "tolerance", "cost",  "build",   "score", "files",   "limits"});
        if (root["schema"].text() != "kernel-task/1")
            root["schema"].unsupported("this suite reads \"kernel-task/1\"");
        identity(root);
        axes(root);
        task_->inputs = tensors_of(root["inputs"], true);
        task_->outputs = tensors_of(root["outputs"], false);
        if (task_->outputs.empty()) root["outputs"].fail("must have an output");
        tolerances(root["tolerance"]);
        cases(root["cases"]);
        cost(root["cost"]);
        if (root.has("build")) build(root["build"]);
        if (root.has("limits")) limits(root["limits"]);
        files(root);
        finish();
        return task_;
    }

  private:
    std::string read(const std::string& name) {
        RealFileSystem fs;
        std::string text = fs.read(folder_ / name, kMaxFile);
        digest_.update(fmt::format("{}\n{}\n", name, text.size()));
        digest_.update(text);
        return text;
    }

    // A file below the folder: no way out of it.
    std::string read(const Node& node) {
        Path path = node.text();
        if (path.empty() || path.is_absolute()) node.fail("must be a path below the task's folder");
        for (const Path& part : path)
            if (part == "..") node.fail("must not have '..'");
        try {
            return read(path.string());
        } catch (Error& e) {
            node.fail(e.message());
        }
    }

    void identity(const Node& root) {
        task_->header.id = root["id"].text();
        if (!is_name(replace_all(task_->header.id, "-", "_")))
            root["id"].fail("must be a short name");
        task_->title = root["title"].text();
        for (const char* key : {"license", "source"})
            if (root.has(key)) root[key].text();
        json tags = json::array();
        if (root.has("tags"))
            for (const Node& tag : root["tags"].items(32)) tags.push_back(utf8_clean(tag.text()));
        tags_ = tags.dump();
        std::string device = root["device"].text();
        if (device == "cuda")
            root["device"].unsupported("device cuda is not run by this version, only cpu");
        if (device != "cpu") root["device"].fail("must be \"cpu\" or \"cuda\"");
        for (const Node& arch : root["arch"].items(8)) {
            std::string text = arch.text();
            if (!is_name(replace_all(text, "-", "_"))) arch.fail("is no -march name");
            if (task_->arch.empty()) task_->arch = text;
        }
        if (task_->arch.empty()) root["arch"].fail("must name an architecture");
        if (root.has("entry")) task_->entry = name_of(root["entry"]);
        if (root.has("threads")) task_->threads = static_cast<int>(root["threads"].integer(1, 256));
    }

    void axes(const Node& root) {
        for (const auto& [name, value] : root["axes"].members(kMaxAxes)) {
            if (!is_name(name)) value.fail("the axis has no good name");
            if (value.is_string()) {
                if (value.text() != "case") value.fail("must be an integer or \"case\"");
                free_axes_.insert(name);
            } else {
                constants_[name] = value.integer(1, 1 << 30);
            }
        }
    }

    void tolerances(const Node& node) {
        std::map<std::string, Tolerance> by_name;
        for (const auto& [name, value] : node.members(kMaxTensors))
            by_name[name] = tolerance_of(value);
        for (const TensorSpec& output : task_->outputs) {
            auto found = by_name.find(output.name);
            if (found == by_name.end()) node.fail("misses the output '" + output.name + "'");
            task_->tolerances.push_back(found->second);
            by_name.erase(found);
        }
        if (!by_name.empty()) node.fail("names '" + by_name.begin()->first + "', no output");
    }

    void cases(const Node& node) {
        std::set<std::string> names;
        bool bench = false;
        for (const Node& item : node.items(kMaxCases)) {
            KernelCase c = case_of(item, constants_, free_axes_);
            if (!names.insert(c.name).second) item["name"].fail("is there twice");
            try {
                for (const auto* list : {&task_->inputs, &task_->outputs})
                    for (const TensorSpec& tensor : *list) task_->shape(tensor, c);
            } catch (Error& e) {
                item.fail(e.message());
            }
            bench |= c.bench;
            task_->cases.push_back(std::move(c));
        }
        if (!bench) node.fail("needs a case that is timed");
    }

    void cost(const Node& node) {
        node.only({"flops", "bytes", "regime", "peak_key"});
        task_->flops = node["flops"].text();
        task_->bytes = node["bytes"].text();
        std::string regime = node["regime"].text();
        if (regime != "compute" && regime != "memory")
            node["regime"].fail("must be \"compute\" or \"memory\"");
        task_->compute_bound = regime == "compute";
        if (node.has("peak_key") && node["peak_key"].text() != "f32" &&
            node["peak_key"].text() != "f64")
            node["peak_key"].unsupported("only the peaks f32 and f64 are measured");
        for (const char* key : {"flops", "bytes"}) {
            for (const KernelCase& c : task_->cases) {
                double value = 0;
                try {
                    value = evaluate(node[key].text(), c.axes);
                } catch (Error& e) {
                    node[key].fail(e.message());
                }
                if (!(value > 0)) node[key].fail("must be above 0 for every case");
            }
        }
    }

    void build(const Node& node) {
        node.only({"language", "flags", "forbidden_symbols", "forbidden_patterns", "seconds"});
        if (node.has("language") && node["language"].text() != "c++")
            node["language"].unsupported("only c++ is built");
        if (node.has("flags"))
            for (const Node& flag : node["flags"].items(32)) {
                std::string text = flag.text();
                if (!text.starts_with("-")) flag.fail("must begin with '-'");
                task_->flags.push_back(text);
            }
        if (node.has("forbidden_symbols"))
            for (const Node& item : node["forbidden_symbols"].items(256))
                task_->forbidden_symbols.push_back(item.text());
        if (node.has("forbidden_patterns"))
            for (const Node& item : node["forbidden_patterns"].items(256))
                task_->forbidden_patterns.push_back(item.text());
        if (node.has("seconds")) task_->build_seconds = node["seconds"].number(1, 3600);
    }

    void limits(const Node& node) {
        node.only({"agent_seconds", "verify_seconds", "call_seconds"});
        if (node.has("agent_seconds"))
            task_->limits.agent = from_seconds(node["agent_seconds"].number(1, 1e6));
        if (node.has("verify_seconds"))
            task_->limits.verify = from_seconds(node["verify_seconds"].number(1, 1e6));
        if (node.has("call_seconds")) task_->call_seconds = node["call_seconds"].number(0.1, 600);
    }

    void files(const Node& root) {
        Node node = root["files"];
        node.only({"reference", "baseline", "starter", "oracle"});
        task_->reference = read(node["reference"]);
        task_->baseline = read(node["baseline"]);
        task_->starter = read(node["starter"]);
        if (node.has("oracle")) task_->oracle = read(node["oracle"]);
        task_->instruction = read(root["prompt"]);
        if (root.has("score") && root["score"].text() != "speedup_vs_baseline")
            root["score"].unsupported("only speedup_vs_baseline is scored");
    }

    void finish() {
        task_->header.digest = "sha256:" + digest_.finish().hex();
        task_->environment.sandboxes.front().workdir = "/app"; // where the answer belongs
        task_->claim.cpus = task_->threads;
        task_->claim.memory_bytes = 2ull << 30;
        task_->claim.sandboxes = 4; // the agent's, and verification's three rooms
        task_->claim.exclusive_verify = true;
        task_->metadata =
            fmt::format(R"({{"title":{},"tags":{},"cases":{},"threads":{}}})",
                        json_quote(task_->title), tags_, task_->cases.size(), task_->threads);
    }

    Path folder_;
    std::string file_, tags_;
    std::shared_ptr<KernelTask> task_ = std::make_shared<KernelTask>();
    Axes constants_;
    std::set<std::string> free_axes_;
    Sha256 digest_;
};

} // namespace

std::size_t size_of(DType dtype) {
    switch (dtype) {
    case DType::F64:
    case DType::I64:
        return 8;
    case DType::F32:
    case DType::I32:
        return 4;
    case DType::BF16:
        return 2;
    case DType::I8:
    case DType::U8:
        return 1;
    }
    return 1;
}

bool is_float(DType dtype) {
    return dtype == DType::F64 || dtype == DType::F32 || dtype == DType::BF16;
}

std::string_view to_string(DType dtype) {
    switch (dtype) {
    case DType::F64:
        return "f64";
    case DType::F32:
        return "f32";
    case DType::BF16:
        return "bf16";
    case DType::I64:
        return "i64";
    case DType::I32:
        return "i32";
    case DType::I8:
        return "i8";
    case DType::U8:
        return "u8";
    }
    return "u8";
}

std::vector<std::int64_t> KernelTask::shape(const TensorSpec& tensor, const KernelCase& c) const {
    std::vector<std::int64_t> out;
    double elements = 1;
    for (const std::string& dimension : tensor.shape) {
        double value = evaluate(dimension, c.axes);
        elements *= value;
        if (!(value >= 1 && elements <= kMaxElements) || value != std::floor(value))
            throw Error(ErrorKind::Input,
                        fmt::format("tensor '{}': dimension '{}' is {}; dimensions are integers "
                                    "from 1, a tensor has at most {} elements",
                                    tensor.name, dimension, value, kMaxElements));
        out.push_back(static_cast<std::int64_t>(value));
    }
    return out;
}

std::shared_ptr<const KernelTask> load_kernel_task(const Path& folder) {
    return Loader(folder).load();
}

} // namespace assay::kernel_bench
