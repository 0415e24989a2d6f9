// The constructors behind make_model; `rest` is what follows the colon of the spec.
#pragma once

#include "assay/models/models.h"

namespace assay {

std::unique_ptr<Model> make_m3_model(std::string_view rest, const ModelOptions& options);
std::unique_ptr<Model> make_null_model(std::string_view rest);
std::unique_ptr<Model> make_openai_model(std::string_view rest, const ModelOptions& options);
std::unique_ptr<Model> make_replay_model(std::string_view rest, const ModelOptions& options);
std::unique_ptr<Model> make_script_model(std::string_view rest, const ModelOptions& options);

} // namespace assay
