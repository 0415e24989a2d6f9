// Between a service that a sandbox was given and the object that answers it, whose end it outlives:
// connections that come too late find it shut, and nobody is inside when the object goes.
#pragma once

#include <condition_variable>
#include <mutex>

namespace assay {

class ServiceDoor {
  public:
    template<class Body>
    void pass(const Body& body) { // not at all if it is shut
        if (!enter()) return;
        struct Inside {
            ServiceDoor& door;
            ~Inside() { door.leave(); }
        } inside{*this};
        body();
    }
    void shut() { // and wait for those inside
        std::unique_lock lock(mutex_);
        shut_ = true;
        left_.wait(lock, [this] { return inside_ == 0; });
    }

  private:
    bool enter() {
        std::lock_guard lock(mutex_);
        if (!shut_) ++inside_;
        return !shut_;
    }
    void leave() {
        std::lock_guard lock(mutex_);
        --inside_;
        left_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable left_;
    int inside_ = 0;
    bool shut_ = false;
};

} // namespace assay
