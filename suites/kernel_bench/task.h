// A task of the format kernel-task/1 as data, and its loader. docs/suites/kernel-bench.md describes
// every field of task.json.
#pragma once

#include "assay/api/task.h"
#include "expression.h"

#include <optional>
#include <string>
#include <vector>

namespace assay::kernel_bench {

enum class DType {
    F64 = 1,
    F32 = 2,
    BF16 = 4,
    I64 = 7,
    I32 = 8,
    I8 = 9,
    U8 = 10
}; // as kernel_task.h
std::size_t size_of(DType dtype);
bool is_float(DType dtype);
std::string_view to_string(DType dtype);

struct Generator {
    enum class Kind { Normal, Uniform, Integers, Permutation } kind = Kind::Normal;
    double a = 0, b = 1; // mean and deviation; [a, b); integers in [a, b]
};

struct TensorSpec {
    std::string name;
    DType dtype = DType::F32;
    std::vector<std::string> shape; // expressions over the axes
    Generator generator;            // inputs
};

struct Tolerance { // |got - want| <= atol + rtol |want| + rel_to_std std(want)
    double atol = 0, rtol = 0, rel_to_std = 0;
    double max_bad_fraction = 0;
    bool exact = false;
};

struct Stress { // what is done to the drawn inputs
    enum class Kind { None, Scale, Zeros, LargeOffset, Denormals } kind = Kind::None;
    double value = 1;
};

struct KernelCase {
    std::string name;
    Axes axes;
    bool bench = true; // timed; every case is checked
    Stress stress;
};

struct KernelTask : Task {
    std::string title;
    std::string entry = "solve";
    int threads = 1;
    std::string arch; // "x86-64-v3", passed as -march
    std::vector<TensorSpec> inputs, outputs;
    std::vector<Tolerance> tolerances; // one an output
    std::vector<KernelCase> cases;
    std::string flops, bytes;   // expressions
    bool compute_bound = false; // regime: which roof the peak fraction is held against
    std::vector<std::string> flags;
    std::vector<std::string> forbidden_symbols, forbidden_patterns;
    double build_seconds = 60, call_seconds = 10;
    std::string reference, baseline, starter, oracle; // sources

    std::vector<std::int64_t> shape(const TensorSpec& tensor, const KernelCase& c) const;
};

// Reads folder/task.json and the files it names. Throws Error(Input) with file and place (line and
// column for syntax, JSON path for types and values), Error(Unsupported) for what the format allows
// and this suite does not run.
std::shared_ptr<const KernelTask> load_kernel_task(const Path& folder);

} // namespace assay::kernel_bench
