// What a trial leaves: declared artifacts, logs, and the manifest Harbor writes about them.
#pragma once

#include "assay/api/trial.h"
#include "harbor_task.h"

namespace assay::terminal_bench {

struct CollectedArtifact {
    std::string source;      // absolute, inside
    std::string destination; // below artifacts/
    std::string type;        // "file", "directory"
    std::string status;      // "ok", "empty", "failed", "skipped"
    std::string service = "main";
    Path host;                         // the copy: a folder, or the file itself
    std::vector<std::string> left_out; // links, devices, what is over the limit
};

// Runs the task's collect hooks; their failures are notes, never errors of the trial.
void run_collect_hooks(const HarborTask& task, TrialContext& context);

// Copies the declared artifacts and /logs/artifacts below `host`.
std::vector<CollectedArtifact> collect_artifacts(const HarborTask& task, Sandbox& from,
                                                 const Path& host, TrialContext& context);
// The same paths in another sandbox: what a separate verifier looks at.
void restore_artifacts(const std::vector<CollectedArtifact>& artifacts, Sandbox& to,
                       TrialContext& context);
// What restore_artifacts puts there: each file, folder and link, for ScoreResult::inputs.
std::map<std::string, Digest> artifact_inputs(const std::vector<CollectedArtifact>& artifacts);
// Stores them and artifacts/manifest.json with the trial.
void keep_artifacts(const std::vector<CollectedArtifact>& artifacts, TrialContext& context);

// Stores a folder of the sandbox with the trial, below `as`; what is too large is named in a note.
void keep_folder(Sandbox& from, const std::string& path, const std::string& as,
                 TrialContext& context, const Cancel& cancel);

void note(TrialContext& context, std::string_view text);

} // namespace assay::terminal_bench
