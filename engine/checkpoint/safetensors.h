// The safetensors format: eight bytes that say how long the header is, a JSON object of tensors by
// name with dtype, shape and offsets, then the data without gaps. The file is untrusted.
//
// Format: https://github.com/huggingface/safetensors, README "Format".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::engine {

enum class Dtype : std::uint8_t { F32, Bf16, F8E4m3, F8E8m0, U8, Other };

struct DtypeInfo {
    const char* name;
    Dtype dtype;
    int bits;
};

struct Tensor {
    std::string name;
    const DtypeInfo* type = nullptr;
    std::vector<std::int64_t> shape;
    std::uint64_t elements = 0, bytes = 0;
    const std::byte* data = nullptr; // null: known from a header alone
};

std::string describe(const Tensor& tensor); // "BF16 [3, 4]"

struct SafetensorsFile {
    std::string_view header; // the JSON
    std::vector<Tensor> tensors;
};

// Of a whole file; the data point into `bytes`. Throws Error(Input) that names `file`.
SafetensorsFile read_safetensors(std::string_view bytes, const std::string& file);

// A JSON object of name -> {"dtype", "shape"}, as collected from the headers of a release.
std::vector<Tensor> read_header_list(std::string_view json, const std::string& file);

} // namespace assay::engine
