#include "safetensors.h"

#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <tuple>
#include <unordered_set>

namespace assay::engine {

using Json = nlohmann::json;

namespace {

constexpr std::uint64_t kLongestHeader = 32u << 20; // a release's 23,416 tensors take 4 MB
constexpr std::size_t kMostDims = 8;
constexpr std::uint64_t kMostElements = std::uint64_t{1} << 56; // so that bits fit 64

constexpr DtypeInfo kDtypes[] = {
    {"F32", Dtype::F32, 32},       {"BF16", Dtype::Bf16, 16},    {"F8_E4M3", Dtype::F8E4m3, 8},
    {"F8_E8M0", Dtype::F8E8m0, 8}, {"U8", Dtype::U8, 8},         {"F64", Dtype::Other, 64},
    {"F16", Dtype::Other, 16},     {"F8_E5M2", Dtype::Other, 8}, {"I64", Dtype::Other, 64},
    {"I32", Dtype::Other, 32},     {"I16", Dtype::Other, 16},    {"I8", Dtype::Other, 8},
    {"U64", Dtype::Other, 64},     {"U32", Dtype::Other, 32},    {"U16", Dtype::Other, 16},
    {"BOOL", Dtype::Other, 8},     {"F4", Dtype::Other, 4},
};

constexpr const char* kDownload = "the file is damaged: download it again";

[[noreturn]] void fail(const std::string& file, const std::string& what,
                       const std::string& hint = kDownload) {
    throw Error(ErrorKind::Input, file + ": " + what).hint(hint);
}

[[noreturn]] void fail_at(const std::string& file, const std::string& tensor, const char* what) {
    fail(file, fmt::format("tensor {} {}", json_quote(tensor), what));
}

// The first key that the outermost object has twice. Json itself keeps the last: two tensors of one
// name would become one. (Its parser with a callback looks at all siblings after each object.)
class TwiceFinder final : public nlohmann::json_sax<Json> {
  public:
    std::optional<std::string> found;

    bool key(std::string& name) override {
        if (depth_ == 1 && !names_.insert(name).second) found = name;
        return !found;
    }
    bool start_object(std::size_t) override { return ++depth_ > 0; }
    bool end_object() override { return --depth_ >= 0; }
    bool start_array(std::size_t) override { return ++depth_ > 0; }
    bool end_array() override { return --depth_ >= 0; }
    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(std::int64_t) override { return true; }
    bool number_unsigned(std::uint64_t) override { return true; }
    bool number_float(double, const std::string&) override { return true; }
    bool string(std::string&) override { return true; }
    bool binary(Json::binary_t&) override { return true; }
    bool parse_error(std::size_t, const std::string&, const Json::exception&) override {
        return false;
    }

