#include "thread.h"

#include "assay/base/error.h"

#include <cstddef>
#include <utility>

namespace assay {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kStackBytes = 8u << 20;
#else
constexpr std::size_t kStackBytes = 1u << 20;
#endif

void* call_body(void* argument) {
    std::unique_ptr<std::function<void()>> body(static_cast<std::function<void()>*>(argument));
    (*body)();
    return nullptr;
}

} // namespace

TrialThread::TrialThread(std::function<void()> body) {
    auto argument = std::make_unique<std::function<void()>>(std::move(body));
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    int problem = pthread_create(&handle_, &attributes, call_body, argument.get());
    pthread_attr_destroy(&attributes);
    if (problem != 0)
        throw Error(ErrorKind::Io, "cannot start another thread for a trial")
            .hint("use fewer --jobs, or raise the limit on processes (ulimit -u)");
    (void)argument.release(); // call_body owns it
    joinable_ = true;
}

TrialThread::TrialThread(TrialThread&& other) noexcept
    : handle_(other.handle_)
    , joinable_(std::exchange(other.joinable_, false)) {}

TrialThread::~TrialThread() {
    if (joinable_) pthread_join(handle_, nullptr);
}

} // namespace assay
