// Runs on the engine with a tiny checkpoint, and the calls that they store.
#pragma once

#include "assay/store/reader.h"
#include "assay/store/store.h"
#include "binary.h"
#include "tiny_checkpoint.h"

#include <map>
#include <utility>

namespace assay::test {

struct EngineRun {
    EngineRun() { TinyCheckpoint().write(assay.folder() / "tiny"); }

    CommandResult operator()(std::vector<std::string> words) {
        words.insert(words.begin(), "run");
        return assay(std::move(words));
    }
    // Of each task and attempt, in order.
    std::map<std::pair<std::string, int>, std::vector<CallRecord>> calls(const std::string& file) {
        auto reader = RunReader::open(assay.folder() / file);
        std::map<std::pair<std::string, int>, std::vector<CallRecord>> out;
        for (const TryRow& row : reader->tries())
            out[{row.task, row.attempt}] = reader->calls(row.row);
        return out;
    }

    Binary assay;
};

} // namespace assay::test
