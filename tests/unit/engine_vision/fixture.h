// The checkpoint with vision in tests/data/m3/vl, and what the reference made of it.
#pragma once

#include "assay/base/fs.h"
#include "assay/engine/vision.h"
#include "catch.h"
#include "checkpoint/safetensors.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

inline const assay::Path kVl = std::string(ASSAY_SOURCE_DIR) + "/tests/data/m3/vl";

inline std::string read_file(const assay::Path& file) {
    return assay::RealFileSystem().read(file);
}

// The bytes are kept: tensors point into them.
struct Tensors {
    explicit Tensors(std::string file)
        : bytes(std::move(file)) {
        for (assay::engine::Tensor& tensor : assay::engine::read_safetensors(bytes, "test").tensors)
            by_name[tensor.name] = std::move(tensor);
    }
    Tensors(const Tensors&) = delete;

    const std::string bytes;
    std::map<std::string, assay::engine::Tensor> by_name;

    template<class Value>
    std::vector<Value> get(const std::string& name) const {
        const assay::engine::Tensor& tensor = by_name.at(name);
        REQUIRE(tensor.bytes == tensor.elements * sizeof(Value));
        std::vector<Value> out(tensor.elements);
        std::memcpy(out.data(), tensor.data, tensor.bytes);
        return out;
    }
    // Rows that were kept of a longer list; the whole if all were.
    std::vector<float> rows_of(const std::vector<float>& all, std::size_t width,
                               const std::string& rows) const {
        if (!by_name.contains(rows)) return all;
        std::vector<float> out;
        for (std::int32_t row : get<std::int32_t>(rows))
            out.insert(out.end(), all.begin() + row * static_cast<std::ptrdiff_t>(width),
                       all.begin() + (row + 1) * static_cast<std::ptrdiff_t>(width));
        return out;
    }
};

inline float worst_difference(const std::vector<float>& a, const std::vector<float>& b) {
    REQUIRE(a.size() == b.size());
    float worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (std::isfinite(a[i]) || std::isfinite(b[i])) {
            if (std::isnan(a[i]) || std::isnan(b[i])) return INFINITY;
            worst = std::max(worst, std::abs(a[i] - b[i]));
        }
    return worst; // infinite where only one of them is
}

struct Prompt {
    std::string name, text, expanded;
    std::vector<std::int32_t> ids;
    std::vector<assay::engine::Media> media;
};

inline assay::engine::Media video_of(const assay::engine::VisionModel& vision,
                                     const nlohmann::json& video) {
    std::vector<std::string> files;
    for (const auto& frame : video["frames"])
        files.push_back(read_file(kVl / frame.get<std::string>()));
    return vision.prepare_video({{files.begin(), files.end()},
                                 video["fps"].get<double>(),
                                 video["frame_indices"].get<std::vector<std::int64_t>>()},
                                "video");
}

// The pictures of a prompt come before its video.
inline std::vector<Prompt> prompts(const assay::engine::VisionModel& vision) {
    std::vector<Prompt> out;
    const auto inputs = nlohmann::json::parse(read_file(kVl / "inputs.json"));
    for (const auto& one : inputs["prompts"]) {
        Prompt prompt{one["name"], one["text"], one["expanded"], one["ids"], {}};
        for (const std::string file : one["images"])
            prompt.media.push_back(vision.prepare_image(read_file(kVl / file), file));
        if (one.contains("video")) prompt.media.push_back(video_of(vision, one["video"]));
        out.push_back(std::move(prompt));
    }
    return out;
}
