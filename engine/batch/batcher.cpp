#include "assay/engine/batcher.h"

#include "advance.h"
#include "assay/base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <thread>

namespace assay::engine {

namespace {

double seconds_between(Job::Clock::time_point from, Job::Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
}

std::int64_t rows_of(const MediaRows& media, int hidden) {
    return static_cast<std::int64_t>(media.rows->size()) / hidden;
}

} // namespace

struct Batcher::Parts {
    Parts(const TextConfig& text, const TextWeights& weights, const BatcherOptions& given)
        : config(text)
        , options(given)
        , cache(text, given.cache_bytes, given.compute)
        , tree(cache)
        , forward(text, weights, given.compute, given.threads)
        , schedule(cache, tree, given)
        , thread([this] { work(); }) {}
    ~Parts();

    std::int64_t context() const {
        return std::min<std::int64_t>(config.max_positions, cache.pages() * cache.block());
    }
    void check(const GenerateRequest& request) const;
    void submit(const std::shared_ptr<Job>& job);
    Generation wait(Job& job, const std::function<void(const TokenChoice&)>& sink);

    void work();
    std::vector<Piece> plan();
    void drop_cancelled();
    void step(const std::vector<Piece>& pieces);
    void after(const Piece& piece, std::int64_t begin, std::span<const float> logits);
    void deliver(Job& job, Advance news);
    void fail(const std::shared_ptr<Job>& job);

    const TextConfig& config;
    const BatcherOptions options;
    PageCache cache;
    PrefixTree tree; // with forward and schedule of the batcher's thread
    Forward forward;
    Schedule schedule;

    std::mutex mutex;
    std::condition_variable arrived;
    std::vector<std::shared_ptr<Job>> inbox;
    BatcherCounters counters;
    bool stopping = false;
    std::thread thread; // last: it uses all of the above
};

Batcher::Batcher(const TextConfig& config, const TextWeights& weights,
                 const BatcherOptions& options)
    : parts_(new Parts(config, weights, options)) {}

Batcher::~Batcher() = default;

Batcher::Parts::~Parts() {
    {
        std::lock_guard lock(mutex);
        stopping = true;
    }
    arrived.notify_all();
    thread.join();
}

std::int64_t Batcher::context() const {
    return parts_->context();
}

BatcherCounters Batcher::counters() const {
    std::lock_guard lock(parts_->mutex);
    return parts_->counters;
}

// The caller's side.

void Batcher::Parts::check(const GenerateRequest& request) const {
    engine::check(request.sampling);
    if (request.prompt.empty()) throw Error(ErrorKind::Input, "the prompt has no token");
    const auto size = static_cast<std::int64_t>(request.prompt.size());
    if (size > context())
        throw Error(
            ErrorKind::Input,
            fmt::format("the prompt of {} tokens does not fit the context of {}", size, context()))
            .hint(fmt::format("the model has {} positions, the cache {}", config.max_positions,
                              cache.pages() * cache.block()));
    for (const auto* ids : {&request.prompt, &request.stop_ids})
        for (std::int32_t id : *ids)
            if (id < 0 || id >= config.vocab)
                throw Error(ErrorKind::Input, fmt::format("token {} is not in the vocabulary of {}",
                                                          id, config.vocab));
    for (const MediaRows& media : request.media)
        if (media.first < 0 || media.rows->size() % static_cast<std::size_t>(config.hidden) != 0 ||
            media.first + rows_of(media, config.hidden) > size)
            throw Error(ErrorKind::Internal, "features lie outside the prompt");
}

void Batcher::Parts::submit(const std::shared_ptr<Job>& job) {
    {
        std::lock_guard lock(mutex);
        inbox.push_back(job);
    }
    arrived.notify_one();
}

Generation Batcher::Parts::wait(Job& job, const std::function<void(const TokenChoice&)>& sink) {
    auto watch = job.cancel.on_cancel([&] {
        std::lock_guard lock(mutex);
        job.changed.notify_all();
    });
    std::size_t told = 0;
    bool told_begun = false;
    std::unique_lock lock(mutex);
    try {
        while (!job.done || told < job.generation.tokens.size()) {
            if (job.begun && !told_begun) {
                told_begun = true;
                lock.unlock();
                if (job.request.begun) job.request.begun();
                lock.lock();
            } else if (told < job.generation.tokens.size()) {
                const TokenChoice token = job.generation.tokens[told++];
                lock.unlock();
                if (sink) sink(token);
                lock.lock();
            } else {
                lock.unlock();
                job.cancel.check();
                const int limit = job.cancel.poll_timeout(200);
                lock.lock();
                const std::size_t known = told;
                job.changed.wait_for(lock, std::chrono::milliseconds(limit), [&] {
                    return job.done || job.begun != told_begun ||
                           job.generation.tokens.size() > known;
                });
            }
        }
    } catch (...) {
        if (!lock.owns_lock()) lock.lock();
        job.abandoned = true;
        throw;
    }
    if (job.error) std::rethrow_exception(job.error);
    return std::move(job.generation);
}

Generation Batcher::generate(GenerateRequest request,
                             const std::function<void(const TokenChoice&)>& sink,
                             const Cancel& cancel) {
    parts_->check(request);
    cancel.check();
    auto job = std::make_shared<Job>(std::move(request), cancel, parts_->config.hidden);
    if (job->request.max_tokens <= 0 || job->length() >= context()) {
        Generation nothing;
        nothing.ended = job->length() >= context() ? Ended::ContextFull : Ended::MaxTokens;
        return nothing;
    }
    parts_->submit(job);
    return parts_->wait(*job, sink);
}

std::vector<TokenChoice> Batcher::score(std::vector<std::int32_t> ids, int alternatives,
                                        const Cancel& cancel) {
    GenerateRequest request;
    request.prompt = std::move(ids);
    request.alternatives = alternatives;
    parts_->check(request);
    if (request.prompt.size() < 2) return {};
    auto job = std::make_shared<Job>(std::move(request), cancel, parts_->config.hidden);
    job->scoring = true;
    parts_->submit(job);
    return parts_->wait(*job, {}).tokens;
}

// The batcher's thread.

void Batcher::Parts::work() {
    for (;;) {
        {
            std::unique_lock lock(mutex);
            arrived.wait(lock, [&] {
                return stopping || !inbox.empty() || !schedule.running().empty() ||
                       !schedule.waiting().empty();
            });
            if (stopping) return;
            for (auto& job : inbox) schedule.add(std::move(job));
            inbox.clear();
        }
        drop_cancelled();
        try {
            if (const std::vector<Piece> pieces = plan(); !pieces.empty()) step(pieces);
        } catch (...) { // a bug of ours: the calls end with it, and not the process
            const auto running = schedule.running();
            for (const auto& job : running) fail(job);
        }
    }
}

// Their callers know from their own Cancel.
void Batcher::Parts::drop_cancelled() {
    std::vector<std::shared_ptr<Job>> all(schedule.waiting().begin(), schedule.waiting().end());
    all.insert(all.end(), schedule.running().begin(), schedule.running().end());
    for (const auto& job : all) {
        bool gone = job->cancel.cancelled();
        if (!gone) {
            std::lock_guard lock(mutex);
            gone = job->abandoned;
        }
        if (gone) schedule.remove(job);
    }
}

std::vector<Piece> Batcher::Parts::plan() {
    std::vector<Piece> pieces = schedule.next();
    std::lock_guard lock(mutex);
    counters.evicted_pages = schedule.evicted();
    counters.postponed = schedule.postponed();
    counters.most_running =
        std::max(counters.most_running, static_cast<int>(schedule.running().size()));
    for (const Piece& piece : pieces) {
        if (piece.job->begun) continue;
        piece.job->begun = true;
        piece.job->began = Job::Clock::now();
        piece.job->changed.notify_all();
    }
    return pieces;
}

void Batcher::Parts::step(const std::vector<Piece>& pieces) {
    std::vector<Chunk> chunks;
    std::vector<std::int64_t> begins;
    std::uint64_t rows = 0;
    for (const Piece& piece : pieces) {
        chunks.push_back(chunk_of(piece, config.hidden));
        begins.push_back(piece.job->sequence->length());
        rows += static_cast<std::uint64_t>(piece.count);
    }
    std::vector<float> logits;
    try {
        logits = forward.run(chunks, Cancel());
    } catch (...) {
        for (const Piece& piece : pieces) fail(piece.job);
        return;
    }
    {
        std::lock_guard lock(mutex);
        ++counters.steps;
        counters.computed_tokens += rows;
    }
    std::span<const float> rest = logits;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const auto size =
            static_cast<std::size_t>(rows_of_logits(pieces[i], chunks[i]) * config.vocab);
        try {
            after(pieces[i], begins[i], rest.first(size));
        } catch (...) {
            fail(pieces[i].job);
        }
        rest = rest.subspan(size);
    }
}

