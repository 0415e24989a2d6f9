#include "assay/base/error.h"
#include "assay/io/spawner.h"
#include "assay/sandboxes/base_image.h"
#include "bases/cache.h"
#include "bases/debian_base.h"
#include "bases/docker/build.h"
#include "bases/host_base.h"
#include "bases/tar_base.h"

#include <mutex>
#include <tuple>

namespace assay {

namespace {

bool has_prefix(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

// Without the registry's host name, the default folder and the digest: "python:3.13" of
// "HOST/library/python:3.13@sha256:...".
std::string short_reference(std::string_view reference) {
    std::size_t slash = reference.find('/');
    bool has_host = slash != std::string_view::npos &&
                    reference.substr(0, slash).find_first_of(".:") != std::string_view::npos;
    if (has_host) reference.remove_prefix(slash + 1);
    if (has_prefix(reference, "library/")) reference.remove_prefix(8);
    return std::string(reference.substr(0, reference.find('@')));
}

class DefaultBaseMaker final : public BaseMaker {
  public:
    explicit DefaultBaseMaker(BaseMakerOptions options)
        : options_(std::move(options))
        , cache_(options_.state / "bases") {
        const std::string& name = options_.override_base;
        if (!name.empty()) check_base_name(name);
        if (has_prefix(name, "tar:")) bases::tar_file(name);
    }

    // Remembered for the life of the maker: a run sees one state of each base.
    BaseImage make(const BaseSpec& spec, LayerRunner& runner, const Cancel& cancel) override {
        auto key = std::tuple(spec.kind, spec.name, spec.context, spec.dockerfile);
        {
            std::lock_guard lock(mutex_);
            if (auto it = made_.find(key); it != made_.end()) return it->second;
        }
        BaseImage image = make_new(spec, runner, cancel);
        std::lock_guard lock(mutex_);
        return made_.try_emplace(std::move(key), std::move(image)).first->second;
    }

  private:
    BaseImage make_new(const BaseSpec& spec, LayerRunner& runner, const Cancel& cancel) {
        auto of_reference = [&](const std::string& reference) {
            return make_reference(reference, cancel);
        };
        switch (spec.kind) {
        case BaseSpec::Kind::Named:
            return make_asked(spec.name, cancel);
        case BaseSpec::Kind::Image:
            return of_reference(spec.name);
        case BaseSpec::Kind::Dockerfile:
            return bases::build_dockerfile(
                spec, {.cache = cache_, .runner = runner, .base = of_reference}, cancel);
        }
        throw Error(ErrorKind::Internal, "base of an unknown kind");
    }

    BaseImage make_asked(const std::string& name, const Cancel& cancel) {
        const std::string& instead = options_.override_base;
        BaseImage image = make_named(instead.empty() ? name : instead, cancel);
        image.record.asked = name;
        image.record.substituted = !instead.empty() && instead != name;
        return image;
    }

    BaseImage make_named(const std::string& name, const Cancel& cancel) {
        check_base_name(name);
        if (name == "host") return bases::make_host_base(cache_, "/", cancel);
        if (has_prefix(name, "tar:")) return bases::make_tar_base(name, cache_, cancel);
        return bases::make_debian_base(name, cache_, spawner(), cancel);
    }

    Spawner& spawner() {
        if (options_.spawner) return *options_.spawner;
        std::lock_guard lock(mutex_);
        if (!own_spawner_) own_spawner_ = std::make_unique<Spawner>();
        return *own_spawner_;
    }

    BaseImage make_reference(const std::string& reference, const Cancel& cancel) {
        constexpr std::string_view kOwn = "assay/";
        std::string name = options_.override_base;
        if (name.empty()) name = options_.images.find(reference);
        if (name.empty()) name = options_.images.find(short_reference(reference));
        bool own = name.empty() && has_prefix(reference, kOwn);
        if (own) name = reference.substr(kOwn.size());
        if (name.empty())
            throw Error(ErrorKind::Unsupported, "no base for the image '" + reference + "'")
                .hint("name one for all tasks with --base NAME, or give --image-map FILE, a file "
                      "of lines `IMAGE BASE`, e.g. `" +
                      reference + " debian:bookworm` or, without root, `" + reference + " host`");
        BaseImage image = make_named(name, cancel);
        image.record.asked = reference;
        image.record.substituted = !own;
        return image;
    }

    BaseMakerOptions options_;
    bases::Cache cache_;
    std::mutex mutex_;
    std::unique_ptr<Spawner> own_spawner_;
    std::map<std::tuple<BaseSpec::Kind, std::string, Path, Path>, BaseImage> made_;
};

} // namespace

void check_base_name(const std::string& name) {
    if (has_prefix(name, "debian:"))
        bases::parse_debian_name(name);
    else if (name != "host" && !has_prefix(name, "tar:"))
        throw Error(ErrorKind::Usage, "unknown base '" + name + "'")
            .hint("bases are: host, debian:SUITE[+package...], tar:FILE");
}

std::unique_ptr<BaseMaker> make_base_maker(BaseMakerOptions options) {
    return std::make_unique<DefaultBaseMaker>(std::move(options));
}

} // namespace assay
