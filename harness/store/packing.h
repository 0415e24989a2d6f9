// Number lists as packed little-endian bytes, and blobs as zstd: what the store keeps in columns of
// type BLOB. Formats are in docs/store.md. Unpacking checks every length.
#pragma once

#include "assay/api/model.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

std::string pack_ids(std::span<const std::int32_t> ids); // i32 each
std::vector<std::int32_t> unpack_ids(std::string_view bytes);
std::string pack_doubles(std::span<const double> values); // f64 each
std::vector<double> unpack_doubles(std::string_view bytes);
// Per token: i32 id, f32 log-probability, u32 n, n x (i32, f32).
std::string pack_logprobs(std::span<const TokenLogprob> logprobs);
std::vector<TokenLogprob> unpack_logprobs(std::string_view bytes);

constexpr std::size_t kChunkBytes = 8u << 20; // a larger blob is stored in parts of this size

enum class Codec { Raw = 0, Zstd = 1, Chunked = 2 }; // stored: append only

struct Packed {
    Codec codec = Codec::Raw;
    std::string bytes;
};
// Raw if the media type is compressed already, the bytes are few, or zstd would gain little.
Packed compress(std::string_view bytes, std::string_view media_type);
// Error(Input) if the bytes are damaged or unpack to more than a chunk.
std::string decompress(Codec codec, std::string_view bytes, std::uint64_t size);

} // namespace assay
