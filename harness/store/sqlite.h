// A thin wrapper over the SQLite C interface: handles with deleters, errors as Error, nothing else.
//
//   Database db(path, Database::Mode::Create, "");
//   Statement insert(db, "INSERT INTO t VALUES(?,?)");
//   insert.bind(1, 7).bind(2, "text").run();
//   Statement all(db, "SELECT a FROM t");
//   while (all.step()) use(all.integer(0));
//
// A Database and its Statements belong to one thread at a time (opened with NOMUTEX). Text and
// blobs are bound without a copy: they must live until the next run(), step() to the end, or
// reset().
#pragma once

#include "assay/base/error.h"
#include "assay/base/fs.h"
#include "assay/base/hash.h"

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace assay {

class Database {
  public:
    // ReadTidy: reads as Read does, but the last to close removes the write-ahead log's files.
    enum class Mode { Read, ReadTidy, ReadImmutable, Write, Create };
    // `vfs`: name of a registered SQLite VFS, empty for the default.
    Database(const Path& path, Mode mode, const std::string& vfs);

    void execute(const char* sql);         // one or more statements, no results
    std::int64_t integer(const char* sql); // first column of the first row
    std::string text(const char* sql);
    bool in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }
    std::int64_t changes() const { return sqlite3_changes64(handle_.get()); }

    sqlite3* get() const { return handle_.get(); }
    const std::string& name() const { return name_; }
    [[noreturn]] void fail(std::string_view doing) const; // from the handle's last error

  private:
    struct Close {
        void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
    };
    std::unique_ptr<sqlite3, Close> handle_;
    std::string name_;
};

// The kind and sentence for a SQLite result code on a file.
Error sqlite_error(const std::string& file, std::string_view doing, int code,
                   const std::string& detail);
// "file:" URI of a path, with a query such as "mode=ro".
std::string sqlite_uri(const Path& path, std::string_view query);

class Statement {
  public:
    Statement() = default;
    Statement(const Database& db, std::string_view sql);

    Statement& bind(int at, std::int64_t value);
    Statement& bind(int at, std::uint64_t value) {
        return bind(at, static_cast<std::int64_t>(value));
    }
    Statement& bind(int at, int value) { return bind(at, static_cast<std::int64_t>(value)); }
    Statement& bind(int at, double value);
    Statement& bind(int at, std::string_view text);
    Statement& bind(int at, const char* text) { return bind(at, std::string_view(text)); }
    Statement& bind(int at, const Id& id) { return bind_blob(at, id.bytes.data(), 16); }
    Statement& bind(int at, const Digest& hash) { return bind_blob(at, hash.bytes.data(), 32); }
    Statement& bind_blob(int at, const void* data, std::size_t size);
    Statement& bind_blob(int at, std::string_view data) {
        return bind_blob(at, data.data(), data.size());
    }
    Statement& bind_null(int at);
    template<class T>
    Statement& bind(int at, const std::optional<T>& value) {
        return value ? bind(at, *value) : bind_null(at);
    }

    void run();  // to the end, then reset
    bool step(); // true: a row is there; false: done, and reset
    void reset();

    bool is_null(int column) const;
    std::int64_t integer(int column) const;
    double real(int column) const;
    std::string_view view(int column) const; // text or blob; valid until the next step
    std::string text(int column) const { return std::string(view(column)); }
    Id id(int column) const;         // Error(Input) unless 16 bytes
    Digest digest(int column) const; // Error(Input) unless 32 bytes

  private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    const Database* db_ = nullptr;
    std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

class Transaction { // rolled back unless committed
  public:
    explicit Transaction(Database& db);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    void commit();

  private:
    Database& db_;
    bool open_ = true;
};

} // namespace assay