void Batcher::Parts::after(const Piece& piece, std::int64_t begin, std::span<const float> logits) {
    Job& job = *piece.job;
    if (!job.answered()) job.computed += piece.count;
    // Others find a page when it is full, and a prompt when it is complete.
    const std::int64_t end = job.sequence->length(), block = cache.block();
    if (begin / block != end / block || (job.open() == 0 && !job.answered()))
        schedule.remember(job);
    Advance news = advance(piece, begin, logits, {context(), config.vocab, options.token_count});
    if (news.ended) schedule.remove(piece.job);
    deliver(job, std::move(news));
}

void Batcher::Parts::deliver(Job& job, Advance news) {
    if (news.tokens.empty() && !news.ended) return;
    std::lock_guard lock(mutex);
    Generation& out = job.generation;
    const auto now = Job::Clock::now();
    if (out.tokens.empty() && !job.scoring) {
        job.first = now;
        const auto prompt = static_cast<std::int64_t>(job.request.prompt.size());
        out.cached_tokens = std::max<std::int64_t>(0, prompt - job.computed);
        counters.cached_tokens += static_cast<std::uint64_t>(out.cached_tokens);
    }
    std::move(news.tokens.begin(), news.tokens.end(), std::back_inserter(out.tokens));
    if (news.ended) {
        out.ended = *news.ended;
        out.queue_seconds = seconds_between(job.arrived, job.began);
        out.prefill_seconds = seconds_between(job.began, job.first);
        out.decode_seconds = seconds_between(job.first, now);
        job.done = true;
    }
    job.changed.notify_all();
}

// With the exception that is being handled.
void Batcher::Parts::fail(const std::shared_ptr<Job>& job) {
    schedule.remove(job);
    std::lock_guard lock(mutex);
    job->error = std::current_exception();
    job->done = true;
    job->changed.notify_all();
}

} // namespace assay::engine
