#include "control/state_store.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/inject.h"
#include "control/records.h"
#include "control/sqlite.h"

namespace penumbra::control {

namespace {

using routing::Epoch;
using routing::Phase;
using routing::ScopeId;

constexpr int kSchemaVersion = 1;
// STRICT: a text in a number's place is an error when it is written, not when it is read.
constexpr const char* kSchema = R"sql(
CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE migrations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- AUTOINCREMENT: an id is never given out twice, also after a deletion
    name TEXT NOT NULL UNIQUE,
    tenants TEXT NOT NULL, allow TEXT NOT NULL, deny TEXT NOT NULL,
    phase TEXT NOT NULL, epoch INTEGER NOT NULL,
    created_at INTEGER NOT NULL, shadow_since INTEGER,
    copy_state TEXT NOT NULL, copy_rows INTEGER NOT NULL, copy_finished_at INTEGER,
    verify_state TEXT NOT NULL, verify_rows INTEGER NOT NULL, verify_differences INTEGER NOT NULL,
    verify_started_at INTEGER, verify_finished_at INTEGER,
    last_from TEXT, last_to TEXT, last_wait_nanos INTEGER, last_held INTEGER, last_at INTEGER) STRICT;
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, repair INTEGER NOT NULL, scope INTEGER NOT NULL, migration TEXT NOT NULL, state TEXT NOT NULL,
    started_at INTEGER NOT NULL, finished_at INTEGER,
    done INTEGER NOT NULL, total INTEGER NOT NULL, report TEXT NOT NULL, error TEXT NOT NULL) STRICT;
CREATE TABLE portions (
    scope INTEGER NOT NULL, keyspace TEXT NOT NULL, tbl TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, tenant TEXT NOT NULL,
    PRIMARY KEY (scope, keyspace, tbl, first, last, tenant)) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL, migration TEXT NOT NULL, command TEXT NOT NULL, from_phase TEXT, to_phase TEXT, gates TEXT NOT NULL,
    forced INTEGER NOT NULL, reason TEXT NOT NULL, outcome TEXT NOT NULL, error TEXT NOT NULL,
    epoch INTEGER, wait_nanos INTEGER, held INTEGER NOT NULL) STRICT;
CREATE INDEX audit_by_migration ON audit (migration, id);
)sql";

/// Holds DIR/lock for the life of the process; the kernel lets go of it when we die, however that happens.
class DirectoryLock {
  public:
    static Result<DirectoryLock> take(const std::filesystem::path& directory) {
        const auto path = directory / "lock";
        DirectoryLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        if (lock.fd_ < 0) return fail(system_error("open", path.string(), errno));
        if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
            std::array<char, 32> pid{};
            const auto got = ::pread(lock.fd_, pid.data(), pid.size() - 1, 0);
            return fail(Errc::conflict,
                        fmt::format("state directory {} is in use by another penumbra{}; stop that one, or give this "
                                    "one its own --state",
                                    directory.string(), got > 0 ? fmt::format(" (process {})", pid.data()) : ""));
        }
        const auto pid = std::to_string(::getpid());
        if (::ftruncate(lock.fd_, 0) != 0 || ::pwrite(lock.fd_, pid.data(), pid.size(), 0) < 0)
            return fail(system_error("write", path.string(), errno));
        return lock;
    }
    DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    DirectoryLock& operator=(DirectoryLock&&) = delete;
    ~DirectoryLock() {
        if (fd_ >= 0) ::close(fd_);
    }

  private:
    explicit DirectoryLock(int fd) : fd_(fd) {}
    int fd_;
};

std::optional<std::int64_t> signed_of(std::optional<std::uint64_t> value) {
    if (!value) return std::nullopt;
    return static_cast<std::int64_t>(*value);
}

std::vector<std::string> texts_of(const std::vector<routing::TablePattern>& patterns) {
    std::vector<std::string> texts;
    for (const auto& pattern : patterns) texts.push_back(pattern.text());
    return texts;
}

Result<std::vector<routing::TablePattern>> patterns_of(std::string_view json) {
    TRY(const auto texts, decode_texts(json));
    std::vector<routing::TablePattern> patterns;
    for (const auto& text : texts) {
        TRY(auto pattern, routing::TablePattern::parse(text));
        patterns.push_back(std::move(pattern));
    }
    return patterns;
}

