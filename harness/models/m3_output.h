// From the ids of a completion to its message, piece by piece.
#pragma once

#include "assay/api/model.h"
#include "assay/engine/engine.h"
#include "assay/engine/output_parser.h"
#include "assay/engine/sampler.h"
#include "assay/engine/tokenizer.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// Text up to a stop string; what may be the beginning of one waits.
class StopStrings {
  public:
    explicit StopStrings(std::vector<std::string> stops)
        : stops_(std::move(stops)) {}
    std::string feed(std::string_view text); // what is certainly no part of one
    std::string finish();                    // what waited
    bool hit() const { return hit_; }
    const std::string& which() const { return which_; } // empty: none was hit

  private:
    std::vector<std::string> stops_;
    std::string pending_, which_;
    bool hit_ = false;
};

// For GenerateRequest::stop: true at the token with which a stop string is complete.
std::function<bool(const engine::TokenChoice&)>
stop_watch(std::shared_ptr<const engine::Tokenizer> tokenizer, std::vector<std::string> stops);

class M3Output {
  public:
    struct Settings {
        engine::ThinkingMode thinking = engine::ThinkingMode::Adaptive;
        std::string tools;             // see m3_tools
        std::vector<std::string> stop; // strings
        bool plain = false;            // no reasoning, no calls: all is text
    };

    M3Output(const engine::Engine& engine, const Settings& settings, const DeltaSink& sink);

    void push(const engine::TokenChoice& choice);
    void finish();

    // After finish(). Calls are numbered from `first_call`.
    Message message(std::size_t first_call) const;
    std::uint64_t reasoning_tokens() const { return reasoning_tokens_; }
    const std::string& raw() const { return raw_; }            // without the token that ended it
    bool ended() const { return ended_; }                      // by such a token
    const std::string& stop() const { return stops_.which(); } // that ended it; empty: none

  private:
    void feed(std::string_view text);
    void tell(const engine::OutputDelta& delta);

    const engine::Engine& engine_;
    const DeltaSink& sink_;
    const bool plain_;
    engine::TextStream text_;
    StopStrings stops_;
    std::unique_ptr<engine::OutputParser> parser_;
    std::string raw_, said_;
    std::uint64_t reasoning_tokens_ = 0;
    bool reasoning_ = false; // the last piece was
    bool ended_ = false;
};

} // namespace assay
