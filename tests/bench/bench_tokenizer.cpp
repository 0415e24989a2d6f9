// bench_tokenizer TOKENIZER.json TEXT: MB/s of encoding and decoding on one thread, in documents of
// 8 KiB and more, cut at line ends. Best of three passes. tools/bench-tokenizer runs it beside
// another.
#include "assay/base/error.h"
#include "assay/engine/tokenizer.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>

using namespace assay;
using namespace assay::engine;

namespace {

constexpr std::size_t kDocument = 8192;

std::vector<std::string_view> documents(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        std::size_t end = text.size() <= kDocument ? text.npos : text.find('\n', kDocument - 1);
        out.push_back(text.substr(0, end == text.npos ? text.npos : end + 1));
        text.remove_prefix(out.back().size());
    }
    return out;
}

double best_seconds(const std::function<void()>& call) {
    double best = 1e9;
    for (int i = 0; i < 3; ++i) {
        auto began = std::chrono::steady_clock::now();
        call();
        std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        best = std::min(best, took.count());
    }
    return best;
}

void measure(const std::string& file, const std::string& text_file) {
    std::string text = RealFileSystem().read(text_file);
    auto began = std::chrono::steady_clock::now();
    auto tokenizer = Tokenizer::open(file);
    std::chrono::duration<double> open = std::chrono::steady_clock::now() - began;
    std::vector<std::vector<TokenId>> ids;
    double encode = best_seconds([&] {
        ids.clear();
        for (std::string_view document : documents(text))
            ids.push_back(tokenizer->encode(document));
    });
    std::size_t decoded = 0;
    double decode = best_seconds([&] {
        for (const auto& document : ids) decoded += tokenizer->decode(document).size();
    });
    std::size_t tokens = 0;
    for (const auto& document : ids) tokens += document.size();
    double megabytes = static_cast<double>(text.size()) / 1e6;
    std::printf("encode %.2f MB/s, decode %.2f MB/s, %zu tokens, opened in %.0f ms, decoded %zu\n",
                megabytes / encode, megabytes / decode, tokens, open.count() * 1e3, decoded / 3);
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: bench_tokenizer TOKENIZER.json TEXT\n", stderr);
        return 64;
    }
    try {
        measure(argv[1], argv[2]);
    } catch (const Error& e) {
        std::fputs(e.render().c_str(), stderr);
        return 1;
    }
}