constexpr std::string_view kMigrationColumns =
    "id, name, tenants, allow, deny, phase, epoch, created_at, shadow_since, copy_state, copy_rows, copy_finished_at, "
    "verify_state, verify_rows, "
    "verify_differences, verify_started_at, verify_finished_at, last_from, last_to, last_wait_nanos, last_held, "
    "last_at";

Result<Migration> read_migration(const Database::Query& row) {
    Migration migration;
    migration.id = ScopeId(static_cast<std::uint32_t>(row.integer(0)));
    migration.name = row.text(1);
    TRY(auto tenants, decode_texts(row.text(2)));
    migration.scope.tenants = std::move(tenants);
    TRY(auto allow, patterns_of(row.text(3)));
    migration.scope.allow = std::move(allow);
    TRY(auto deny, patterns_of(row.text(4)));
    migration.scope.deny = std::move(deny);
    TRY(const auto phase, routing::parse_phase(row.text(5)));
    migration.phase = phase;
    migration.epoch = Epoch(static_cast<std::uint64_t>(row.integer(6)));
    migration.created_at = row.integer(7);
    migration.shadow_since = row.optional_integer(8);
    TRY(const auto copy_state, parse_copy_state(row.text(9)));
    migration.copy = {copy_state, static_cast<std::uint64_t>(row.integer(10)), row.optional_integer(11)};
    TRY(const auto verify_state, parse_verify_state(row.text(12)));
    migration.verify = {verify_state, static_cast<std::uint64_t>(row.integer(13)),
                        static_cast<std::uint64_t>(row.integer(14)), row.optional_integer(15),
                        row.optional_integer(16)};
    if (const auto at = row.optional_integer(21)) {
        TRY(const auto from, routing::parse_phase(row.text(17)));
        TRY(const auto to, routing::parse_phase(row.text(18)));
        migration.last_switch =
            LastSwitch{from, to, Nanos(row.integer(19)), static_cast<std::uint64_t>(row.integer(20)), *at};
    }
    return migration;
}

void bind_last_switch(Database::Query& query, const std::optional<LastSwitch>& last) {
    if (!last) {
        for (int i = 0; i < 5; ++i) query.bind(std::optional<std::int64_t>());
        return;
    }
    query.bind(routing::to_string(last->from))
        .bind(routing::to_string(last->to))
        .bind(static_cast<std::int64_t>(last->wait.count()))
        .bind(static_cast<std::int64_t>(last->held_requests))
        .bind(last->at);
}

Result<std::optional<Phase>> optional_phase(const std::string& text) {
    if (text.empty()) return std::optional<Phase>();
    TRY(const auto phase, routing::parse_phase(text));
    return std::optional<Phase>(phase);
}

}  // namespace

struct StateStore::State {
    DirectoryLock lock;
    Database db;

    Result<Epoch> next_epoch() {
        auto query = db.query(
            "INSERT INTO notes (key, value) VALUES ('epoch', '1') "
            "ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) RETURNING CAST(value AS "
            "INTEGER)");
        TRY(const bool row, query.step());
        if (!row) return fail(Errc::internal, "state store: no epoch came back");
        const Epoch epoch(static_cast<std::uint64_t>(query.integer(0)));
        TRY(query.run());
        return epoch;
    }

    Status write_record_of(JobKind kind, const Migration& migration) {
        const auto id = static_cast<std::int64_t>(migration.id.value());
        switch (kind) {
            case JobKind::copy: {
                auto query =
                    db.query("UPDATE migrations SET copy_state = ?, copy_rows = ?, copy_finished_at = ? WHERE id = ?");
                query.bind(to_string(migration.copy.state))
                    .bind(static_cast<std::int64_t>(migration.copy.rows))
                    .bind(migration.copy.finished_at)
                    .bind(id);
                return query.run();
            }
            case JobKind::verify: {
                auto query = db.query(
                    "UPDATE migrations SET verify_state = ?, verify_rows = ?, verify_differences = ?, "
                    "verify_started_at = ?, "
                    "verify_finished_at = ? WHERE id = ?");
                query.bind(to_string(migration.verify.state))
                    .bind(static_cast<std::int64_t>(migration.verify.rows))
                    .bind(static_cast<std::int64_t>(migration.verify.differences))
                    .bind(migration.verify.started_at)
                    .bind(migration.verify.finished_at)
                    .bind(id);
                return query.run();
            }
        }
        return ok();
    }

