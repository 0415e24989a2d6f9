#include "assay/base/error.h"
#include "assay/sandboxes/base_image.h"
#include "bases/cache.h"
#include "bases/host_base.h"

namespace assay {

namespace {

class DefaultBaseMaker final : public BaseMaker {
  public:
    explicit DefaultBaseMaker(BaseMakerOptions options)
        : options_(std::move(options))
        , cache_(options_.state / "bases") {}

    BaseImage make(const BaseSpec& spec, LayerRunner&, const Cancel& cancel) override {
        if (spec.kind == BaseSpec::Kind::Named) return make_named(spec.name, cancel);
        throw Error(ErrorKind::Unsupported, "base " + spec.name + ": not a named base");
    }

  private:
    BaseImage make_named(const std::string& name, const Cancel& cancel) {
        if (name == "host") return bases::make_host_base(cache_, "/", cancel);
        throw Error(ErrorKind::Usage, "unknown base '" + name + "'")
            .hint("bases are: host, debian:SUITE[+package...], tar:FILE");
    }

    BaseMakerOptions options_;
    bases::Cache cache_;
};

} // namespace

std::unique_ptr<BaseMaker> make_base_maker(BaseMakerOptions options) {
    return std::make_unique<DefaultBaseMaker>(std::move(options));
}

} // namespace assay
