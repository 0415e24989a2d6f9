#include "sqlite.h"

#include <cctype>
#include <cstdio>
#include <cstring>

namespace assay {

namespace {

int open_flags(Database::Mode mode) {
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE;
    switch (mode) {
    case Database::Mode::Read:
    case Database::Mode::ReadImmutable:
        return flags | SQLITE_OPEN_READONLY;
    case Database::Mode::ReadTidy: // SQLite falls back to reading if the file is protected
    case Database::Mode::Write:
        return flags | SQLITE_OPEN_READWRITE;
    case Database::Mode::Create:
        return flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    }
    return flags;
}

} // namespace

Error sqlite_error(const std::string& file, std::string_view doing, int code,
                   const std::string& detail) {
    std::string where = std::string(doing) + " " + file + ": ";
    switch (code & 0xff) {
    case SQLITE_NOTADB:
        return Error(ErrorKind::Input, where + "this is not a run of assay (not an SQLite file)");
    case SQLITE_CORRUPT:
        return Error(ErrorKind::Input, where + "the file is damaged (" + detail + ")")
            .hint("copy it before anything else; `sqlite3 FILE .recover` may save rows");
    case SQLITE_FULL:
        return Error(ErrorKind::Io, where + "no space is left on the disk")
            .hint("free some space, then `assay resume` the run: what was finished is kept");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return Error(ErrorKind::Io, where + "another process holds it (" + detail + ")")
            .hint("wait until that process is done");
    case SQLITE_CANTOPEN:
        return Error(ErrorKind::Io, where + "cannot open the file (" + detail + ")");
    case SQLITE_READONLY:
        return Error(ErrorKind::Io, where + "the file is read-only");
    case SQLITE_IOERR:
    case SQLITE_PERM:
    case SQLITE_NOLFS:
        return Error(ErrorKind::Io, where + detail);
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return Error(ErrorKind::Input, where + detail);
    case SQLITE_ERROR: // our statements are fixed, so it is the tables that are not as expected
        return Error(ErrorKind::Input, where + "the file is damaged (" + detail + ")");
    default:
        return Error(ErrorKind::Internal,
                     where + detail + " (SQLite " + std::to_string(code) + ")");
    }
}

std::string sqlite_uri(const Path& path, std::string_view query) {
    std::string out = "file:";
    for (char c : path.string()) {
        bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '.' ||
                     c == '-' || c == '_';
        char code[4];
        std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(c));
        if (plain)
            out += c;
        else
            out += code;
    }
    if (!query.empty()) out.append("?").append(query);
    return out;
}

Database::Database(const Path& path, Mode mode, const std::string& vfs)
    : name_(path.string()) {
    sqlite3* raw = nullptr;
    std::string uri = sqlite_uri(path, mode == Mode::ReadImmutable ? "immutable=1" : "");
    int code =
        sqlite3_open_v2(uri.c_str(), &raw, open_flags(mode), vfs.empty() ? nullptr : vfs.c_str());
    handle_.reset(raw);
    if (code != SQLITE_OK)
        throw sqlite_error(name_, "open", code, raw != nullptr ? sqlite3_errmsg(raw) : "");
    // A writer may have to wait for a reader that checkpoints; a reader only for an exclusive
    // writer.
    bool reads = mode == Mode::Read || mode == Mode::ReadTidy;
    sqlite3_busy_timeout(raw, reads ? 2000 : 5000);
    // Runs come from other people too: their schema may call no function that does anything.
    sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    if (mode == Mode::ReadTidy) execute("PRAGMA query_only=1");
}

void Database::fail(std::string_view doing) const {
    int code = sqlite3_extended_errcode(handle_.get());
    std::string detail = sqlite3_errmsg(handle_.get());
    if ((code & 0xff) == SQLITE_IOERR)
        if (int number = sqlite3_system_errno(handle_.get()); number != 0)
            detail += std::string(": ") + std::strerror(number);
    throw sqlite_error(name_, doing, code, detail);
}

void Database::execute(const char* sql) {
    if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail("write");
}

std::int64_t Database::integer(const char* sql) {
    Statement statement(*this, sql);
    return statement.step() ? statement.integer(0) : 0;
}

std::string Database::text(const char* sql) {
    Statement statement(*this, sql);
    return statement.step() ? statement.text(0) : "";
}

Statement::Statement(const Database& db, std::string_view sql)
    : db_(&db) {
    sqlite3_stmt* raw = nullptr;
    int code = sqlite3_prepare_v3(db.get(), sql.data(), static_cast<int>(sql.size()),
                                  SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    handle_.reset(raw);
    if (code != SQLITE_OK) db.fail("read");
}

Statement& Statement::bind(int at, std::int64_t value) {
    if (sqlite3_bind_int64(handle_.get(), at, value) != SQLITE_OK) db_->fail("write");
    return *this;
}
Statement& Statement::bind(int at, double value) {
    if (sqlite3_bind_double(handle_.get(), at, value) != SQLITE_OK) db_->fail("write");
    return *this;
}
Statement& Statement::bind(int at, std::string_view text) {
    // A null pointer would bind NULL, and an empty text is not that.
    const char* data = text.data() != nullptr ? text.data() : "";
    if (sqlite3_bind_text64(handle_.get(), at, data, text.size(), SQLITE_STATIC, SQLITE_UTF8) !=
        SQLITE_OK)
        db_->fail("write");
    return *this;
}
Statement& Statement::bind_blob(int at, const void* data, std::size_t size) {
    const void* start = data != nullptr ? data : "";
    if (sqlite3_bind_blob64(handle_.get(), at, start, size, SQLITE_STATIC) != SQLITE_OK)
        db_->fail("write");
    return *this;
}
Statement& Statement::bind_null(int at) {
    if (sqlite3_bind_null(handle_.get(), at) != SQLITE_OK) db_->fail("write");
    return *this;
}

bool Statement::step() {
    int code = sqlite3_step(handle_.get());
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) {
        // fail() reads the handle's last error, which reset() would overwrite on success.
        const char* doing = sqlite3_stmt_readonly(handle_.get()) != 0 ? "read" : "write";
        std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> reset_after(handle_.get(),
                                                                          sqlite3_reset);
        db_->fail(doing);
    }
    sqlite3_reset(handle_.get());
    return false;
}

void Statement::run() {
    while (step()) {
    }
}

void Statement::reset() {
    sqlite3_reset(handle_.get());
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}
std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(handle_.get(), column);
}
double Statement::real(int column) const {
    return sqlite3_column_double(handle_.get(), column);
}
std::string_view Statement::view(int column) const {
    const void* data = sqlite3_column_blob(handle_.get(), column);
    auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column));
    return {static_cast<const char*>(data), data == nullptr ? 0 : size};
}

namespace {
template<class T>
T fixed(std::string_view data, const Database& db) {
    T out;
    if (data.size() != out.bytes.size())
        throw Error(ErrorKind::Input, "read " + db.name() + ": an id or hash has " +
                                          std::to_string(data.size()) + " bytes instead of " +
                                          std::to_string(out.bytes.size()));
    std::memcpy(out.bytes.data(), data.data(), data.size());
    return out;
}
} // namespace

Id Statement::id(int column) const {
    return fixed<Id>(view(column), *db_);
}
Digest Statement::digest(int column) const {
    return fixed<Digest>(view(column), *db_);
}

Transaction::Transaction(Database& db)
    : db_(db) {
    db_.execute("BEGIN IMMEDIATE");
}
Transaction::~Transaction() {
    if (open_ && db_.in_transaction())
        sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}
void Transaction::commit() {
    db_.execute("COMMIT");
    open_ = false;
}

} // namespace assay
