// Tools: what an agent may call by name with JSON arguments. Suites and environments supply them,
// agents only consume them.
#pragma once

#include "assay/api/content.h"
#include "assay/base/cancel.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct ToolSpec {
    std::string name;
    std::string description;
    std::string schema; // JSON schema of the arguments, an object
};

struct ToolOutcome {
    std::vector<MediaPart> parts;
    bool is_error = false; // the tool ran and failed: shown to the model, the trial goes on
    std::optional<std::string> structured; // JSON, recorded, not shown
};
ToolOutcome text_outcome(std::string text, bool is_error = false);

class Tool {
  public:
    virtual ~Tool() = default;
    virtual const ToolSpec& spec() const = 0;
    // `arguments` is JSON text that is known to parse as an object; it need not fit the schema.
    // What the model did wrong is an outcome with is_error. Throws Error(Sandbox) if the
    // environment is lost, Interrupted if cancelled.
    virtual ToolOutcome call(std::string_view arguments, const Cancel& cancel) = 0;
};

class ToolSet {
  public:
    virtual ~ToolSet() = default;
    virtual const std::vector<Tool*>& tools() const = 0; // stable order, stable for the trial
    Tool* find(std::string_view name) const;
};

// A set that owns its tools.
class OwnedToolSet : public ToolSet {
  public:
    void add(std::unique_ptr<Tool> tool);
    const std::vector<Tool*>& tools() const override { return view_; }

  private:
    std::vector<std::unique_ptr<Tool>> owned_;
    std::vector<Tool*> view_;
};

} // namespace assay
