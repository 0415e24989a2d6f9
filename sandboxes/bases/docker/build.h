// Builds a Dockerfile on a base: a small builder of our own, since it needs no registry, no daemon
// and the same sandboxes that run the tasks.
//
// Runs FROM (stages), RUN, COPY, ADD (no URLs), WORKDIR, ENV, ARG, USER, SHELL; takes note of CMD,
// EXPOSE, LABEL, VOLUME, STOPSIGNAL, HEALTHCHECK, MAINTAINER; refuses by name what would change the
// result: ENTRYPOINT, ONBUILD, RUN --mount, ADD of URLs.
// Each RUN, with the copies before it, is one layer, cached by parent, text and copied content.
#pragma once

#include "assay/sandboxes/base_image.h"
#include "bases/cache.h"

#include <functional>

namespace assay::bases {

struct BuildTools {
    Cache& cache;
    LayerRunner& runner;
    // The base of an image reference; throws if there is none.
    std::function<BaseImage(const std::string& reference)> base;
};

BaseImage build_dockerfile(const BaseSpec& spec, const BuildTools& tools, const Cancel& cancel);

} // namespace assay::bases
