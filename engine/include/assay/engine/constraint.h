// What a completion may be: asked before each token which ids may come next, told which one came.
#pragma once

#include "assay/engine/tokenizer.h"

#include <vector>

namespace assay::engine {

class Constraint {
  public:
    virtual ~Constraint() = default;
    // One entry for each id of the vocabulary; valid until accept(). None is true only if
    // complete().
    virtual const std::vector<bool>& allowed() = 0;
    virtual void accept(TokenId id) = 0; // one of the allowed
    // The output may end here: the engine then also allows the ids that end a completion. If
    // nothing else is allowed, it ends.
    virtual bool complete() const = 0;
};

} // namespace assay::engine
