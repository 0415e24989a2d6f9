#include "recording_source.h"

#include "assay/store/reader.h"

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

class StoredCalls final : public RecordingSource {
  public:
    explicit StoredCalls(const std::string& path)
        : reader_(RunReader::open(path)) {
        std::optional<Id> arm;
        for (const ArmRecord& one : reader_->plan().arms)
            if (!arm && !one.model.empty()) arm = one.id;
        for (const TryRow& row : reader_->tries())
            if (row.end.accepted && (!arm || row.arm == *arm))
                tries_[{row.task, row.attempt}] = row.row;
    }

    std::optional<RecordedCall> call(std::string_view task, int attempt, std::string_view role,
                                     int turn) override {
        std::lock_guard lock(mutex_);
        auto found = tries_.find({std::string(task), attempt});
        if (found == tries_.end()) return std::nullopt;
        if (found->second != loaded_) {
            calls_ = reader_->calls(found->second);
            loaded_ = found->second;
        }
        for (const CallRecord& record : calls_)
            if (record.role == role && record.turn == turn) return recorded(record);
        return std::nullopt;
    }

  private:
    RecordedCall recorded(const CallRecord& record) {
        RecordedCall out;
        for (const BlobRef& added : record.added)
            out.added_message_hashes.push_back(added.hash.hex());
        if (record.error) {
            std::string_view fault = record.finish; // "error:<fault>"
            out.error = ModelError(model_fault_from(fault.substr(fault.find(':') + 1)),
                                   reader_->blob(*record.error));
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
        return out;
    }

    std::mutex mutex_;
    std::unique_ptr<RunReader> reader_;
    std::map<std::pair<std::string, int>, std::int64_t> tries_;
    std::int64_t loaded_ = 0; // the try whose calls are in calls_: row keys begin at 1
    std::vector<CallRecord> calls_;
};

} // namespace

std::shared_ptr<RecordingSource> open_recording(const std::string& path) {
    return std::make_shared<StoredCalls>(path);
}

} // namespace assay
