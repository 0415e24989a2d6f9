// Collects tensors and writes them as one safetensors file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay::engine {

class SafetensorsWriter {
  public:
    template<class Value>
    void add(std::string_view name, std::string_view dtype, std::vector<std::int64_t> shape,
             std::span<const Value> values) {
        tensors_.push_back(
            {std::string(name), std::string(dtype), std::move(shape), sizeof(Value),
             std::string(reinterpret_cast<const char*>(values.data()), values.size_bytes())});
    }
    std::string finish(); // at least one tensor

  private:
    struct Tensor {
        std::string name, dtype;
        std::vector<std::int64_t> shape;
        std::size_t element;
        std::string bytes;
    };
    std::vector<Tensor> tensors_;
};

} // namespace assay::engine
