// The real release without its weights: names, shapes and sums.
#include "assay/base/error.h"
#include "catch.h"
#include "release.h"

using namespace assay;
using namespace assay::test;
using engine::Format;
using engine::TensorUse;

namespace {

engine::Inventory check(const std::vector<WrittenTensor>& tensors) {
    return engine::check_headers(engine::parse_config(nested_config(Sizes{}), "config.json"),
                                 header_list(tensors), "headers.json");
}

} // namespace

TEST_CASE("the header list of the release fits: every tensor, parameter and byte") {
    std::vector<WrittenTensor> tensors = release_tensors(Sizes{});
    REQUIRE(tensors.size() == 23'416);
    engine::Inventory found = check(tensors);
    CHECK(found.sum(&TensorUse::tensors) == 23'416);
    CHECK(found.sum(&TensorUse::parameters) == 427'040'140'160u);
    CHECK(found.sum(&TensorUse::bytes) == 854'172'958'720u);
    CHECK(found.ignored.empty());
    std::uint64_t f32 = 0;
    for (const TensorUse& use : found.uses)
        if (use.format == Format::F32) f32 += use.parameters;
    CHECK(f32 == 46'339'200u);
}

TEST_CASE("a tensor of the release that is missing, surplus or misshapen is named") {
    std::vector<WrittenTensor> tensors = release_tensors(Sizes{});
    const std::string lost =
        "language_model.model.layers.59.block_sparse_moe.experts.127.w2.weight";
    const std::string bent = "language_model.model.layers.3.self_attn.index_k_proj.weight";
    SECTION("missing") {
        std::erase_if(tensors, [&](const WrittenTensor& tensor) { return tensor.name == lost; });
        std::string error = error_of([&] { check(tensors); });
        CHECK_THAT(error, Catch::Contains("1 missing:\n    " + lost));
        CHECK_THAT(error, !Catch::Contains("surplus") && !Catch::Contains("misshapen"));
    }
    SECTION("misshapen") {
        tensor_named(tensors, bent).shape = {6144, 128};
        CHECK_THAT(error_of([&] { check(tensors); }),
                   Catch::Contains("1 misshapen:\n    " + bent +
                                   ": BF16 [6144, 128], expected BF16 or F32 [128, 6144]"));
    }
    SECTION("another type") {
        tensor_named(tensors, bent).dtype = "F16";
        CHECK_THAT(error_of([&] { check(tensors); }), Catch::Contains(bent + ": F16 [128, 6144]"));
    }
    SECTION("a layer too many: all are counted, the first are shown") {
        for (const WrittenTensor& tensor : release_tensors({.layers = 61}))
            if (tensor.name.find(".layers.60.") != std::string::npos) tensors.push_back(tensor);
        std::string error = error_of([&] { check(tensors); });
        CHECK_THAT(error, Catch::Contains("401 surplus:") && Catch::Contains("… and 381 more"));
    }
}

TEST_CASE("modules that predict further tokens are ignored, and never taken for layer 0") {
    std::vector<WrittenTensor> tensors = release_tensors(Sizes{});
    std::vector<WrittenTensor> module;
    for (const WrittenTensor& tensor : tensors)
        if (tensor.name.starts_with("language_model.model.layers.5."))
            module.push_back({replace_all(tensor.name, "model.layers.5.",
                                          "model.mtp.layers.0.transformer_layer."),
                              tensor.dtype, tensor.shape, ""});
    std::size_t count = module.size();
    SECTION("beside the release") {
        tensors.insert(tensors.end(), module.begin(), module.end());
        engine::Inventory found = check(tensors);
        CHECK(found.ignored.size() == count);
        CHECK(found.sum(&TensorUse::parameters) == 427'040'140'160u);
    }
    SECTION("instead of layer 0") {
        std::erase_if(tensors, [](const WrittenTensor& tensor) {
            return tensor.name.starts_with("language_model.model.layers.0.");
        });
        tensors.insert(tensors.end(), module.begin(), module.end());
        CHECK_THAT(error_of([&] { check(tensors); }), Catch::Contains("11 missing"));
    }
}
