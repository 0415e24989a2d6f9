// bench_engine CHECKPOINT [OPTION VALUE ...]: tokens a second of the forward pass, each beside the
// most that this machine can multiply and read in the same minute, and, if told where, beside
// llama.cpp on the same weights. tools/bench-engine runs it; docs/performance.md says what the
// figures mean.
#include "assay/base/error.h"
#include "assay/engine/checkpoint.h"
#include "assay/engine/forward.h"
#include "kernels/limits.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sched.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <sstream>

using namespace assay;
using namespace assay::engine;
namespace limits = assay::kernels::limits;

namespace {

struct Settings {
    std::string checkpoint, llama_bench, gguf;
    int threads = 2, rounds = 3;
    bool f32 = false, busy = true;
    std::int64_t chunk = 512;
    std::vector<std::int64_t> prefill = {512, 4096}, depths = {0, 8192};
};

constexpr std::int64_t kDecoded = 32; // tokens of one measurement

struct Rig {
    Rig(const Settings& settings, const Checkpoint& checkpoint)
        : s(settings)
        , config(checkpoint.config().text)
        , compute(s.f32 ? Compute::F32 : Compute::Bf16)
        , forward(config, checkpoint.weights().text, compute, s.threads)
        , cache(config, pages() * PageCache::bytes_of_page(config, compute), compute) {
        std::mt19937 random(5);
        for (std::int64_t i = 0; i < longest(); ++i)
            ids.push_back(
                static_cast<std::int32_t>(random() % static_cast<unsigned>(config.vocab)));
    }
    std::int64_t longest() const {
        return std::max(*std::max_element(s.prefill.begin(), s.prefill.end()),
                        *std::max_element(s.depths.begin(), s.depths.end()) + 4 * kDecoded);
    }
    std::uint64_t pages() const {
        const std::int64_t block = config.block > 0 ? config.block : 128;
        return static_cast<std::uint64_t>(2 * (longest() / block + 2));
    }
    void append(Sequence& sequence, std::int64_t count, std::int64_t chunk) {
        const std::int64_t end = sequence.length() + count;
        while (sequence.length() < end) {
            const std::int64_t n = std::min(chunk, end - sequence.length());
            sequence.reserve(n);
            const Chunk one{&sequence,
                            {ids.data() + sequence.length(), static_cast<std::size_t>(n)},
                            Logits::Last};
            forward.run({&one, 1}, cancel);
        }
    }
    double prefill(std::int64_t tokens) {
        Sequence sequence(cache);
        return static_cast<double>(tokens) /
               limits::seconds_of([&] { append(sequence, tokens, s.chunk); });
    }
    double decode(std::int64_t depth, std::int64_t tokens = kDecoded) {
        std::unique_ptr<Sequence>& filled = at_depth[depth];
        if (filled == nullptr) {
            filled = std::make_unique<Sequence>(cache);
            append(*filled, depth, s.chunk);
        }
        Sequence sequence = filled->branch();
        append(sequence, 2, 1);
        return static_cast<double>(tokens) /
               limits::seconds_of([&] { append(sequence, tokens, 1); });
    }