    Status run_for(std::string_view sql, ScopeId scope) {
        auto query = db.query(sql);
        return query.bind(static_cast<std::int64_t>(scope.value())).run();
    }

    Status write(const JobRecord& job) {
        auto query = db.query(
            "UPDATE jobs SET state = ?, finished_at = ?, done = ?, total = ?, report = ?, error = ? WHERE id = ?");
        query.bind(to_string(job.state))
            .bind(job.finished_at)
            .bind(static_cast<std::int64_t>(job.done))
            .bind(static_cast<std::int64_t>(job.total))
            .bind(encode_report(job.report))
            .bind(job.error)
            .bind(static_cast<std::int64_t>(job.id.value()));
        return query.run();
    }

    Result<std::vector<JobRecord>> read_jobs(Database::Query query) {
        std::vector<JobRecord> jobs;
        for (;;) {
            TRY(const bool row, query.step());
            if (!row) return jobs;
            JobRecord job;
            job.id = JobId(static_cast<std::uint64_t>(query.integer(0)));
            TRY(const auto kind, parse_job_kind(query.text(1)));
            job.kind = kind;
            job.repair = query.integer(2) != 0;
            job.scope = ScopeId(static_cast<std::uint32_t>(query.integer(3)));
            job.migration = query.text(4);
            TRY(const auto state, parse_job_state(query.text(5)));
            job.state = state;
            job.started_at = query.integer(6);
            job.finished_at = query.optional_integer(7);
            job.done = static_cast<std::uint64_t>(query.integer(8));
            job.total = static_cast<std::uint64_t>(query.integer(9));
            TRY(auto report, decode_report(query.text(10)));
            job.report = std::move(report);
            job.error = query.text(11);
            jobs.push_back(std::move(job));
        }
    }
};

StateStore::StateStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
StateStore::StateStore(StateStore&&) noexcept = default;
StateStore::~StateStore() = default;

namespace {

Status sync_directory(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = fd >= 0 && ::fsync(fd) == 0;
    const int error = errno;
    if (fd >= 0) ::close(fd);
    // A place that is not ours, of which we may read nothing: somebody else saw to it.
    constexpr std::array kNotOurs{EACCES, EPERM, EROFS, EINVAL, ENOTSUP};
    if (synced || std::ranges::find(kNotOurs, error) != kNotOurs.end()) return ok();
    return fail(system_error("fsync directory", path.string(), error));
}

/// The directory and those above it that are missing, each known to its parent on disk: what is acknowledged out of it
/// must not go with a name that the parent had not written yet. Ours alone: it will hold users' data.
Status make_directory(const std::filesystem::path& directory) {
    std::error_code error;
    if (std::filesystem::exists(directory, error)) return ok();
    const auto parent = directory.has_parent_path() ? directory.parent_path() : std::filesystem::path(".");
    if (parent != directory) {
        TRY(make_directory(parent));
    }
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
        const int reason = errno;
        return fail(Errc::io,
                    fmt::format("cannot make the state directory {}: {}", directory.string(),
                                std::generic_category().message(reason)),
                    reason);
    }
    return sync_directory(parent);
}

}  // namespace

Result<StateStore> StateStore::open(const std::filesystem::path& directory) {
    TRY(make_directory(directory.has_filename() ? directory : directory.parent_path()));
    TRY(auto lock, DirectoryLock::take(directory));
    TRY(auto db, Database::open(directory / "state.db"));
    int version = 0;
    {
        auto query = db.query("PRAGMA user_version");
        TRY(const bool row, query.step());
        if (row) version = static_cast<int>(query.integer(0));
    }
    if (version > kSchemaVersion) {
        return fail(Errc::unsupported,
                    fmt::format("{} was written by a newer penumbra (version {} of its tables, this one knows {})",
                                (directory / "state.db").string(), version, kSchemaVersion));
    }
    if (version == 0) {
        TRY(auto transaction, db.begin());
        TRY(db.execute(kSchema));
        TRY(db.execute(fmt::format("PRAGMA user_version = {}", kSchemaVersion)));
        TRY(transaction.commit());
    }
    return StateStore(std::make_unique<State>(State{std::move(lock), std::move(db)}));
}

