// The tensors of the MiniMax-M3 release as its specification lists them, for any sizes: written
// without a look at the loader, whose knowledge of names it tests. Also the config, and small
// checkpoints with random weights in several layouts.
#pragma once

#include "assay/engine/checkpoint.h"
#include "written_tensors.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace assay::test {

struct Sizes { // those of the release
    int hidden = 6144, vocab = 200064, layers = 60, dense_layers = 3;
    int heads = 64, kv_heads = 4, head_dim = 128, rotary = 64;
    int expert = 3072, dense = 12288, experts = 128, per_token = 4;
    int index_dim = 128, block = 128, top_blocks = 16;
    int vision = 1280, vision_layers = 32, vision_heads = 16, vision_width = 5120;
    int projector = 6144;

    // Divisible by the blocks of all formats.
    static Sizes small();
};

std::vector<WrittenTensor> release_tensors(const Sizes& sizes); // without data
std::string nested_config(const Sizes& sizes);
std::string flat_config(const Sizes& sizes);
std::string header_list(const std::vector<WrittenTensor>& tensors); // name -> dtype, shape

// Fills what has no data with repeatable numbers between -1 and 1.
void fill(std::vector<WrittenTensor>& tensors);
// The names and the fused and stacked tensors of transformers 5.
std::vector<WrittenTensor> as_transformers(const std::vector<WrittenTensor>& tensors,
                                           const Sizes& sizes);
WrittenTensor& tensor_named(std::vector<WrittenTensor>& tensors, const std::string& name);

// A folder with a config and one file of weights.
class Folder {
  public:
    Folder(const std::string& config, const std::vector<WrittenTensor>& tensors);
    explicit Folder(const std::function<void(std::vector<WrittenTensor>&)>& change = {});

    const Path& path() const { return folder_.path(); }
    void write(const std::string& name, std::string_view data) const;
    std::unique_ptr<engine::Checkpoint> open() const { return engine::Checkpoint::open(path()); }

  private:
    TempFolder folder_;
};

// The message and hint of the error; fails if there is none.
std::string error_of(const std::function<void()>& action);

std::vector<float> values(const engine::Matrix& matrix);

} // namespace assay::test