    const Settings& s;
    const TextConfig& config;
    Compute compute;
    Forward forward;
    PageCache cache;
    std::vector<std::int32_t> ids;
    std::map<std::int64_t, std::unique_ptr<Sequence>> at_depth;
    Cancel cancel;
};

// What a token needs at least: weights that are multiplied once, and cached values that are read.
struct Work {
    double weights = 0, weight_bytes = 0; // of one token, without the head
    double head = 0, head_bytes = 0;
};

Work work_of(const Checkpoint& checkpoint) {
    Work work;
    auto add = [&](const Matrix& m, double share = 1) {
        work.weights += share * static_cast<double>(m.rows * m.columns);
        work.weight_bytes += share * static_cast<double>(m.bytes());
    };
    const TextConfig& c = checkpoint.config().text;
    const TextWeights& text = checkpoint.weights().text;
    for (const LayerWeights& l : text.layers) {
        for (const Matrix* m :
             {&l.q, &l.k, &l.v, &l.o, &l.index_q, &l.index_k, &l.router, &l.dense.gate, &l.dense.up,
              &l.dense.down, &l.shared.gate, &l.shared.up, &l.shared.down})
            if (!m->empty()) add(*m);
        if (!l.experts.empty())
            for (const Matrix* m : {&l.experts[0].gate, &l.experts[0].up, &l.experts[0].down})
                add(*m, c.experts_per_token);
    }
    work.head = static_cast<double>(text.head.rows * text.head.columns);
    work.head_bytes = static_cast<double>(text.head.bytes());
    return work;
}

// Multiplications of attention for a token at `position`, and the bytes of cache that it reads.
std::pair<double, double> attention_of(const TextConfig& c, double value_bytes, double position) {
    double products = 0, bytes = 0;
    for (const LayerKind& layer : c.layers) {
        double seen = position + 1;
        if (layer.sparse) {
            const double most = static_cast<double>(c.top_blocks) * static_cast<double>(c.block);
            if (seen > most) {
                products += seen * c.index_heads * c.index_dim;
                bytes += seen * c.index_dim * value_bytes;
            }
            seen = std::min(seen, most);
        }
        products += seen * c.heads * c.head_dim * 2;
        bytes += seen * c.kv_heads * c.head_dim * 2 * value_bytes;
    }
    return {products, bytes};
}

struct Figure {
    std::string name, llama; // arguments of llama-bench
    std::vector<double> ours, theirs;
    double flops = 0, bytes = 0; // of a token
};

double llama(const Settings& s, const std::string& arguments) {
    const std::string command = fmt::format("'{}' -m '{}' -t {} -fa 1 -r 1 -o json {} 2>/dev/null",
                                            s.llama_bench, s.gguf, s.threads, arguments);
    std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    std::string text;
    std::array<char, 4096> buffer{};
    while (pipe != nullptr && std::fgets(buffer.data(), buffer.size(), pipe.get()) != nullptr)
        text += buffer.data();
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (json.is_discarded() || json.empty())
        throw Error(ErrorKind::Input, "llama-bench printed no result: " + command);
    return json[0]["avg_ts"].get<double>();
}

double status_mib(const char* key) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(key))
            return std::stod(line.substr(std::string(key).size() + 1)) / 1024;
    return 0;
}

std::vector<Figure> figures(const Rig& rig, const Work& work) {
    std::vector<Figure> out;
    const double value_bytes = rig.cache.bf16() ? 2 : 4;
    for (std::int64_t n : rig.s.prefill) {
        double attention = 0;
        for (std::int64_t i = 0; i < n; ++i)
            attention += attention_of(rig.config, value_bytes, static_cast<double>(i)).first;
        out.push_back({fmt::format("prefill {}", n),
                       fmt::format("-p {} -n 0", n),
                       {},
                       {},
                       2 * (work.weights + attention / static_cast<double>(n)),
                       0});
    }
    for (std::int64_t depth : rig.s.depths) {
        const auto [products, bytes] =
            attention_of(rig.config, value_bytes, static_cast<double>(depth));
        out.push_back({fmt::format("decode at {}", depth),
                       fmt::format("-p 0 -n {} -d {}", kDecoded, depth),
                       {},
                       {},
                       2 * (work.weights + work.head + products),
                       work.weight_bytes + work.head_bytes + bytes});
    }
    return out;
}