Result<std::optional<std::string>> StateStore::note(std::string_view key) {
    auto query = state_->db.query("SELECT value FROM notes WHERE key = ?");
    TRY(const bool row, query.bind(key).step());
    return row ? std::optional<std::string>(query.text(0)) : std::nullopt;
}

Status StateStore::set_note(std::string_view key, std::string_view value) {
    auto query = state_->db.query(
        "INSERT INTO notes (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value");
    return query.bind(key).bind(value).run();
}

Result<Epoch> StateStore::epoch() {
    auto query = state_->db.query("SELECT CAST(value AS INTEGER) FROM notes WHERE key = 'epoch'");
    TRY(const bool row, query.step());
    return Epoch(row ? static_cast<std::uint64_t>(query.integer(0)) : 0);
}

Result<Epoch> StateStore::raise_epoch() {
    return state_->next_epoch();
}

namespace {

Result<std::vector<Migration>> migrations_in(Database& db) {
    auto query = db.query(fmt::format("SELECT {} FROM migrations ORDER BY id", kMigrationColumns));
    std::vector<Migration> all;
    for (;;) {
        TRY(const bool row, query.step());
        if (!row) return all;
        auto migration = read_migration(query);
        if (!migration) return fail(std::move(migration).error().in(fmt::format("migration '{}'", query.text(1))));
        all.push_back(std::move(migration).value());
    }
}

}  // namespace

Result<std::vector<Migration>> StateStore::peek(const std::filesystem::path& directory) {
    TRY(auto db, Database::open_to_read(directory / "state.db"));
    return migrations_in(db);
}

Result<std::vector<Migration>> StateStore::migrations() {
    return migrations_in(state_->db);
}

Result<Migration> StateStore::create(Migration migration) {
    TRY(auto transaction, state_->db.begin());
    TRY(migration.epoch, state_->next_epoch());
    {
        auto query = state_->db.query(
            "INSERT INTO migrations (name, tenants, allow, deny, phase, epoch, created_at, copy_state, copy_rows, "
            "verify_state, "
            "verify_rows, verify_differences) VALUES (?, ?, ?, ?, ?, ?, ?, 'none', 0, 'none', 0, 0)");
        query.bind(migration.name)
            .bind(encode_texts(migration.scope.tenants))
            .bind(encode_texts(texts_of(migration.scope.allow)))
            .bind(encode_texts(texts_of(migration.scope.deny)))
            .bind(routing::to_string(migration.phase))
            .bind(static_cast<std::int64_t>(migration.epoch.value()))
            .bind(migration.created_at);
        TRY(query.run());
    }
    migration.id = ScopeId(static_cast<std::uint32_t>(state_->db.last_id()));
    TRY(transaction.commit());
    return migration;
}

Result<Epoch> StateStore::advance(const Migration& migration, Work work) {
    TRY(auto transaction, state_->db.begin());
    TRY(const auto epoch, state_->next_epoch());
    {
        auto query = state_->db.query(
            "UPDATE migrations SET phase = ?, epoch = ?, shadow_since = ?, last_from = ?, last_to = ?, last_wait_nanos "
            "= ?, "
            "last_held = ?, last_at = ? WHERE id = ? RETURNING id");
        query.bind(routing::to_string(migration.phase))
            .bind(static_cast<std::int64_t>(epoch.value()))
            .bind(migration.shadow_since);
        bind_last_switch(query, migration.last_switch);
        query.bind(static_cast<std::int64_t>(migration.id.value()));
        TRY(const bool known, query.step());
        if (!known) return fail(Errc::not_found, fmt::format("state store: migration '{}' is gone", migration.name));
        TRY(query.run());
    }
    if (work != Work::keep) {
        TRY(state_->run_for("DELETE FROM portions WHERE scope = ?", migration.id));
    }
    if (work == Work::forget_all) {
        Migration fresh;
        fresh.id = migration.id;
        TRY(state_->write_record_of(JobKind::copy, fresh));
        TRY(state_->write_record_of(JobKind::verify, fresh));
    }
    // A disk that takes its time, while the fence is up: who is not held then is found out.
    if (INJECT("control.slow_disk")) std::this_thread::sleep_for(Millis(300));
    TRY(transaction.commit());
    return epoch;
}

