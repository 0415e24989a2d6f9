#include "packing.h"

#include "assay/base/error.h"
#include "assay/base/sync.h"

#include <zstd.h>

#include <bit>
#include <cstring>
#include <memory>

namespace assay {

static_assert(std::endian::native == std::endian::little, "packed columns are little-endian");

namespace {

// On the log text of bench.cpp level -1 saves a tenth of the time of an event and stores 40 % more;
// level 2 costs time and packs no better.
constexpr int kLevel = 1;
constexpr std::size_t kTooSmall = 256;

template<class T>
std::string pack(std::span<const T> values) {
    return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

template<class T>
std::vector<T> unpack(std::string_view bytes) {
    if (bytes.size() % sizeof(T) != 0)
        throw Error(ErrorKind::Input, "a packed list of numbers was cut");
    std::vector<T> out(bytes.size() / sizeof(T));
    if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
}

template<class T>
void append(std::string& out, T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    out.append(raw, sizeof value);
}

template<class T>
T take(std::string_view& bytes) {
    T value;
    if (bytes.size() < sizeof value)
        throw Error(ErrorKind::Input, "a packed list of log-probabilities was cut");
    std::memcpy(&value, bytes.data(), sizeof value);
    bytes.remove_prefix(sizeof value);
    return value;
}

// A context holds about 600 KiB, so trials share a few instead of keeping one a thread.
struct FreeContext {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
using Context = std::unique_ptr<ZSTD_CCtx, FreeContext>;
constexpr std::size_t kContextsKept = 8;

Sync<std::vector<Context>>& contexts() {
    static Sync<std::vector<Context>> pool;
    return pool;
}

Context borrow_context() {
    auto pool = contexts().lock();
    if (pool->empty()) return Context(ZSTD_createCCtx());
    Context out = std::move(pool->back());
    pool->pop_back();
    return out;
}

void return_context(Context context) {
    auto pool = contexts().lock();
    if (pool->size() < kContextsKept) pool->push_back(std::move(context));
}

bool compressed_already(std::string_view type) {
    return type.starts_with("image/")
               ? type != "image/svg+xml" && type != "image/bmp"
               : type.starts_with("video/") || type.starts_with("audio/") ||
                     type == "application/zip" || type == "application/gzip" ||
                     type == "application/zstd";
}

} // namespace

std::string pack_ids(std::span<const std::int32_t> ids) {
    return pack(ids);
}
std::vector<std::int32_t> unpack_ids(std::string_view bytes) {
    return unpack<std::int32_t>(bytes);
}
std::string pack_doubles(std::span<const double> values) {
    return pack(values);
}
std::vector<double> unpack_doubles(std::string_view bytes) {
    return unpack<double>(bytes);
}

std::string pack_logprobs(std::span<const TokenLogprob> logprobs) {
    std::string out;
    for (const TokenLogprob& entry : logprobs) {
        append(out, entry.token);
        append(out, entry.logprob);
        append(out, static_cast<std::uint32_t>(entry.top.size()));
        for (const auto& [token, logprob] : entry.top) {
            append(out, token);
            append(out, logprob);
        }
    }
    return out;
}

std::vector<TokenLogprob> unpack_logprobs(std::string_view bytes) {
    std::vector<TokenLogprob> out;
    while (!bytes.empty()) {
        TokenLogprob entry;
        entry.token = take<std::int32_t>(bytes);
        entry.logprob = take<float>(bytes);
        auto n = take<std::uint32_t>(bytes);
        if (n > bytes.size() / 8)
            throw Error(ErrorKind::Input, "a packed list of log-probabilities was cut");
        for (std::uint32_t i = 0; i < n; ++i) {
            auto token = take<std::int32_t>(bytes);
            entry.top.emplace_back(token, take<float>(bytes));
        }
        out.push_back(std::move(entry));
    }
    return out;
}

Packed compress(std::string_view bytes, std::string_view media_type) {
    if (bytes.size() < kTooSmall || compressed_already(media_type))
        return {Codec::Raw, std::string(bytes)};
    std::string out(ZSTD_compressBound(bytes.size()), '\0');
    Context context = borrow_context();
    std::size_t size = ZSTD_compressCCtx(context.get(), out.data(), out.size(), bytes.data(),
                                         bytes.size(), kLevel);
    return_context(std::move(context));
    if (ZSTD_isError(size) != 0 || size > bytes.size() / 8 * 7)
        return {Codec::Raw, std::string(bytes)};
    // A copy of the right size: the buffer would stay in the queue at its full length.
    return {Codec::Zstd, std::string(out.data(), size)};
}

std::string decompress(Codec codec, std::string_view bytes, std::uint64_t size) {
    if (codec == Codec::Raw) return std::string(bytes);
    if (codec != Codec::Zstd)
        throw Error(ErrorKind::Input, "a blob is packed in a way that this assay does not know");
    // Sizes are checked first: a damaged or hostile file must not make us allocate at will.
    if (size > kChunkBytes || ZSTD_getFrameContentSize(bytes.data(), bytes.size()) != size)
        throw Error(ErrorKind::Input, "a blob is damaged: its size does not fit");
    std::string out(size, '\0');
    std::size_t got = ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
    if (ZSTD_isError(got) != 0 || got != size)
        throw Error(ErrorKind::Input, "a blob is damaged: it does not unpack");
    return out;
}

} // namespace assay
