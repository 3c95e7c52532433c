#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace penumbra::control {

/// One SQLite file that is ours alone: WAL, synchronous=FULL, so that what a commit returned for survives power loss.
/// Blocks on the disk. One thread at a time.
class Database {
  public:
    /// One statement with its markers bound from left to right; step() by step() until false.
    class Query {
      public:
        Query& bind(std::int64_t value);
        Query& bind(std::string_view value);
        Query& bind(std::optional<std::int64_t> value);
        /// True: there is a row to read.
        Result<bool> step();
        /// For statements without rows.
        Status run();

        std::int64_t integer(int column) const;
        std::optional<std::int64_t> optional_integer(int column) const;
        std::string text(int column) const;

      private:
        friend class Database;
        Query(sqlite3* db, sqlite3_stmt* statement, int error)
            : db_(db), statement_(statement, finalize), error_(error) {}
        static void finalize(sqlite3_stmt* statement);
        sqlite3* db_;
        std::unique_ptr<sqlite3_stmt, void (*)(sqlite3_stmt*)> statement_;
        int next_ = 1;
        int error_;  // the first that occurred; reported by step()
    };

    /// Rolls back unless committed.
    class Transaction {
      public:
        explicit Transaction(Database& db) : db_(&db) {}
        Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
        Transaction& operator=(Transaction&&) = delete;
        ~Transaction();
        Status commit();

      private:
        Database* db_;
    };

    /// Makes it where it is missing, with mode 0600.
    static Result<Database> open(const std::filesystem::path& file);
    /// Somebody else's, of whom we take nothing: for a look while a process has it.
    static Result<Database> open_to_read(const std::filesystem::path& file);

    Query query(std::string_view sql);
    /// Any number of statements without markers and rows.
    Status execute(const std::string& sql);
    Result<Transaction> begin();
    std::int64_t last_id() const;

  private:
    explicit Database(sqlite3* db) : db_(db, close) {}
    static void close(sqlite3* db);
    std::unique_ptr<sqlite3, void (*)(sqlite3*)> db_;
};

}  // namespace penumbra::control
