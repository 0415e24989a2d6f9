#include "assay/io/reactor.h"

#include "assay/base/error.h"
#include "assay/base/log.h"
#include "assay/io/fd_stream.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <mutex>
#include <thread>

namespace assay {

namespace asio = boost::asio;
using boost::system::error_code;
using Descriptor = asio::posix::stream_descriptor;

namespace {

class Activity : public std::enable_shared_from_this<Activity> {
  public:
    virtual ~Activity() = default;
    virtual void arm() = 0;
    virtual void cancel() = 0; // its pending operations complete soon and let go of it
};

} // namespace

// Asio objects are touched on the reactor's thread only; other threads post. At the end everything
// is cancelled and run() returns by itself, so that no operation is left in the context.
struct Reactor::State {
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
    std::vector<std::weak_ptr<Activity>> activities;
    std::thread thread;

    void start(std::shared_ptr<Activity> activity) {
        asio::post(context, [this, activity = std::move(activity)] {
            if (activities.size() >= 64 && activities.size() == activities.capacity())
                std::erase_if(activities, [](const auto& weak) { return weak.expired(); });
            activities.push_back(activity);
            activity->arm();
        });
    }

    void cancel_all() {
        for (const auto& weak : activities)
            if (auto activity = weak.lock()) activity->cancel();
        work.reset();
    }

    void loop() {
        // Asio writes to descriptors with writev, that is without MSG_NOSIGNAL.
        sigset_t pipe;
        sigemptyset(&pipe);
        sigaddset(&pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
        context.run();
    }
};

struct Reactor::Watch::Node : Activity {
    explicit Node(asio::io_context& where)
        : context(where) {}
    virtual void disarm() = 0;
    void cancel() override {
        drop();
        disarm();
    }
    void drop() {
        std::lock_guard lock(mutex);
        dead = true;
    }
    std::shared_ptr<Node> self() { return std::static_pointer_cast<Node>(shared_from_this()); }

    bool call(int argument) { // false: dropped
        std::lock_guard lock(mutex);
        if (dead) return false;
        try {
            callback(argument);
        } catch (const std::exception& e) {
            log_error("reactor: a callback threw: {}", e.what());
        }
        return !dead;
    }

    asio::io_context& context;
    std::recursive_mutex mutex; // held while the callback runs; the callback may drop its Watch
    bool dead = false;
    std::function<void(int)> callback;
};

Reactor::Watch::Watch(std::shared_ptr<Node> node)
    : node_(std::move(node)) {}
Reactor::Watch::Watch(Watch&&) noexcept = default;

Reactor::Watch& Reactor::Watch::operator=(Watch&& other) noexcept {
    if (this != &other) {
        Watch old(std::move(node_));
        node_ = std::move(other.node_);
    }
    return *this;
}

Reactor::Watch::~Watch() {
    if (!node_) return;
    node_->drop();
    asio::post(node_->context, [node = node_] { node->cancel(); });
}

namespace {

using Node = Reactor::Watch::Node;

struct Timer final : Node {
    Timer(asio::io_context& where, Nanoseconds delay)
        : Node(where)
        , timer(where, delay) {}
    void arm() override {
        timer.async_wait([me = self()](error_code failed) {
            if (!failed) me->call(0);
        });
    }
    void disarm() override { timer.cancel(); }
    asio::steady_timer timer;
};

struct Readable final : Node {
    Readable(asio::io_context& where, UniqueFd fd)
        : Node(where)
        , descriptor(where, fd.release()) {}
    void arm() override {
        descriptor.async_wait(Descriptor::wait_read, [me = self()](error_code failed) {
            if (!failed && me->call(0)) me->arm();
        });
    }
    void disarm() override { descriptor.close(); }
    Descriptor descriptor;
};

struct Signals final : Node {
    Signals(asio::io_context& where, const std::vector<int>& numbers)
        : Node(where)
        , set(where) {
        for (int number : numbers) set.add(number);
    }
    void arm() override {
        set.async_wait([me = self()](error_code failed, int number) {
            if (!failed && me->call(number)) me->arm();
        });
    }
    void disarm() override {
        set.clear(); // takes the queued ones away, but lets waits wait
        set.cancel();
    }
    asio::signal_set set;
};

class Pump final : public Activity {
  public:
    Pump(asio::io_context& context, UniqueFd a, UniqueFd b, std::function<void()> done)
        : sides_{Descriptor(context, a.release()), Descriptor(context, b.release())}
        , done_(std::move(done)) {}

    void arm() override {
        read(0);
        read(1);
    }
    void cancel() override {
        done_ = {};
        close();
    }

  private:
    std::shared_ptr<Pump> self() { return std::static_pointer_cast<Pump>(shared_from_this()); }

    void read(int from) {
        sides_[from].async_read_some(asio::buffer(buffers_[from]),
                                     [me = self(), from](error_code failed, std::size_t n) {
                                         if (failed)
                                             return me->end(from, failed == asio::error::eof);
                                         me->write(from, n);
                                     });
    }

    void write(int from, std::size_t size) {
        asio::async_write(sides_[1 - from], asio::buffer(buffers_[from].data(), size),
                          [me = self(), from](error_code failed, std::size_t) {
                              if (failed) return me->end(from, false);
                              me->read(from);
                          });
    }

    void end(int from, bool orderly) {
        if (orderly && sides_[1 - from].is_open())
            ::shutdown(sides_[1 - from].native_handle(), SHUT_WR);
        if (!orderly || --open_ == 0) {
            close();
            if (auto done = std::exchange(done_, {})) done();
        }
    }

    void close() {
        error_code ignored;
        for (Descriptor& side : sides_) (void)side.close(ignored);
    }

    std::array<Descriptor, 2> sides_;
    std::array<std::array<char, 32 * 1024>, 2> buffers_; // of what was read from each side
    std::function<void()> done_;
    int open_ = 2; // directions
};

} // namespace

Reactor::Reactor()
    : state_(std::make_unique<State>()) {
    state_->thread = std::thread([state = state_.get()] { state->loop(); });
}

Reactor::~Reactor() {
    post([state = state_.get()] { state->cancel_all(); });
    state_->thread.join();
}

void Reactor::post(std::function<void()> work) {
    asio::post(state_->context, std::move(work));
}

Reactor::Watch Reactor::start(std::shared_ptr<Watch::Node> node, std::function<void(int)> call) {
    node->callback = std::move(call);
    state_->start(node);
    return Watch(std::move(node));
}

Reactor::Watch Reactor::after(Nanoseconds delay, std::function<void()> callback) {
    return start(std::make_shared<Timer>(state_->context, delay),
                 [call = std::move(callback)](int) { call(); });
}

Reactor::Watch Reactor::on_readable(int fd, std::function<void()> callback) {
    return start(std::make_shared<Readable>(state_->context, duplicate(fd)),
                 [call = std::move(callback)](int) { call(); });
}

Reactor::Watch Reactor::on_signals(const std::vector<int>& numbers,
                                   std::function<void(int)> callback) {
    return start(std::make_shared<Signals>(state_->context, numbers), std::move(callback));
}

void Reactor::pump(UniqueFd a, UniqueFd b, std::function<void()> done) {
    state_->start(
        std::make_shared<Pump>(state_->context, std::move(a), std::move(b), std::move(done)));
}

} // namespace assay