  private:
    int depth_ = 0;
    std::unordered_set<std::string> names_;
};

Json parse_unique(std::string_view text, const std::string& file) {
    if (nested_too_deep(text, 4)) fail(file, "the header is nested too deep");
    TwiceFinder twice;
    Json::sax_parse(text, &twice);
    if (twice.found) fail_at(file, *twice.found, "is there twice");
    Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) fail(file, "the header is no JSON object");
    return json;
}

Tensor read_entry(const std::string& name, const Json& entry, const std::string& file) {
    if (!entry.is_object()) fail_at(file, name, "is no object in the header");
    Tensor out;
    out.name = name;
    auto dtype = entry.find("dtype");
    if (dtype == entry.end() || !dtype->is_string()) fail_at(file, name, "has no dtype");
    for (const DtypeInfo& type : kDtypes)
        if (dtype->get_ref<const std::string&>() == type.name) out.type = &type;
    if (out.type == nullptr)
        fail(file,
             fmt::format("tensor {} has the unknown dtype {}", json_quote(name),
                         json_quote(dtype->get_ref<const std::string&>().substr(0, 40))),
             "convert it to BF16, F32, MXFP8 or NVFP4");
    auto shape = entry.find("shape");
    if (shape == entry.end() || !shape->is_array() || shape->size() > kMostDims)
        fail_at(file, name, "has no shape of at most 8 dims");
    out.elements = 1;
    for (const Json& dim : *shape) {
        if (!dim.is_number_unsigned() ||
            __builtin_mul_overflow(out.elements, dim.get<std::uint64_t>(), &out.elements) ||
            out.elements > kMostElements || dim.get<std::uint64_t>() > kMostElements)
            fail_at(file, name, "has an absurd shape");
        out.shape.push_back(static_cast<std::int64_t>(dim.get<std::uint64_t>()));
    }
    std::uint64_t bits = out.elements * static_cast<std::uint64_t>(out.type->bits);
    if (bits % 8 != 0) fail_at(file, name, "ends within a byte");
    out.bytes = bits / 8;
    return out;
}

struct Range {
    std::uint64_t begin = 0, end = 0;
    std::size_t tensor = 0;
};

Range read_range(const Tensor& tensor, const Json& entry, const std::string& file) {
    auto offsets = entry.find("data_offsets");
    if (offsets == entry.end() || !offsets->is_array() || offsets->size() != 2 ||
        !(*offsets)[0].is_number_unsigned() || !(*offsets)[1].is_number_unsigned())
        fail_at(file, tensor.name, "has no data_offsets");
    Range range{(*offsets)[0].get<std::uint64_t>(), (*offsets)[1].get<std::uint64_t>(), 0};
    if (range.begin > range.end || range.end - range.begin != tensor.bytes)
        fail(file, fmt::format("tensor {}: {} take {} bytes, but its offsets are {} and {}",
                               json_quote(tensor.name), describe(tensor), tensor.bytes, range.begin,
                               range.end));
    return range;
}

// Every byte of the data belongs to one tensor, as the format has it.
void check_ranges(std::vector<Range> ranges, const std::vector<Tensor>& tensors, std::uint64_t size,
                  const std::string& file) {
    std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
        return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
    });
    std::uint64_t at = 0;
    for (const Range& range : ranges) {
        const std::string& name = tensors[range.tensor].name;
        if (range.end > size)
            fail(file,
                 fmt::format("tensor {} ends at byte {} of the data, but there are only {}",
                             json_quote(name), range.end, size),
                 "the file is cut off: download it again");
        if (range.begin < at) fail_at(file, name, "overlaps another");
        if (range.begin > at) fail_at(file, name, "begins behind bytes that belong to no tensor");
        at = range.end;
    }
    if (at != size) fail(file, fmt::format("{} bytes at its end belong to no tensor", size - at));
}

} // namespace

std::string describe(const Tensor& tensor) {
    return fmt::format("{} [{}]", tensor.type->name, fmt::join(tensor.shape, ", "));
}

SafetensorsFile read_safetensors(std::string_view bytes, const std::string& file) {
    static_assert(std::endian::native == std::endian::little);
    std::uint64_t length = 0;
    if (bytes.size() < sizeof length) fail(file, "too short to be a safetensors file");
    std::memcpy(&length, bytes.data(), sizeof length);
    if (length > kLongestHeader)
        fail(file, fmt::format("its header claims {} bytes, at most {} are taken", length,
                               kLongestHeader));
    if (length > bytes.size() - sizeof length)
        fail(file, fmt::format("its header claims {} bytes, but the file has only {}", length,
                               bytes.size()));
    SafetensorsFile out;
    out.header = bytes.substr(sizeof length, length);
    std::uint64_t start = sizeof length + length, size = bytes.size() - start;
    const auto* data = reinterpret_cast<const std::byte*>(bytes.data()) + start;

    Json header = parse_unique(out.header, file);
    std::vector<Range> ranges;
    for (const auto& [name, entry] : header.items()) {
        if (name == "__metadata__") continue;
        Tensor tensor = read_entry(name, entry, file);
        Range range = read_range(tensor, entry, file);
        range.tensor = out.tensors.size();
        ranges.push_back(range);
        out.tensors.push_back(std::move(tensor));
    }
    check_ranges(ranges, out.tensors, size, file);
    for (const Range& range : ranges) {
        Tensor& tensor = out.tensors[range.tensor];
        auto align = static_cast<std::uint64_t>(std::max(tensor.type->bits / 8, 1));
        if (tensor.bytes > 0 && (start + range.begin) % align != 0)
            fail(file,
                 fmt::format("tensor {} does not begin at a multiple of its element's size",
                             json_quote(tensor.name)),
                 "save it again with a present version of safetensors, which pads the header");
        tensor.data = data + range.begin;
    }
    return out;
}

std::vector<Tensor> read_header_list(std::string_view json, const std::string& file) {
    if (json.size() > kLongestHeader) fail(file, "too long for a list of tensors");
    std::vector<Tensor> out;
    Json list = parse_unique(json, file);
    for (const auto& [name, entry] : list.items())
        if (name != "__metadata__") out.push_back(read_entry(name, entry, file));
    return out;
}

} // namespace assay::engine
