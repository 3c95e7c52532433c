#include "control/sqlite.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

namespace penumbra::control {

namespace {

Error error_of(sqlite3* db, int code) {
    const char* text = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    switch (code & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return {Errc::corrupt, fmt::format("state store: {}", text), code};
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return {Errc::conflict, fmt::format("state store: {}", text), code};
        case SQLITE_CONSTRAINT:
            return {Errc::already_exists, fmt::format("state store: {}", text), code};
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
            return {Errc::io, fmt::format("state store: {}", text), code};
        default:
            return {Errc::internal, fmt::format("state store: {}", text), code};
    }
}

}  // namespace

void Database::Query::finalize(sqlite3_stmt* statement) {
    sqlite3_finalize(statement);
}

Database::Query& Database::Query::bind(std::int64_t value) {
    if (error_ == SQLITE_OK) error_ = sqlite3_bind_int64(statement_.get(), next_++, value);
    return *this;
}
Database::Query& Database::Query::bind(std::string_view value) {
    // Not data() of an empty view: a null pointer would bind NULL.
    if (error_ == SQLITE_OK) {
        error_ = sqlite3_bind_text(statement_.get(), next_++, value.empty() ? "" : value.data(),
                                   static_cast<int>(value.size()), SQLITE_TRANSIENT);
    }
    return *this;
}
Database::Query& Database::Query::bind(std::optional<std::int64_t> value) {
    if (value) return bind(*value);
    if (error_ == SQLITE_OK) error_ = sqlite3_bind_null(statement_.get(), next_++);
    return *this;
}

Result<bool> Database::Query::step() {
    if (error_ != SQLITE_OK) return fail(error_of(db_, error_));
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return fail(error_of(db_, code));
}

Status Database::Query::run() {
    for (;;) {
        TRY(const bool more, step());
        if (!more) return ok();
    }
}

std::int64_t Database::Query::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

std::optional<std::int64_t> Database::Query::optional_integer(int column) const {
    if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
    return integer(column);
}

std::string Database::Query::text(int column) const {
    const auto* bytes = sqlite3_column_text(statement_.get(), column);
    if (!bytes) return {};
    return {reinterpret_cast<const char*>(bytes),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

Database::Transaction::~Transaction() {
    if (db_) (void)db_->execute("ROLLBACK");
}

Status Database::Transaction::commit() {
    auto committed = db_->execute("COMMIT");
    if (!committed) return committed;  // the destructor rolls back
    db_ = nullptr;
    return ok();
}

void Database::close(sqlite3* db) {
    sqlite3_close_v2(db);
}

Result<Database> Database::open_to_read(const std::filesystem::path& file) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
    Database db(raw);
    if (code != SQLITE_OK) return fail(error_of(raw, code).in(file.string()));
    sqlite3_busy_timeout(raw, 2000);
    return db;
}

Result<Database> Database::open(const std::filesystem::path& file) {
    // SQLite gives a new file what the umask leaves of 0644, and its log the mode of the file: names of tenants are in
    // both.
    const int made = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (made < 0) return fail(system_error("open", file.string(), errno));
    ::close(made);
    sqlite3* raw = nullptr;
    const int code =
        sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    Database db(raw);
    if (code != SQLITE_OK) return fail(error_of(raw, code).in(file.string()));
    sqlite3_busy_timeout(raw, 2000);  // a backup tool may hold it for a moment
    if (auto set = db.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"); !set) {
        return fail(std::move(set).error().in(file.string()));
    }
    return db;
}

Database::Query Database::query(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v2(db_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
    return {db_.get(), statement, code};
}

Status Database::execute(const std::string& sql) {
    const int code = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return fail(error_of(db_.get(), code));
    return ok();
}

Result<Database::Transaction> Database::begin() {
    TRY(execute("BEGIN IMMEDIATE"));
    return Transaction(*this);
}

std::int64_t Database::last_id() const {
    return sqlite3_last_insert_rowid(db_.get());
}

}  // namespace penumbra::control
