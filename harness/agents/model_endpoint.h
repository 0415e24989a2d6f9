// The trial's model for programs in its sandbox: an HTTP server on a loopback port inside, that
// speaks OpenAI's and Anthropic's protocols and asks for a token of this attempt alone.
//
// Calls go through the trial's recording model: they are stored as the attempt's own, and count
// against its budgets. They end with the endpoint, or with the phase.
#pragma once

#include "assay/api/trial.h"
#include "assay/serve/model_server.h"
#include "service_door.h"

#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace assay {

struct EndpointOptions {
    std::size_t parallel = 4;   // calls at a time
    std::string name = "assay"; // what the model is called inside
    bool any_name = true;       // programs have names of their own for small tasks
};

class ModelEndpoint {
  public:
    // Borrows the context.
    ModelEndpoint(TrialContext& context, const EndpointOptions& options);
    ~ModelEndpoint();

    // Address, token and name under the names that programs look for.
    std::map<std::string, std::string> environment() const;
    const std::string& token() const { return token_; }
    // Rethrows what the last call died of, if that was no fault of the program: a trial must not be
    // scored 0 because a model could not be reached.
    void check();
    int calls() const; // answered so far

  private:
    void note(const ServedRequest& request);

    mutable std::mutex mutex_;
    int calls_ = 0;
    std::exception_ptr failure_;
    Cancel stop_;
    std::string token_, name_;
    std::unique_ptr<ModelServer> server_;
    std::shared_ptr<ServiceDoor> door_;
    std::unique_ptr<Exposed> exposed_;
};

} // namespace assay
