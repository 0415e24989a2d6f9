#include "tensors.h"

#include "assay/base/error.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>

namespace assay::kernel_bench {

namespace {

constexpr std::uint64_t kAlign = 64;
constexpr std::uint64_t kGap = 4096; // around outputs, to see writes beside them

std::uint64_t round_up(std::uint64_t value, std::uint64_t to) {
    return (value + to - 1) / to * to;
}

kt_wire::TensorBody place(const std::vector<std::int64_t>& shape, DType dtype,
                          std::uint64_t offset) {
    kt_wire::TensorBody body{};
    body.offset = offset;
    body.dtype = static_cast<std::int32_t>(dtype);
    body.rank = static_cast<std::int32_t>(shape.size());
    std::uint64_t elements = 1;
    for (std::size_t i = shape.size(); i-- > 0;) {
        body.shape[i] = shape[i];
        body.strides[i] = static_cast<std::int64_t>(elements);
        elements *= static_cast<std::uint64_t>(shape[i]);
    }
    body.bytes = elements * size_of(dtype);
    return body;
}

// xoshiro256** (Blackman, Vigna 2018), seeded with a SHA-256: unpredictable without the seed, and
// fast enough for new data in every call.
class Stream {
  public:
    explicit Stream(const Digest& seed) { std::memcpy(state_, seed.bytes.data(), sizeof state_); }

    std::uint64_t next() {
        std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
        std::uint64_t t = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = std::rotl(state_[3], 45);
        return result;
    }
    double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

    double normal() { // Box-Muller, in single precision: 24 bits of each half are enough
        if (has_spare_) {
            has_spare_ = false;
            return spare_;
        }
        std::uint64_t bits = next();
        float u = (static_cast<float>(bits >> 40) + 0.5f) * 0x1p-24f;
        float v = static_cast<float>(bits & 0xffffff) * 0x1p-24f;
        float radius = std::sqrt(-2.0f * std::log(u));
        float angle = 2.0f * std::numbers::pi_v<float> * v;
        spare_ = radius * std::sin(angle);
        has_spare_ = true;
        return radius * std::cos(angle);
    }

