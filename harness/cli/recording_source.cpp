#include "recording_source.h"

#include "assay/base/error.h"
#include "assay/store/reader.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

namespace assay {

namespace {

Finish finish_from(std::string_view text) {
    for (Finish finish :
         {Finish::Stop, Finish::Length, Finish::ToolCalls, Finish::ContentFilter, Finish::Unknown})
        if (text == to_string(finish)) return finish;
    return Finish::Unknown;
}

Cause cause_from(std::string_view text) {
    for (int i = 0; i <= static_cast<int>(Cause::Aborted); ++i)
        if (text == to_string(static_cast<Cause>(i))) return static_cast<Cause>(i);
    throw Error(ErrorKind::Input, "'" + std::string(text) + "' is no cause of an interruption");
}

// "deadline: agent phase: 5 s", as TryEnd::agent_detail has it.
CancelReason reason_from(std::string_view text) {
    std::size_t colon = std::min(text.find(':'), text.size());
    std::string_view detail = text.substr(std::min(colon + 2, text.size()));
    return {cause_from(text.substr(0, colon)), std::string(detail)};
}

class StoredCalls final : public RecordingSource {
  public:
    explicit StoredCalls(const std::string& path)
        : reader_(RunReader::open(path)) {
        std::optional<Id> arm;
        for (const ArmRecord& one : reader_->plan().arms)
            if (!arm && !one.model.empty()) arm = one.id;
        for (const TryRow& row : reader_->tries())
            if (row.end.accepted && (!arm || row.arm == *arm))
                tries_[{row.task, row.attempt}] = row;
    }

    std::optional<RecordedCall> call(std::string_view task, int attempt, std::string_view role,
                                     int turn) override {
        std::lock_guard lock(mutex_);
        auto found = tries_.find({std::string(task), attempt});
        if (found == tries_.end()) return std::nullopt;
        const TryRow& row = found->second;
        if (row.row != loaded_) {
            calls_ = reader_->calls(row.row);
            loaded_ = row.row;
        }
        for (const CallRecord& record : calls_)
            if (record.role == role && record.turn == turn) return recorded(record);
        if (role != "agent" || row.end.agent != AgentEnd::Limit) return std::nullopt;
        RecordedCall cut; // the limit came between two calls: here the agent was faster
        cut.interrupted = reason_from(row.end.agent_detail);
        return cut;
    }

  private:
    RecordedCall recorded(const CallRecord& record) {
        RecordedCall out;
        for (const BlobRef& added : record.added)
            out.added_message_hashes.push_back(added.hash.hex());
        if (record.error) { // "error:<fault>" or "interrupted:<cause>"
            std::string_view kind = record.finish;
            std::string_view what = kind.substr(kind.find(':') + 1);
            std::string why = reader_->blob(*record.error);
            if (kind.starts_with("interrupted:"))
                out.interrupted = CancelReason{cause_from(what), why};
            else
                out.error = ModelError(model_fault_from(what), why);
            return out;
        }
        Completion& c = out.completion;
        c.id = record.id;
        c.message = message_from_json(reader_->blob(record.output));
        c.finish = finish_from(record.finish);
        c.usage = record.usage;
        c.model = record.model;
        c.prompt_ids = record.prompt_ids;
        c.completion_ids = record.completion_ids;
        c.logprobs = record.logprobs;
        c.prefix_broken = record.prefix_broken;
        c.template_hash = record.template_hash;
        return out;
    }

    std::mutex mutex_;
    std::unique_ptr<RunReader> reader_;
    std::map<std::pair<std::string, int>, TryRow> tries_;
    std::int64_t loaded_ = 0; // the try whose calls are in calls_: row keys begin at 1
    std::vector<CallRecord> calls_;
};

} // namespace

std::shared_ptr<RecordingSource> open_recording(const std::string& path) {
    return std::make_shared<StoredCalls>(path);
}

} // namespace assay
