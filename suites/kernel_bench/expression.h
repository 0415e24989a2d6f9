// Arithmetic over the axes of a case: "2*m*n*k", "4*(m*k + k*n) // 2".
// Grammar: sum := product (('+'|'-') product)*; product := factor (('*'|'/'|'//') factor)*;
// factor := number | name | '(' sum ')' | '-' factor. No calls, no side effects; bounded in length
// and depth. Values are doubles; '//' is the floor of the quotient.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace assay::kernel_bench {

using Axes = std::map<std::string, std::int64_t>;

// Throws Error(Input) with the column: unknown name, syntax, division by zero, not finite.
double evaluate(std::string_view expression, const Axes& axes);

} // namespace assay::kernel_bench
