// The right to write a run: a lock (of the open file description, so also
// against a second open in this process) on "RUN.db-lock" beside it. A file of its own, because
// closing any descriptor of the database itself would drop the locks that SQLite holds on it.
#pragma once

#include "assay/base/fd.h"
#include "assay/base/fs.h"

namespace assay {

class FileLock {
  public:
    explicit FileLock(const Path& database); // Error(Usage) if another process writes the run
    ~FileLock();                             // removes the lock file
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;

    static bool held(const Path& database); // by anyone, at this moment

  private:
    Path path_;
    UniqueFd fd_;
    bool mine_ = false;
};

} // namespace assay
