#include "binder.h"

#include "assay/base/error.h"
#include "assay/base/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

namespace assay::engine {

namespace {

constexpr std::size_t kShown = 20; // faults of each kind that an error lists
constexpr std::int64_t kMxfp8Block = 32, kNvfp4Block = 16;

const char* to_string(Dtype dtype) {
    switch (dtype) {
    case Dtype::F32:
        return "F32";
    case Dtype::Bf16:
        return "BF16";
    case Dtype::F8E4m3:
        return "F8_E4M3";
    case Dtype::F8E8m0:
        return "F8_E8M0";
    case Dtype::U8:
        return "U8";
    case Dtype::Other:
        break;
    }
    return "?";
}

std::uint64_t product(const Shape& shape) {
    return std::accumulate(
        shape.begin(), shape.end(), std::uint64_t{1},
        [](std::uint64_t all, std::int64_t dim) { return all * static_cast<std::uint64_t>(dim); });
}

Shape with_columns(Shape shape, std::int64_t columns) {
    shape.back() = columns;
    return shape;
}

Matrix sized(Format format, const Shape& shape) {
    Matrix out;
    out.format = format;
    out.columns = shape.back();
    out.rows = static_cast<std::int64_t>(product(shape)) / out.columns;
    return out;
}

} // namespace

std::uint64_t Inventory::sum(std::uint64_t TensorUse::* part) const {
    std::uint64_t all = 0;
    for (const TensorUse& use : uses) all += use.*part;
    return all;
}

void Binder::Faults::add(std::string fault) {
    if (++count <= kShown) shown.push_back(std::move(fault));
}

std::string Binder::Faults::text(const char* what) const {
    if (count == 0) return "";
    std::string out = fmt::format("\n  {} {}:", count, what);
    for (const std::string& fault : shown) out += "\n    " + fault;
    if (count > shown.size()) out += fmt::format("\n    … and {} more", count - shown.size());
    return out;
}

Binder::Binder(const std::vector<Tensor>& tensors) {
    for (const Tensor& tensor : tensors) entries_[tensor.name].tensor = &tensor;
}

const Tensor* Binder::find(const std::string& name) const {
    auto at = entries_.find(name);
    return at == entries_.end() ? nullptr : at->second.tensor;
}

TensorUse& Binder::use_of(std::string_view kind, Format format) {
    for (TensorUse& use : inventory_.uses)
        if (use.kind == kind && use.format == format) return use;
    return inventory_.uses.emplace_back(TensorUse{std::string(kind), format});
}

const Tensor* Binder::take(TensorUse& use, const std::string& name, const Shape& shape,
                           std::initializer_list<Dtype> dtypes) {
    auto at = entries_.find(name);
    if (at == entries_.end()) {
        missing_.add(name);
        return nullptr;
    }
    at->second.used = true;
    const Tensor& tensor = *at->second.tensor;
    if (tensor.shape != shape ||
        std::find(dtypes.begin(), dtypes.end(), tensor.type->dtype) == dtypes.end()) {
        std::vector<const char*> wanted;
        for (Dtype dtype : dtypes) wanted.push_back(to_string(dtype));
        misshapen_.add(fmt::format("{}: {}, expected {} [{}]", name, describe(tensor),
                                   fmt::join(wanted, " or "), fmt::join(shape, ", ")));
        return nullptr;
    }
    ++use.tensors;
    use.bytes += tensor.bytes;
    return &tensor;
}

float Binder::take_factor(TensorUse& use, const std::string& name) {
    const Tensor* found = find(name);
    bool one = found != nullptr && found->shape == Shape{1}; // else a scalar
    const Tensor* tensor = take(use, name, one ? Shape{1} : Shape{}, {Dtype::F32});
    float value = 1;
    if (tensor == nullptr || tensor->data == nullptr) return value;
    std::memcpy(&value, tensor->data, sizeof value);
    if (!(std::isfinite(value) && std::isfinite(1 / value))) not_finite_.add(name);
    return value;
}

Matrix Binder::linear(std::string_view kind, const std::string& name, const Shape& shape) {
    if (find(name + "_packed") != nullptr) return nvfp4(kind, name, shape);
    const Tensor* tensor = find(name);
    if (tensor != nullptr && tensor->type->dtype == Dtype::U8) return nvfp4(kind, name, shape);
    if (tensor != nullptr && tensor->type->dtype == Dtype::F8E4m3) return mxfp8(kind, name, shape);
    Matrix out = plain(kind, name, shape);
    Matrix size = sized(out.format, shape);
    out.rows = size.rows;
    out.columns = size.columns;
    return out;
}

Matrix Binder::plain(std::string_view kind, const std::string& name, const Shape& shape) {
    const Tensor* found = find(name);
    bool wide = found != nullptr && found->type->dtype == Dtype::F32;
    Matrix out;
    out.format = wide ? Format::F32 : Format::Bf16;
    out.rows = shape[0];
    out.columns = static_cast<std::int64_t>(product(shape)) / shape[0];
    TensorUse& use = use_of(kind, out.format);
    if (const Tensor* tensor = take(use, name, shape, {Dtype::Bf16, Dtype::F32})) {
        use.parameters += tensor->elements;
        out.data = tensor->data;
    }
    return out;
}

bool Binder::divisible(const std::string& name, const Shape& shape, std::int64_t by) {
    if (shape.back() % by == 0) return true;
    misshapen_.add(
        fmt::format("{}: rows of {} values are no whole blocks of {}", name, shape.back(), by));
    entries_.at(name).used = true;
    return false;
}

void Binder::check_scales(const Tensor* scales, std::initializer_list<int> codes) {
    if (scales == nullptr || scales->data == nullptr) return;
    for (int code : codes)
        if (std::memchr(scales->data, code, scales->bytes) != nullptr)
            return not_finite_.add(scales->name);
}

Matrix Binder::mxfp8(std::string_view kind, const std::string& name, const Shape& shape) {
    Matrix out = sized(Format::Mxfp8, shape);
    if (!divisible(name, shape, kMxfp8Block)) return out;
    TensorUse& use = use_of(kind, out.format);
    const Tensor* codes = take(use, name, shape, {Dtype::F8E4m3});
    // The release says _scale_inv, though it multiplies; ModelOpt leaves that out.
    std::string scale = name + "_scale";
    if (find(scale) == nullptr) scale += "_inv";
    const Tensor* scales = take(use, scale, with_columns(shape, shape.back() / kMxfp8Block),
                                {Dtype::U8, Dtype::F8E8m0});
    check_scales(scales, {0xff});
    if (codes == nullptr || scales == nullptr) return out;
    use.parameters += product(shape);
    out.data = codes->data;
    out.scales = scales->data;
    return out;
}

Matrix Binder::nvfp4(std::string_view kind, const std::string& name, const Shape& shape) {
    // compressed-tensors: weight_packed and a global scale that divides; ModelOpt: one that
    // multiplies.
    bool divides = find(name + "_packed") != nullptr;
    std::string packed = divides ? name + "_packed" : name;
    Matrix out = sized(Format::Nvfp4, shape);
    if (!divisible(packed, shape, kNvfp4Block)) return out;
    TensorUse& use = use_of(kind, out.format);
    const Tensor* codes = take(use, packed, with_columns(shape, shape.back() / 2), {Dtype::U8});
    const Tensor* scales = take(use, name + "_scale",
                                with_columns(shape, shape.back() / kNvfp4Block), {Dtype::F8E4m3});
    check_scales(scales, {0x7f, 0xff});
    float factor = take_factor(use, name + (divides ? "_global_scale" : "_scale_2"));
    if (codes == nullptr || scales == nullptr) return out;
    use.parameters += product(shape);
    out.data = codes->data;
    out.scales = scales->data;
    out.scale = divides ? 1 / factor : factor;
    return out;
}

Vector Binder::vector(std::string_view kind, const std::string& name, std::int64_t size,
                      float add) {
    Matrix values = plain(kind, name, {size});
    if (values.empty()) return {};
    Vector out(static_cast<std::size_t>(size));
    dequantise(values, 0, size, out.data());
    for (float& value : out) value += add;
    if (!std::all_of(out.begin(), out.end(), [](float value) { return std::isfinite(value); }))
        not_finite_.add(name);
    return out;
}

void Binder::ignore(const std::string& name) {
    if (auto at = entries_.find(name); at != entries_.end()) at->second.ignored = true;
}

std::vector<const Tensor*> Binder::used() const {
    std::vector<const Tensor*> out;
    for (const auto& [name, entry] : entries_)
        if (entry.used) out.push_back(entry.tensor);
    std::sort(out.begin(), out.end(),
              [](const Tensor* a, const Tensor* b) { return std::less<>()(a->data, b->data); });
    return out;
}

Inventory Binder::finish(const Names& names, const std::string& where) {
    std::vector<std::string> left;
    for (const auto& [name, entry] : entries_) {
        if (entry.used) continue;
        bool ignored = entry.ignored || names.ignorable(name);
        (ignored ? inventory_.ignored : left).emplace_back(name);
    }
    std::sort(inventory_.ignored.begin(), inventory_.ignored.end());
    std::sort(left.begin(), left.end());
    for (std::string& name : left) surplus_.add(json_quote(name));
    std::string faults = missing_.text("missing") + surplus_.text("surplus") +
                         misshapen_.text("misshapen") + not_finite_.text("not finite");
    if (!faults.empty())
        throw Error(ErrorKind::Input, where + ": the tensors do not fit config.json" + faults)
            .hint("config.json and the weights must be of one model, and complete");
    return std::move(inventory_);
}

} // namespace assay::engine