Status StateStore::set_last_switch(ScopeId id, const LastSwitch& last) {
    auto query = state_->db.query(
        "UPDATE migrations SET last_from = ?, last_to = ?, last_wait_nanos = ?, last_held = ?, last_at = ? WHERE id = "
        "?");
    bind_last_switch(query, last);
    return query.bind(static_cast<std::int64_t>(id.value())).run();
}

Result<Epoch> StateStore::remove(ScopeId id) {
    TRY(auto transaction, state_->db.begin());
    TRY(const auto epoch, state_->next_epoch());
    TRY(state_->run_for("DELETE FROM portions WHERE scope = ?", id));
    TRY(state_->run_for("DELETE FROM migrations WHERE id = ?", id));
    TRY(transaction.commit());
    return epoch;
}

Result<std::uint64_t> StateStore::begin_audit(const AuditEntry& entry) {
    auto query = state_->db.query(
        "INSERT INTO audit (at, migration, command, from_phase, to_phase, gates, forced, reason, outcome, error, "
        "epoch, wait_nanos, held) "
        "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)");
    query.bind(entry.at)
        .bind(entry.migration)
        .bind(entry.command)
        .bind(entry.from ? routing::to_string(*entry.from) : std::string_view())
        .bind(entry.to ? routing::to_string(*entry.to) : std::string_view())
        .bind(encode_gates(entry.gates))
        .bind(std::int64_t{entry.forced})
        .bind(entry.reason)
        .bind(entry.outcome)
        .bind(entry.error)
        .bind(signed_of(entry.epoch))
        .bind(entry.wait ? std::optional<std::int64_t>(entry.wait->count()) : std::nullopt)
        .bind(static_cast<std::int64_t>(entry.held_requests));
    TRY(query.run());
    return static_cast<std::uint64_t>(state_->db.last_id());
}

Status StateStore::end_audit(const AuditEntry& entry) {
    auto query = state_->db.query(
        "UPDATE audit SET gates = ?, outcome = ?, error = ?, epoch = ?, wait_nanos = ?, held = ? WHERE id = ?");
    query.bind(encode_gates(entry.gates))
        .bind(entry.outcome)
        .bind(entry.error)
        .bind(signed_of(entry.epoch))
        .bind(entry.wait ? std::optional<std::int64_t>(entry.wait->count()) : std::nullopt)
        .bind(static_cast<std::int64_t>(entry.held_requests))
        .bind(static_cast<std::int64_t>(entry.id));
    return query.run();
}

Result<std::vector<AuditEntry>> StateStore::audit(std::string_view migration, std::size_t limit) {
    auto query = state_->db.query(
        "SELECT id, at, migration, command, from_phase, to_phase, gates, forced, reason, outcome, error, epoch, "
        "wait_nanos, held "
        "FROM audit WHERE migration = ? ORDER BY id DESC LIMIT ?");
    query.bind(migration).bind(static_cast<std::int64_t>(limit));
    std::vector<AuditEntry> entries;
    for (;;) {
        TRY(const bool row, query.step());
        if (!row) return entries;
        AuditEntry entry;
        entry.id = static_cast<std::uint64_t>(query.integer(0));
        entry.at = query.integer(1);
        entry.migration = query.text(2);
        entry.command = query.text(3);
        TRY(entry.from, optional_phase(query.text(4)));
        TRY(entry.to, optional_phase(query.text(5)));
        TRY(entry.gates, decode_gates(query.text(6)));
        entry.forced = query.integer(7) != 0;
        entry.reason = query.text(8);
        entry.outcome = query.text(9);
        entry.error = query.text(10);
        if (const auto epoch = query.optional_integer(11)) entry.epoch = static_cast<std::uint64_t>(*epoch);
        if (const auto wait = query.optional_integer(12)) entry.wait = Nanos(*wait);
        entry.held_requests = static_cast<std::uint64_t>(query.integer(13));
        entries.push_back(std::move(entry));
    }
}

