#include "bases/docker/layers.h"

#include "bases/tree.h"

#include <nlohmann/json.hpp>

namespace assay::bases {

using Json = nlohmann::json;

namespace {
constexpr const char* kFile = "mounts.json";

std::string write_mounts(const std::vector<BaseMount>& mounts) {
    Json out = Json::array();
    for (const BaseMount& mount : mounts) {
        Json lowers = Json::array();
        for (const Path& lower : mount.lowers) lowers.push_back(lower.string());
        out.push_back({{"at", mount.at}, {"lowers", std::move(lowers)}});
    }
    return out.dump(1) + "\n";
}

// Empty: unreadable, or a folder is gone.
std::vector<BaseMount> read_mounts(const Path& entry) {
    RealFileSystem files;
    std::vector<BaseMount> mounts;
    try {
        for (const Json& row : Json::parse(files.read(entry / kFile, 1 << 20))) {
            BaseMount mount{row.at("at").get<std::string>(), {}};
            for (const Json& lower : row.at("lowers"))
                mount.lowers.emplace_back(lower.get<std::string>());
            for (const Path& lower : mount.lowers)
                if (!files.exists(lower)) return {};
            mounts.push_back(std::move(mount));
        }
    } catch (const std::exception&) { // treated as absent: it is a cache
        return {};
    }
    return mounts;
}
} // namespace

std::vector<BaseMount> cached_layer(Cache& cache, const std::string& name, const Cancel& cancel,
                                    const std::function<std::vector<BaseMount>()>& make) {
    if (Path entry = cache.find(name); !entry.empty()) {
        std::vector<BaseMount> mounts = read_mounts(entry);
        if (!mounts.empty()) return mounts;
        RealFileSystem().remove_all(entry);
    }
    Path entry = cache.get(
        name, cancel, [&](const Path& part) { write_text(part / kFile, write_mounts(make())); });
    return read_mounts(entry);
}

} // namespace assay::bases
