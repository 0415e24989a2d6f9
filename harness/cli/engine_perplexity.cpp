// assay engine perplexity: how well the model foretells a text.
#include "assay/base/error.h"
#include "assay/base/text.h"
#include "assay/io/reactor.h"
#include "commands.h"
#include "engine_input.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>

namespace assay {

namespace {

struct Measured {
    std::uint64_t tokens = 0; // judged: the first of each window has nothing before it
    double sum = 0, squares = 0;
    std::uint64_t windows = 0;
    double seconds = 0;

    void add(double loss) {
        ++tokens;
        sum += loss;
        squares += loss * loss;
    }
    double mean() const { return sum / static_cast<double>(tokens); }
    // Of the mean, as if tokens were independent: neighbours are not, so it is somewhat larger.
    double standard_error() const {
        const auto n = static_cast<double>(tokens);
        return std::sqrt(std::max(0.0, squares / n - mean() * mean()) / n);
    }
};

void print(const Measured& measured, bool json) {
    const double mean = measured.mean(), error = measured.standard_error();
    if (json) {
        nlohmann::ordered_json out = {
            {"tokens", measured.tokens},    {"windows", measured.windows},
            {"nats_per_token", mean},       {"standard_error", error},
            {"perplexity", std::exp(mean)}, {"seconds", measured.seconds}};
        std::puts(out.dump().c_str());
        return;
    }
    fmt::print(
        "perplexity {:.4f} ± {:.4f}: {:.6f} nats a token over {} tokens in {} windows, {:.0f} "
        "tokens a second\n",
        std::exp(mean), std::exp(mean) * error, mean, measured.tokens, measured.windows,
        static_cast<double>(measured.tokens) / measured.seconds);
}

} // namespace

int engine_perplexity(const Arguments& arguments) {
    const EngineArguments& wanted = arguments.engine;
    const std::string text = RealFileSystem().read(wanted.text);
    if (!utf8_valid(text)) throw Error(ErrorKind::Input, wanted.text.string() + ": is not UTF-8");
    auto engine = engine::Engine::open(wanted.checkpoint, engine_options(wanted));
    const std::vector<std::int32_t> ids = engine->tokenizer().encode(text);
    if (ids.size() < 2)
        throw Error(ErrorKind::Input, fmt::format("{}: has {} tokens, two are needed",
                                                  wanted.text.string(), ids.size()));
    const auto window = static_cast<std::size_t>(
        std::min<std::int64_t>(wanted.window, engine->batcher().context()));

    Cancel cancel;
    Reactor reactor;
    auto watch =
        reactor.on_signals({SIGINT, SIGTERM}, [&](int) { cancel.cancel(Cause::User, "Ctrl-C"); });
    Measured measured;
    const bool terminal = ::isatty(STDERR_FILENO) != 0;
    const auto began = std::chrono::steady_clock::now();
    int code = 0;
    try {
        for (std::size_t at = 0; at + 1 < ids.size(); at += window) {
            const std::size_t size = std::min(window, ids.size() - at);
            const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(at);
            for (const auto& token : engine->batcher().score(
                     {begin, begin + static_cast<std::ptrdiff_t>(size)}, 0, cancel))
                measured.add(-static_cast<double>(token.logprob));
            ++measured.windows;
            measured.seconds =
                std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
            if (terminal)
                fmt::print(stderr, "\r{} of {} tokens, {:.4f}", at + size, ids.size(),
                           std::exp(measured.mean()));
        }
    } catch (const Interrupted&) {
        code = 130;
    }
    if (terminal) fmt::print(stderr, "\n");
    if (measured.tokens == 0) return code;
    if (code != 0) fmt::print(stderr, "stopped: only the windows so far\n");
    print(measured, arguments.json);
    return code;
}

} // namespace assay
