// The parts of the judge that need no process: expressions, tokens, ELF, tensors, comparison,
// statistics.
#include "assay/base/error.h"
#include "assay/base/fs.h"
#include "assay/base/random.h"
#include "catch.h"
#include "expression.h"
#include "samples.h"
#include "shared_object.h"
#include "skip.h"
#include "tensors.h"
#include "tokens.h"

#include <cmath>
#include <cstring>

using namespace assay;
using namespace assay::kernel_bench;

TEST_CASE("cost expressions") {
    Axes axes = {{"m", 3}, {"n", 5}, {"k_2", 7}};
    CHECK(evaluate("2*m*n*k_2", axes) == 210);
    CHECK(evaluate("4*(m*k_2 + k_2*n + m*n)", axes) == 4 * (21 + 35 + 15));
    CHECK(evaluate("7//2 + 7/2", axes) == 6.5);
    CHECK(evaluate("-7//2", axes) == -4);
    CHECK(evaluate("2 - 3 - 4", axes) == -5);
    CHECK(evaluate("--3", axes) == 3);
    CHECK(evaluate("1.5e3", axes) == 1500);
    for (const char* bad : {"", "2*", "(1", "1)", "x", "m n", "1/0", "1//(m-3)", "2**3", "m[0]",
                            "1e308*1e308", "()", "$"}) {
        INFO(bad);
        CHECK_THROWS_AS(evaluate(bad, axes), Error);
    }
    CHECK_THROWS_AS(evaluate(std::string(2000, '('), axes), Error);
    CHECK_THROWS_AS(evaluate(std::string(900, '-') + "1", axes), Error);
    try {
        evaluate("m + oops", axes);
        FAIL();
    } catch (const Error& e) {
        CHECK(e.message().find("'oops'") != std::string::npos);
        CHECK(e.message().find("column 5") != std::string::npos);
    }
}

TEST_CASE("tokens: comments and strings hide nothing and show nothing") {
    auto words = [](std::string_view source) {
        std::vector<std::string> out;
        for (const Token& token : tokenize(source))
            if (token.kind == Token::Kind::Word) out.emplace_back(token.text);
        return out;
    };
    using List = std::vector<std::string>;
    CHECK(words("a // b\nc") == List{"a", "c"});
    CHECK(words("a // b \\\n still\nc") == List{"a", "c"});
    CHECK(words("a /* b \n // */ c") == List{"a", "c"});
    CHECK(words("a \"// b\" c") == List{"a", "c"});
    CHECK(words("a \"\\\"b\" c") == List{"a", "c"});
    CHECK(words("R\"x(a )\" b)x\" c") == List{"c"});
    CHECK(words("u8R\"(a)\" c '\"' d") == List{"c", "d"});
    CHECK(words("1'000'000u x") == List{"x"});
    CHECK(words("/* open") == List{});
    auto found = find_patterns("#include <cblas.h>\n// cblas_sgemm\nint f() {\n"
                               "  return cblas_sgemm(\"lib.so\"); }",
                               {"include:cblas.h", "cblas_sgemm", "text:lib.so", "include:lib.so"});
    REQUIRE(found.size() == 3);
    CHECK(found[0].line == 1);
    CHECK(found[1].line == 4);
    CHECK(found[2].line == 4);
}

TEST_CASE("ELF: reads a real library, refuses what is broken") {
    CHECK_THROWS_AS(read_elf(""), Error);
    CHECK_THROWS_AS(read_elf("\177ELF"), Error);
    RealFileSystem files;
    std::string libm;
    for (const char* path : {"/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6"})
        if (files.exists(path)) libm = files.read(std::filesystem::canonical(path));
    if (libm.empty()) {
        assay::test::skip("no libm here to read");
        return;
    }
    ElfSummary summary = read_elf(libm);
    CHECK(std::find(summary.needed.begin(), summary.needed.end(), "libc.so.6") !=
          summary.needed.end());
    CHECK(std::find(summary.defined.begin(), summary.defined.end(), "cos") !=
          summary.defined.end());
    // Cut anywhere, or with any header byte changed: an answer or an Error, never a crash.
    for (std::size_t cut : {10u, 63u, 64u, 100u, 1000u, 50000u})
        CHECK_THROWS_AS(read_elf(std::string_view(libm).substr(0, cut)), Error);
    for (std::size_t at = 0; at < 600; ++at) {
        std::string damaged = libm;
        damaged[at] = static_cast<char>(damaged[at] ^ 0xff);
        try {
            read_elf(damaged);
        } catch (const Error&) {
        }
    }
}

namespace {

KernelTask small_task() {
    KernelTask task;
    TensorSpec x;
    x.name = "x";
    x.shape = {"n", "3"};
    TensorSpec p = x;
    p.name = "p";
    p.dtype = DType::I32;
    p.generator = {Generator::Kind::Permutation, 0, 0};
    TensorSpec y;
    y.name = "y";
    y.shape = {"n"};
    y.dtype = DType::BF16;
    task.inputs = {x, p};
    task.outputs = {y, x};
    return task;
}

} // namespace

