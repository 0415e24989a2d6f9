// How many events a second the store takes: each 1 KiB of JSON and a distinct blob of 5 KiB, from
// one thread, to the disk. Beside it the same bytes written to a plain file with one fsync.
#include "assay/base/error.h"
#include "assay/base/fd.h"
#include "assay/base/text.h"
#include "bench.h"
#include "bench_parts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace assay {

namespace {

constexpr int kRepeats = 3;
constexpr std::size_t kEventBytes = 1024, kBlobBytes = 5 * 1024;

// Text as tools print it: words and numbers, compressible to about a third.
std::string sample_text(std::size_t bytes, int number) {
    CounterRandom random("bench/" + std::to_string(number));
    static const char* const words[] = {"error",        "warning",  "building", "test",
                                        "passed",       "/usr/lib", "object",   "linking",
                                        "src/main.cpp", "ok",       "seconds",  "in"};
    std::string out;
    while (out.size() < bytes) {
        std::uint64_t draw = random.next();
        out += words[draw % std::size(words)];
        out += ' ';
        if (draw % 5 == 0) out += std::to_string(draw >> 40) + (draw % 3 == 0 ? "\n" : " ");
    }
    out.resize(bytes);
    return out;
}

struct Samples {
    std::vector<std::string> events, blobs;
};

Samples make_samples(int count) {
    Samples samples;
    for (int i = 0; i < count; ++i) {
        samples.events.push_back("{\"text\":" + json_quote(sample_text(kEventBytes - 40, -1 - i)) +
                                 "}");
        samples.blobs.push_back(sample_text(kBlobBytes, i));
    }
    return samples;
}

double events_per_second(const Path& file, const Samples& samples) {
    PlanRecord plan = null_plan(1);
    auto store = RunStore::create(file, plan, {});
    auto began = std::chrono::steady_clock::now();
    auto attempt = store->begin_try(plan.slots.at(0).id);
    for (std::size_t i = 0; i < samples.events.size(); ++i) {
        BlobRef blob = store->blobs().put(samples.blobs[i], "text/plain");
        attempt->emit(EventKind::Note, samples.events[i], {{"text", blob}});
    }
    TryEnd end;
    end.attempt_class = AttemptClass::Scored;
    end.accepted = true;
    attempt->finish(end); // returns when it is on the disk
    double took = seconds(std::chrono::steady_clock::now() - began);
    return static_cast<double>(samples.events.size()) / took;
}

double plain_writes_per_second(const Path& file, const Samples& samples) {
    UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd) throw io_error("create " + file.string(), errno);
    auto began = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < samples.events.size(); ++i) {
        std::string both = samples.events[i] + samples.blobs[i];
        if (::write(fd.get(), both.data(), both.size()) != static_cast<ssize_t>(both.size()))
            throw io_error("write " + file.string(), errno);
    }
    if (::fsync(fd.get()) != 0) throw io_error("fsync " + file.string(), errno);
    double took = seconds(std::chrono::steady_clock::now() - began);
    return static_cast<double>(samples.events.size()) / took;
}

} // namespace

std::vector<BenchNumber> bench_store(const BenchSettings& settings) {
    TempFolder folder("assay-bench");
    int count = std::clamp(static_cast<int>(settings.seconds * 10'000), 1000, 200'000);
    Samples samples = make_samples(count);
    BenchNumber events{"events, 1 KiB and a distinct blob of 5 KiB", "events/s"};
    BenchNumber plain{"the same bytes to a plain file, one fsync", "events/s"};
    for (int i = 0; i < kRepeats; ++i) {
        std::string name = std::to_string(i);
        events.samples.push_back(events_per_second(folder.path() / (name + ".db"), samples));
        plain.samples.push_back(plain_writes_per_second(folder.path() / (name + ".raw"), samples));
    }
    events.value = median(events.samples);
    events.goal = 20'000;
    plain.value = median(plain.samples);
    return {events, plain};
}

} // namespace assay
