#include "assay/engine/checkpoint.h"

#include "assay/base/error.h"
#include "mapping.h"
#include "shards.h"

#include <fmt/format.h>

#include <cstring>

namespace assay::engine {

namespace {

constexpr std::uint64_t kLongestConfig = 16u << 20;
constexpr std::size_t kShown = 20;

template<class Bits>
std::uint64_t count_special(const Tensor& tensor, Bits mask) {
    std::uint64_t count = 0;
    for (std::uint64_t i = 0; i < tensor.elements; ++i) {
        Bits bits;
        std::memcpy(&bits, tensor.data + i * sizeof bits, sizeof bits);
        count += (bits & mask) == mask;
    }
    return count;
}

// Numbers that are NaN or infinite: all bits of their exponent are ones; E4M3 has NaN alone, where
// those of the mantissa are too.
std::uint64_t not_finite(const Tensor& tensor) {
    switch (tensor.type->dtype) {
    case Dtype::F32:
        return count_special<std::uint32_t>(tensor, 0x7f800000u);
    case Dtype::Bf16:
        return count_special<std::uint16_t>(tensor, 0x7f80u);
    case Dtype::F8E4m3:
        return count_special<std::uint8_t>(tensor, 0x7fu);
    default: // packed values are all numbers, scales were looked at when they were opened
        return 0;
    }
}

class FolderCheckpoint final : public Checkpoint {
  public:
    explicit FolderCheckpoint(const Path& folder)
        : folder_(folder) {
        std::string file = (folder / "config.json").string();
        if (!RealFileSystem().exists(file))
            throw Error(ErrorKind::Input,
                        file + ": there is no such file, so this is no checkpoint")
                .hint("name the folder that has config.json, the weights and tokenizer.json");
        std::string text = RealFileSystem().read(file, kLongestConfig);
        config_ = parse_config(text, file);
        Sha256 identity;
        identity.update(text);
        shards_ = open_shards(folder, identity);
        fingerprint_ = identity.finish();
        mapping_ = map_tensors(config_, shards_.tensors, folder.string());
    }

    const Path& folder() const override { return folder_; }
    const ModelConfig& config() const override { return config_; }
    const Weights& weights() const override { return mapping_.weights; }
    const Inventory& inventory() const override { return mapping_.inventory; }
    Digest fingerprint() const override { return fingerprint_; }
    void check_values() const override;

  private:
    Path folder_;
    ModelConfig config_;
    Shards shards_;
    Mapping mapping_;
    Digest fingerprint_;
};

void FolderCheckpoint::check_values() const {
    std::size_t bad = 0;
    std::string list;
    for (const Tensor* tensor : mapping_.used)
        if (std::uint64_t count = not_finite(*tensor); count > 0 && ++bad <= kShown)
            list += fmt::format("\n  {}: {} of {}", tensor->name, count, tensor->elements);
    if (bad > kShown) list += fmt::format("\n  … and {} more tensors", bad - kShown);
    if (bad > 0)
        throw Error(ErrorKind::Input,
                    fmt::format("{}: weights are NaN or infinite{}", folder_.string(), list))
            .hint("the files are damaged, or training went wrong: download them again");
}

} // namespace

std::unique_ptr<Checkpoint> Checkpoint::open(const Path& folder) {
    return std::make_unique<FolderCheckpoint>(folder);
}

Inventory check_headers(const ModelConfig& config, std::string_view json, const std::string& file) {
    return map_tensors(config, read_header_list(json, file), file).inventory;
}

} // namespace assay::engine