TEST_CASE("tensors: layout, alignment, data from a seed") {
    KernelTask task = small_task();
    KernelCase c;
    c.axes = {{"n", 700}};
    kt_wire::CaseBody body = layout(task, c, false);
    CHECK(body.n_in == 2);
    CHECK(body.in[0].bytes == 700 * 3 * 4);
    CHECK(body.in[1].offset % 64 == 0);
    CHECK(body.in[1].offset >= body.in[0].bytes);
    CHECK(body.in[0].strides[0] == 3);
    CHECK(body.out[0].bytes == 1400);
    CHECK(body.out[1].offset >= body.out[0].offset + 1400 + 4096);
    CHECK(body.out_bytes >= body.out[1].offset + body.out[1].bytes + 4096);
    CHECK(layout(task, c, true).out[0].bytes == 5600);
    std::string a = make_inputs(task, c, body, sha256("1"));
    CHECK(a == make_inputs(task, c, body, sha256("1")));
    CHECK(a != make_inputs(task, c, body, sha256("2")));
    std::vector<double> x = read_output(body.in[0], a), p = read_output(body.in[1], a);
    double sum = 0, squares = 0;
    for (double v : x) {
        sum += v;
        squares += v * v;
    }
    CHECK(std::abs(sum / 2100) < 0.1);
    CHECK(std::abs(squares / 2100 - 1) < 0.15);
    std::sort(p.begin(), p.end());
    for (std::size_t i = 0; i < p.size(); ++i) REQUIRE(p[i] == static_cast<double>(i));
    CHECK_THROWS_AS(read_output(body.in[1], a.substr(0, 100)), Error);
}

TEST_CASE("comparison: tolerance, NaN, infinity, lengths") {
    Tolerance near;
    near.atol = 0.5;
    double nan = std::nan(""), inf = HUGE_VAL;
    CHECK(compare({1, 2.4}, {1, 2}, near).ok);
    Comparison off = compare({1, 2.6, 9}, {1, 2, 9}, near);
    CHECK_FALSE(off.ok);
    CHECK(off.bad == 1);
    CHECK(off.first_bad == 1);
    CHECK(off.max_abs == Approx(0.6));
    CHECK_FALSE(compare({nan}, {1}, near).ok);
    CHECK_FALSE(compare({inf}, {1e300}, near).ok);
    CHECK_FALSE(compare({1}, {inf}, near).ok);
    CHECK(compare({inf, nan}, {inf, nan}, near).ok);
    CHECK_FALSE(compare({inf}, {-inf}, near).ok);
    CHECK_FALSE(compare({1}, {1, 1}, near).ok);
    Tolerance exact;
    exact.exact = true;
    CHECK(compare({0.0, 3}, {-0.0, 3}, exact).ok);
    CHECK_FALSE(compare({3}, {3.0000001}, exact).ok);
    Tolerance some = near;
    some.max_bad_fraction = 0.5;
    CHECK(compare({5, 2}, {1, 2}, some).ok);
    CHECK_FALSE(compare({5, 5}, {1, 2}, some).ok);
}

TEST_CASE("the task's self-test finds trivial answers") {
    TensorSpec y;
    std::vector<double> tiny = {1e-6, 2e-6, 3e-6}, other = {3e-6, 1e-6, 2e-6};
    Tolerance wide;
    wide.atol = 1e-4;
    auto names = degenerate(tiny, other, {5, 6, 7}, y, wide);
    CHECK(names ==
          std::vector<std::string>{"zeros", "mean", "other_seed", "bf16", "tolerance_too_wide"});
    Tolerance tight;
    tight.rtol = 1e-5;
    std::vector<double> good = {1.2345, -2.7182, 3.1415};
    CHECK(degenerate(good, {0.1, 0.2, 0.3}, {7, 8, 9}, y, tight).empty());
    CHECK(degenerate(good, {0.1, 0.2, 0.3}, good, y, tight) ==
          std::vector<std::string>{"copy_of_input"});
}

TEST_CASE("statistics of samples") {
    CHECK_FALSE(settled({1, 1}, 0.05));
    CHECK(settled({9, 1, 1.04, 1.02}, 0.05));
    CHECK_FALSE(settled({1, 1.06, 1}, 0.05));
    CHECK(relative_standard_error({2, 2, 2}) == 0);
    CHECK(relative_standard_error({2}) == 1);
    CHECK(relative_standard_error({1, 3}) == Approx(0.5));
    std::vector<double> slow, fast;
    CounterRandom random("test");
    for (int i = 0; i < 40; ++i) {
        slow.push_back(2 + 0.2 * random.uniform());
        fast.push_back(1 + 0.1 * random.uniform());
    }
    Interval two = speedup({{slow, fast}, {slow, fast}});
    CHECK(two.middle == Approx(2).epsilon(0.02));
    CHECK(two.low < two.middle);
    CHECK(two.high > two.middle);
    CHECK(two.low > 1.9);
    Interval same = speedup({{fast, fast}});
    CHECK(same.low < 1);
    CHECK(same.high > 1);
    CHECK(speedup({}).low == 0);
    Interval time = median_interval(slow);
    CHECK(time.low < time.middle);
    CHECK(time.middle < time.high);
    CHECK(time.high - time.low < 0.1);
    CHECK(median_interval({2, 2}).high == 2);
    CHECK(median_interval({}).middle == 0);
}