  private:
    std::uint64_t state_[4];
    double spare_ = 0;
    bool has_spare_ = false;
};

std::uint16_t to_bf16(float value) { // round to nearest even
    auto bits = std::bit_cast<std::uint32_t>(value);
    if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
    return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float from_bf16(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

template<class T>
void put(char* at, std::uint64_t index, T value) {
    std::memcpy(at + index * sizeof value, &value, sizeof value);
}

void store(char* at, std::uint64_t index, DType dtype, double value) {
    switch (dtype) {
    case DType::F64:
        return put(at, index, value);
    case DType::F32:
        return put(at, index, static_cast<float>(value));
    case DType::BF16:
        return put(at, index, to_bf16(static_cast<float>(value)));
    case DType::I64:
        return put(at, index, static_cast<std::int64_t>(value));
    case DType::I32:
        return put(at, index,
                   static_cast<std::int32_t>(std::clamp(value, -2147483648.0, 2147483647.0)));
    case DType::I8:
        return put(at, index, static_cast<std::int8_t>(std::clamp(value, -128.0, 127.0)));
    case DType::U8:
        return put(at, index, static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0)));
    }
}

template<class T>
double get(const char* at, std::uint64_t index) {
    T value;
    std::memcpy(&value, at + index * sizeof value, sizeof value);
    return static_cast<double>(value);
}

double load(const char* at, std::uint64_t index, DType dtype) {
    switch (dtype) {
    case DType::F64:
        return get<double>(at, index);
    case DType::F32:
        return get<float>(at, index);
    case DType::BF16: {
        std::uint16_t bits;
        std::memcpy(&bits, at + index * 2, 2);
        return from_bf16(bits);
    }
    case DType::I64:
        return get<std::int64_t>(at, index);
    case DType::I32:
        return get<std::int32_t>(at, index);
    case DType::I8:
        return get<std::int8_t>(at, index);
    case DType::U8:
        return get<std::uint8_t>(at, index);
    }
    return 0;
}

double stressed(double value, const Stress& stress) {
    switch (stress.kind) {
    case Stress::Kind::None:
        return value;
    case Stress::Kind::Scale:
        return value * stress.value;
    case Stress::Kind::Zeros:
        return 0;
    case Stress::Kind::LargeOffset:
        return value + stress.value;
    case Stress::Kind::Denormals:
        return value * stress.value;
    }
    return value;
}

void fill(char* at, std::uint64_t elements, const TensorSpec& tensor, const Stress& stress,
          Stream& stream) {
    const Generator& g = tensor.generator;
    switch (g.kind) {
    case Generator::Kind::Normal:
        for (std::uint64_t i = 0; i < elements; ++i)
            store(at, i, tensor.dtype, stressed(g.a + g.b * stream.normal(), stress));
        return;
    case Generator::Kind::Uniform:
        for (std::uint64_t i = 0; i < elements; ++i)
            store(at, i, tensor.dtype, stressed(g.a + (g.b - g.a) * stream.uniform(), stress));
        return;
    case Generator::Kind::Integers:
        for (std::uint64_t i = 0; i < elements; ++i)
            store(at, i, tensor.dtype, g.a + std::floor((g.b - g.a + 1) * stream.uniform()));
        return;
    case Generator::Kind::Permutation: {
        std::vector<std::uint32_t> order(elements);
        std::iota(order.begin(), order.end(), 0u);
        for (std::uint64_t i = elements; i-- > 1;)
            std::swap(order[i], order[stream.next() % (i + 1)]);
        for (std::uint64_t i = 0; i < elements; ++i) store(at, i, tensor.dtype, order[i]);
        return;
    }
    }
}

double deviation(const std::vector<double>& values) {
    double mean = 0, square = 0;
    std::size_t n = 0;
    for (double v : values) {
        if (!std::isfinite(v)) continue;
        ++n;
        double delta = v - mean;
        mean += delta / static_cast<double>(n);
        square += delta * (v - mean);
    }
    return n < 2 ? 0 : std::sqrt(square / static_cast<double>(n));
}

bool same(double got, double want) {
    return got == want || (std::isnan(got) && std::isnan(want));
}

} // namespace

kt_wire::CaseBody layout(const KernelTask& task, const KernelCase& c, bool as_reference) {
    kt_wire::CaseBody body{};
    for (const TensorSpec& tensor : task.inputs) {
        body.in[body.n_in] = place(task.shape(tensor, c), tensor.dtype, body.in_bytes);
        body.in_bytes += round_up(body.in[body.n_in++].bytes, kAlign);
    }
    body.out_bytes = kGap;
    for (const TensorSpec& tensor : task.outputs) {
        DType dtype = tensor.dtype;
        if (as_reference) dtype = is_float(dtype) ? DType::F64 : DType::I64;
        body.out[body.n_out] = place(task.shape(tensor, c), dtype, body.out_bytes);
        body.out_bytes += round_up(body.out[body.n_out++].bytes, kAlign) + kGap;
    }
    for (const auto& [name, value] : c.axes) {
        kt_wire::AxisBody& axis = body.axes[body.n_axes++];
        name.copy(axis.name, sizeof axis.name - 1);
        axis.value = value;
    }
    return body;
}

std::string make_inputs(const KernelTask& task, const KernelCase& c, const kt_wire::CaseBody& body,
                        const Digest& seed) {
    std::string slot(body.in_bytes, '\0');
    Stream stream(seed);
    for (std::size_t i = 0; i < task.inputs.size(); ++i) {
        const kt_wire::TensorBody& tensor = body.in[i];
        fill(slot.data() + tensor.offset, tensor.bytes / size_of(task.inputs[i].dtype),
             task.inputs[i], c.stress, stream);
    }
    return slot;
}

std::vector<double> read_output(const kt_wire::TensorBody& tensor, std::string_view slot) {
    auto dtype = static_cast<DType>(tensor.dtype);
    if (tensor.offset > slot.size() || tensor.bytes > slot.size() - tensor.offset)
        throw Error(ErrorKind::Verifier, "the runner sent too short an output");
    std::vector<double> out(tensor.bytes / size_of(dtype));
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = load(slot.data() + tensor.offset, i, dtype);
    return out;
}

Comparison compare(const std::vector<double>& got, const std::vector<double>& want,
                   const Tolerance& tolerance) {
    Comparison result;
    result.count = want.size();
    double spread = deviation(want), squares = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
        double g = i < got.size() ? got[i] : std::nan(""), w = want[i];
        bool good = same(g, w);
        if (!good && std::isfinite(g) && std::isfinite(w)) {
            double error = std::abs(g - w);
            result.max_abs = std::max(result.max_abs, error);
            if (w != 0) result.max_rel = std::max(result.max_rel, error / std::abs(w));
            squares += error * error;
            good = !tolerance.exact && error <= tolerance.atol + tolerance.rtol * std::abs(w) +
                                                    tolerance.rel_to_std * spread;
        }
        if (good) continue;
        if (result.bad++ == 0) {
            result.first_bad = static_cast<std::int64_t>(i);
            result.got = g;
            result.want = w;
        }
    }
    auto count = static_cast<double>(std::max<std::uint64_t>(result.count, 1));
    if (spread > 0) result.rmse_over_std = std::sqrt(squares / count) / spread;
    result.ok = static_cast<double>(result.bad) <= tolerance.max_bad_fraction * count &&
                got.size() == want.size();
    return result;
}

std::vector<std::string> degenerate(const std::vector<double>& want,
                                    const std::vector<double>& want_of_other_seed,
                                    const std::vector<double>& first_input,
                                    const TensorSpec& output, const Tolerance& tolerance) {
    std::vector<std::string> names;
    auto probe = [&](const char* name, const std::vector<double>& answer) {
        if (compare(answer, want, tolerance).ok) names.emplace_back(name);
    };
    double mean = 0;
    for (double v : want) mean += v / static_cast<double>(want.size());
    probe("zeros", std::vector<double>(want.size(), 0.0));
    probe("mean", std::vector<double>(want.size(), mean));
    if (first_input.size() == want.size()) probe("copy_of_input", first_input);
    probe("other_seed", want_of_other_seed);
    if (is_float(output.dtype) && output.dtype != DType::BF16) {
        std::vector<double> rounded(want.size());
        for (std::size_t i = 0; i < want.size(); ++i)
            rounded[i] = from_bf16(to_bf16(static_cast<float>(want[i])));
        probe("bf16", rounded);
    }
    if (!tolerance.exact && deviation(want) <= 20 * tolerance.atol)
        names.emplace_back("tolerance_too_wide");
    return names;
}

} // namespace assay::kernel_bench
