#include "shards.h"

#include "assay/base/error.h"
#include "assay/base/json.h"
#include "assay/base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

namespace assay::engine {

using Json = nlohmann::json;

namespace {

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr std::uint64_t kLongestIndex = 32u << 20;
constexpr std::size_t kMostFiles = 4096;

// The index comes with the weights: a name must not lead out of their folder.
bool plain_file_name(const std::string& name) {
    return name.ends_with(".safetensors") && name[0] != '.' && name.size() < 256 &&
           std::all_of(
               name.begin(), name.end(),
               [](char c) { return c > ' ' && c != '/' && c != '\\' && c != 0x7f; });
}

std::map<std::string, std::vector<std::string>> read_index(const Path& folder) {
    std::string file = (folder / kIndex).string();
    Json index = parse_json<Json>(RealFileSystem().read(file, kLongestIndex));
    if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object() ||
        index["weight_map"].empty())
        throw Error(ErrorKind::Input, file + ": no weight_map").hint("download it again");
    std::map<std::string, std::vector<std::string>> tensors_of;
    for (const auto& [tensor, shard] : index["weight_map"].items()) {
        if (!shard.is_string() || !plain_file_name(shard.get_ref<const std::string&>()))
            throw Error(ErrorKind::Input, fmt::format("{}: tensor {} is in no *.safetensors file "
                                                      "of this folder",
                                                      file, json_quote(tensor)))
                .hint("an index may name files beside it alone");
        tensors_of[shard.get<std::string>()].push_back(tensor);
        if (tensors_of.size() > kMostFiles)
            throw Error(ErrorKind::Input, fmt::format("{}: more than {} files", file, kMostFiles))
                .hint("download it again");
    }
    return tensors_of;
}

} // namespace

Shards open_shards(const Path& folder, Sha256& identity) {
    RealFileSystem files;
    std::map<std::string, std::vector<std::string>> tensors_of;
    if (files.exists(folder / kSingle))
        tensors_of[kSingle];
    else if (files.exists(folder / kIndex))
        tensors_of = read_index(folder);
    else
        throw Error(ErrorKind::Input,
                    fmt::format("{}: neither {} nor {}", folder.string(), kSingle, kIndex))
            .hint("a checkpoint is a folder as Hugging Face writes it, with safetensors");

    Shards out;
    std::unordered_map<std::string, std::string> file_of;
    for (const auto& [name, expected] : tensors_of) {
        std::string path = (folder / name).string();
        if (!files.exists(path))
            throw Error(ErrorKind::Input, path + ": not there, but the index names it")
                .hint("download the missing part");
        const MappedFile& file = out.files.emplace_back(path);
        SafetensorsFile content = read_safetensors(file.bytes(), path);
        identity.update(fmt::format("{} {} {}\n", name, file.bytes().size(), file.modified()));
        identity.update(content.header);
        for (Tensor& tensor : content.tensors) {
            auto [at, fresh] = file_of.emplace(tensor.name, name);
            if (!fresh)
                throw Error(ErrorKind::Input, fmt::format("{}: tensor {} is in {} too", path,
                                                          json_quote(tensor.name), at->second))
                    .hint("take out the file that does not belong to this checkpoint");
            out.tensors.push_back(std::move(tensor));
        }
        for (const std::string& tensor : expected)
            if (auto at = file_of.find(tensor); at == file_of.end() || at->second != name)
                throw Error(ErrorKind::Input,
                            fmt::format("{}: no tensor {}, which the index has there", path,
                                        json_quote(tensor)))
                    .hint("index and files are of different checkpoints: download them again");
    }
    return out;
}

} // namespace assay::engine
