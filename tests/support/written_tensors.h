// Writes safetensors files for tests: right ones, and ones whose header says what a test wants.
#pragma once

#include "assay/base/fs.h"
#include "assay/base/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace assay::test {

struct WrittenTensor {
    std::string name, dtype;
    std::vector<std::int64_t> shape;
    std::string data;
};

// Eight bytes of length, the header, the data.
inline std::string safetensors_bytes(std::string header, std::string_view data) {
    while (header.size() % 8 != 0) header += ' ';
    std::uint64_t length = header.size();
    std::string out(sizeof length, '\0');
    std::memcpy(out.data(), &length, sizeof length);
    return out.append(header).append(data);
}

inline std::string safetensors_bytes(const std::vector<WrittenTensor>& tensors) {
    std::string header = "{\"__metadata__\":{\"format\":\"pt\"}", data;
    for (const WrittenTensor& tensor : tensors) {
        header += fmt::format(",{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                              json_quote(tensor.name), tensor.dtype, fmt::join(tensor.shape, ","),
                              data.size(), data.size() + tensor.data.size());
        data += tensor.data;
    }
    return safetensors_bytes(header + "}", data);
}

template<class Value>
std::string bytes_of(const std::vector<Value>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Value)};
}

} // namespace assay::test
