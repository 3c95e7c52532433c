#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/bounded_cache.h"
#include "base/bytes.h"
#include "cql/language/statement.h"
#include "cql/protocol/md5.h"
#include "cql/protocol/responses.h"
#include "proxy/plan.h"
#include "routing/phase.h"

namespace penumbra::proxy {

/// The id by which clients know a prepared statement: ours, the same from every proxy and in every phase, whatever the
/// clusters call it.
cql::Md5 client_id(std::string_view text, std::string_view keyspace, bool fully_qualified);

/// Of the columns of a result, by name and type: what a client that knows them need not be told again. The same from
/// each cluster, and the result metadata id by which v5 clients know ours.
cql::Md5 digest_of(const cql::RowsMetadata& metadata);

/// A statement that some client prepared. Immutable; shared by all shards.
struct PreparedText {
    cql::Md5 id{};
    std::string keyspace;  ///< that completes its names; empty where it names its own
    cql::OwnedStatement statement;
    cql::Md5 told;  ///< digest of the result columns that the client was told
    RepeatedNamesPtr repeated_names;

    PreparedText(std::string text, std::string_view session_keyspace, const cql::Md5& told_columns);
    const std::string& text() const { return statement.text(); }
    /// What clusters prepare to execute it.
    const std::string& text_for_clusters() const { return repeated_names ? repeated_names->text() : text(); }
};
using PreparedTextPtr = std::shared_ptr<const PreparedText>;

/// Ids are digests: any part of one is as good as a hash.
struct IdHash {
    std::size_t operator()(const cql::Md5& id) const noexcept { return load_be<std::uint64_t>(id.data()); }
};
template <class Value>
using ById = BoundedCache<cql::Md5, Value, IdHash>;

/// All prepared statements of the process: a client may prepare on one connection, hence one shard, and execute on
/// another. Any thread; shards keep what they use (see Statements), so the lock is for first uses alone.
class PreparedRegistry {
  public:
    /// Beyond the limit the least used are dropped: whoever executes one of them is told UNPREPARED and prepares it
    /// again, as any driver does.
    explicit PreparedRegistry(std::size_t limit) : texts_(limit) {}
    void add(const PreparedTextPtr& text);
    PreparedTextPtr find(const cql::Md5& id);
    std::size_t size() const;

  private:
    mutable std::mutex mutex_;  // guards the cache
    ById<PreparedTextPtr> texts_;
};

/// What one cluster calls a prepared statement, and what it says of its rows.
struct BackendStatement {
    Bytes id;                  ///< empty until it was prepared there by this shard
    Bytes result_metadata_id;  ///< v5; empty while unknown
    cql::Md5 columns{};        ///< digest of its result columns there
};

/// One shard's knowledge of one prepared statement.
struct Prepared {
    PreparedTextPtr text;
    PlanPtr plan;  ///< under plan->router; worked out anew when the shard's router has changed
    BackendStatement on[2];
    /// Some clients were told other columns than those of today: none may be left to rely on what it was told.
    bool columns_changed = false;
    /// A cluster did not take it with values in the place of now() and the like.
    bool keeps_its_words = false;

    BackendStatement& on_side(routing::Side side) { return on[static_cast<std::size_t>(side)]; }
    /// Whether rows from there may come without metadata to a client (of v3 or v4) that asks for that. A cluster may
    /// describe the same rows differently: conditions, for one (CQL-FACTS 3.2).
    bool client_knows_columns(routing::Side side) { return !columns_changed && on_side(side).columns == text->told; }
};
using PreparedPtr = boost::local_shared_ptr<Prepared>;

/// One shard's prepared statements.
class Statements {
  public:
    Statements(PreparedRegistry& registry, std::size_t limit) : registry_(registry), known_(limit) {}
    /// Null when nobody prepared it here: the client is told UNPREPARED and prepares again.
    /// Valid until the next find() or add().
    const PreparedPtr& find(BytesView id);
    /// Keeps what is known of the statement already.
    const PreparedPtr& add(PreparedTextPtr text);
    /// The plan under this router.
    static const PlanPtr& plan_of(Prepared& prepared, const routing::RouterPtr& router);

  private:
    PreparedRegistry& registry_;
    ById<PreparedPtr> known_;
    PreparedPtr last_;  ///< what was given out last where the cache does not hold it
};

}  // namespace penumbra::proxy
