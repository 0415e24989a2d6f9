// Takes tensors by name, checks dtype and shape, and keeps account: of what is used, and of every
// fault, so that all of them are told at once.
#pragma once

#include "assay/engine/checkpoint.h"
#include "names.h"
#include "safetensors.h"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace assay::engine {

using Shape = std::vector<std::int64_t>;

class Binder {
  public:
    explicit Binder(const std::vector<Tensor>& tensors); // which outlive it

    // Plain or quantised, whatever the tensors beside it say. All dims but the last are rows.
    Matrix linear(std::string_view kind, const std::string& name, const Shape& shape);
    // F32 or BF16; the first dim alone is rows.
    Matrix plain(std::string_view kind, const std::string& name, const Shape& shape);
    Vector vector(std::string_view kind, const std::string& name, std::int64_t size, float add = 0);
    void ignore(const std::string& name); // if it is there

    // Throws Error(Input) if anything is missing, left over, misshapen or not finite. `where` is
    // the folder or file.
    Inventory finish(const Names& names, const std::string& where);
    std::vector<const Tensor*> used() const;

  private:
    struct Entry {
        const Tensor* tensor = nullptr;
        bool used = false, ignored = false;
    };
    struct Faults { // the first of them, and how many there are
        std::uint64_t count = 0;
        std::vector<std::string> shown;
        void add(std::string fault);
        std::string text(const char* what) const;
    };

    const Tensor* find(const std::string& name) const;
    const Tensor* take(TensorUse& use, const std::string& name, const Shape& shape,
                       std::initializer_list<Dtype> dtypes);
    float take_factor(TensorUse& use, const std::string& name);
    TensorUse& use_of(std::string_view kind, Format format);
    Matrix mxfp8(std::string_view kind, const std::string& name, const Shape& shape);
    Matrix nvfp4(std::string_view kind, const std::string& name, const Shape& shape);
    bool divisible(const std::string& name, const Shape& shape, std::int64_t by);
    void check_scales(const Tensor* scales, std::initializer_list<int> codes);

    std::unordered_map<std::string_view, Entry> entries_;
    Inventory inventory_;
    Faults missing_, surplus_, misshapen_, not_finite_;
};

} // namespace assay::engine
