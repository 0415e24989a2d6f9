// The ids of a request: of the completion that it continues, and of the text that is new.
#pragma once

#include "assay/engine/engine.h"
#include "m3_conversation.h"
#include "m3_history.h"
#include "m3_images.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct M3Prompt {
    std::vector<std::int32_t> ids;
    std::vector<engine::MediaRows> media;
    std::string text;                    // as the template renders it
    std::vector<Digest> images;          // in the messages
    std::size_t known = 0;               // ids that the request's parent has already
    std::optional<std::uint64_t> broken; // byte at which the text leaves that of the parent
};

class M3Prompter {
  public:
    M3Prompter(const engine::Engine& engine, BlobStore* blobs)
        : engine_(engine)
        , images_(engine.vision(), blobs) {}

    bool sees_images() const { return images_.able(); }

    // `tools` and `thinking`: see m3_conversation.
    M3Prompt prompt(const CompletionRequest& request, const std::vector<ToolSpec>& tools,
                    const std::string& thinking, const Cancel& cancel);
    // What a request may continue from now on.
    void remember(M3Turn turn) { history_.add(std::move(turn)); }

  private:
    std::optional<std::string_view> continuation(const M3Turn& turn, std::string_view text,
                                                 const CompletionRequest& request,
                                                 const std::vector<ToolSpec>& tools,
                                                 const std::string& thinking) const;
    std::string end_text(const M3Turn& turn) const;

    const engine::Engine& engine_;
    M3Images images_;
    M3History history_;
};

} // namespace assay
