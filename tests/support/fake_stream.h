// Two connected in-memory streams, for tests of whatever speaks over a Stream. Thread-safe.
#pragma once

#include "assay/base/error.h"
#include "assay/base/stream.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace assay::test {

class Pipe { // one direction
  public:
    std::size_t read(std::span<char> into, const Cancel& cancel) {
        auto watch = cancel.on_cancel([this] {
            std::lock_guard lock(mutex_);
            wake_.notify_all();
        });
        std::unique_lock lock(mutex_);
        while (bytes_.empty() && !closed_) {
            lock.unlock();
            cancel.check();
            lock.lock();
            if (bytes_.empty() && !closed_) wake_.wait_for(lock, std::chrono::milliseconds(20));
        }
        std::size_t n = std::min(into.size(), bytes_.size());
        std::copy_n(bytes_.data(), n, into.data());
        bytes_.erase(0, n);
        return n;
    }
    void write(std::string_view data) {
        std::lock_guard lock(mutex_);
        if (closed_) throw Error(ErrorKind::Io, "write: the peer is gone");
        bytes_ += data;
        wake_.notify_all();
    }
    void close() {
        std::lock_guard lock(mutex_);
        closed_ = true;
        wake_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable wake_;
    std::string bytes_;
    bool closed_ = false;
};

class PipeStream final : public Stream {
  public:
    PipeStream(std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out)
        : in_(std::move(in))
        , out_(std::move(out)) {}
    ~PipeStream() override { PipeStream::close(); }
    std::size_t read(std::span<char> into, const Cancel& cancel) override {
        return in_->read(into, cancel);
    }
    void write(std::string_view data, const Cancel& cancel) override {
        cancel.check();
        out_->write(data);
    }
    void shutdown_write() override { out_->close(); }
    void close() override {
        in_->close();
        out_->close();
    }

  private:
    std::shared_ptr<Pipe> in_, out_;
};

inline std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> stream_pair() {
    auto a = std::make_shared<Pipe>(), b = std::make_shared<Pipe>();
    return {std::make_unique<PipeStream>(a, b), std::make_unique<PipeStream>(b, a)};
}

// A stream that gives a fixed text and swallows what is written.
inline std::unique_ptr<Stream> text_stream(std::string_view text) {
    auto in = std::make_shared<Pipe>(), out = std::make_shared<Pipe>();
    in->write(text);
    in->close();
    return std::make_unique<PipeStream>(in, out);
}

} // namespace assay::test