void measure(Rig& rig, const Work& work) {
    const Settings& s = rig.s;
    std::vector<Figure> all = figures(rig, work);
    std::vector<double> read, bf16, f32;
    for (int round = 0; round < s.rounds; ++round) {
        read.push_back(limits::peak_read(s.threads));
        bf16.push_back(limits::peak_bf16(s.threads));
        f32.push_back(limits::peak_f32(s.threads));
        std::size_t at = 0;
        for (std::int64_t n : s.prefill) all[at++].ours.push_back(rig.prefill(n));
        for (std::int64_t depth : s.depths) all[at++].ours.push_back(rig.decode(depth));
        if (!s.llama_bench.empty())
            for (Figure& figure : all) figure.theirs.push_back(llama(s, figure.llama));
    }
    const double reading = limits::median(read);
    double dots = limits::median(s.f32 ? f32 : bf16);
    if (dots == 0) dots = limits::median(f32);
    fmt::print("limits of {} threads: read {:.1f} GB/s, bf16 {:.0f} GFLOP/s, f32 {:.0f} GFLOP/s\n",
               s.threads, reading / 1e9, limits::median(bf16) / 1e9, limits::median(f32) / 1e9);
    for (const Figure& figure : all) {
        const double ours = limits::median(figure.ours);
        fmt::print("{:<16} {:>8.1f} tokens/s", figure.name, ours);
        if (figure.bytes > 0) fmt::print("  {:.2f} of reading", ours * figure.bytes / reading);
        if (figure.bytes == 0) fmt::print("  {:.2f} of the peak", ours * figure.flops / dots);
        if (!figure.theirs.empty()) {
            const double theirs = limits::median(figure.theirs);
            fmt::print("  llama.cpp {:.1f}, ours {:.2f} times that", theirs, ours / theirs);
        }
        fmt::print("  [{:.1f}]\n", fmt::join(figure.ours, " "));
    }
    fmt::print("512 rows at once: {:.1f} times as fast as one by one\n",
               rig.prefill(512) / rig.decode(0));
}

// A thread that computes all the time, as another process would: it is on no side's account.
void beside_a_busy_one(Rig& rig) {
    std::vector<double> quiet, busy;
    for (int round = 0; round < 3; ++round) {
        quiet.push_back(rig.decode(0, 64));
        std::jthread spinning([](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
            }
        });
        busy.push_back(rig.decode(0, 64));
    }
    fmt::print("decode at 0 beside a busy thread: {:.1f} tokens/s, {:.2f} of {:.1f} without\n",
               limits::median(busy), limits::median(busy) / limits::median(quiet),
               limits::median(quiet));
}

Settings settings_of(int count, char** words) {
    Settings s;
    s.checkpoint = words[1];
    for (int i = 2; i < count; ++i) {
        const std::string option = words[i];
        auto value = [&] { return std::string(i + 1 < count ? words[++i] : ""); };
        auto list = [&] {
            std::vector<std::int64_t> out;
            std::istringstream in(value());
            for (std::string one; std::getline(in, one, ',');) out.push_back(std::stoll(one));
            return out;
        };
        if (option == "--llama-bench")
            s.llama_bench = value();
        else if (option == "--gguf")
            s.gguf = value();
        else if (option == "--threads")
            s.threads = std::stoi(value());
        else if (option == "--rounds")
            s.rounds = std::stoi(value());
        else if (option == "--chunk")
            s.chunk = std::stoll(value());
        else if (option == "--prefill")
            s.prefill = list();
        else if (option == "--depths")
            s.depths = list();
        else if (option == "--f32")
            s.f32 = true;
        else if (option == "--quiet-only")
            s.busy = false;
        else
            throw Error(ErrorKind::Usage, "bench_engine: no option " + option);
    }
    return s;
}

} // namespace

int main(int count, char** words) {
    if (count < 2) {
        std::fprintf(stderr, "bench_engine CHECKPOINT [--threads N] [--rounds N] [--prefill N,N] "
                             "[--depths N,N] [--chunk N] [--f32] [--quiet-only] "
                             "[--llama-bench FILE --gguf FILE]\n");
        return 64;
    }
    try {
        const Settings settings = settings_of(count, words);
        auto checkpoint = Checkpoint::open(settings.checkpoint);
        Rig rig(settings, *checkpoint);
        measure(rig, work_of(*checkpoint));
        if (settings.busy) beside_a_busy_one(rig);
        const double budget = static_cast<double>(rig.cache.page_bytes()) *
                              static_cast<double>(rig.cache.pages()) / (1 << 20);
        fmt::print("memory beside the map: {:.0f} MiB, of which the cache may take {:.0f}\n",
                   status_mib("RssAnon:"), budget);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "bench_engine: %s\n", problem.what());
        return 1;
    }
}
