// A joined thread with a stack of our choice. std::jthread always takes the process's default
// (8 MiB): only touched pages cost memory, but with a thousand trials the address space and the
// kernel's overcommit accounting would. 1 MiB leaves room for a regular expression or a parser in a
// scorer; the sanitizers' frames need more.
#pragma once

#include <pthread.h>

#include <functional>
#include <memory>

namespace assay {

class TrialThread {
  public:
    explicit TrialThread(std::function<void()> body);
    TrialThread(TrialThread&& other) noexcept;
    TrialThread& operator=(TrialThread&&) = delete;
    ~TrialThread(); // joins

  private:
    pthread_t handle_{};
    bool joinable_ = false;
};

} // namespace assay