Result<JobId> StateStore::begin_job(JobRecord job, const Migration& migration) {
    TRY(auto transaction, state_->db.begin());
    {
        auto query = state_->db.query(
            "INSERT INTO jobs (kind, repair, scope, migration, state, started_at, done, total, report, error) "
            "VALUES (?, ?, ?, ?, ?, ?, 0, 0, ?, '')");
        query.bind(to_string(job.kind))
            .bind(std::int64_t{job.repair})
            .bind(static_cast<std::int64_t>(job.scope.value()))
            .bind(job.migration)
            .bind(to_string(job.state))
            .bind(job.started_at)
            .bind(encode_report(job.report));
        TRY(query.run());
    }
    const JobId id(static_cast<std::uint64_t>(state_->db.last_id()));
    TRY(state_->write_record_of(job.kind, migration));
    TRY(transaction.commit());
    return id;
}

Status StateStore::end_job(const JobRecord& job, const Migration& migration) {
    TRY(auto transaction, state_->db.begin());
    TRY(state_->write(job));
    TRY(state_->write_record_of(job.kind, migration));
    return transaction.commit();
}

Status StateStore::add_portions(const std::vector<sync::Portion>& portions, const JobRecord& counts) {
    TRY(auto transaction, state_->db.begin());
    for (const auto& portion : portions) {
        auto query = state_->db.query(
            "INSERT OR IGNORE INTO portions (scope, keyspace, tbl, first, last, tenant) VALUES (?, ?, ?, ?, ?, ?)");
        query.bind(static_cast<std::int64_t>(counts.scope.value()))
            .bind(portion.keyspace)
            .bind(portion.table)
            .bind(portion.range.start.value())
            .bind(portion.range.end.value())
            .bind(portion.tenant);
        TRY(query.run());
    }
    TRY(state_->write(counts));
    return transaction.commit();
}

Result<std::vector<sync::Portion>> StateStore::portions(ScopeId scope) {
    auto query = state_->db.query("SELECT keyspace, tbl, first, last, tenant FROM portions WHERE scope = ?");
    query.bind(static_cast<std::int64_t>(scope.value()));
    std::vector<sync::Portion> portions;
    for (;;) {
        TRY(const bool row, query.step());
        if (!row) return portions;
        portions.push_back({query.text(0),
                            query.text(1),
                            {cql::Token(query.integer(2)), cql::Token(query.integer(3))},
                            query.text(4)});
    }
}

Status StateStore::forget_portions(ScopeId scope) {
    return state_->run_for("DELETE FROM portions WHERE scope = ?", scope);
}

namespace {
constexpr std::string_view kJobColumns =
    "id, kind, repair, scope, migration, state, started_at, finished_at, done, total, report, error";
}

Result<std::optional<JobRecord>> StateStore::job(JobId id) {
    auto query = state_->db.query(fmt::format("SELECT {} FROM jobs WHERE id = ?", kJobColumns));
    query.bind(static_cast<std::int64_t>(id.value()));
    TRY(auto jobs, state_->read_jobs(std::move(query)));
    if (jobs.empty()) return std::optional<JobRecord>();
    return std::optional<JobRecord>(std::move(jobs.front()));
}

Result<std::vector<JobRecord>> StateStore::running_jobs() {
    return state_->read_jobs(
        state_->db.query(fmt::format("SELECT {} FROM jobs WHERE state = 'running' ORDER BY id", kJobColumns)));
}

Status StateStore::mark_interrupted(WallMicros now) {
    TRY(auto transaction, state_->db.begin());
    for (const auto* sql :
         {"UPDATE jobs SET state = 'failed', finished_at = ?, error = 'cut off by a restart; run it again' WHERE state "
          "= 'running' AND kind = 'verify'",
          "UPDATE migrations SET verify_state = 'failed', verify_finished_at = ? WHERE verify_state = 'running'"}) {
        auto query = state_->db.query(sql);
        TRY(query.bind(now).run());
    }
    TRY(state_->db.execute("UPDATE audit SET outcome = 'interrupted' WHERE outcome = 'started'"));
    return transaction.commit();
}

}  // namespace penumbra::control
