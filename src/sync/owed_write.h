#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "cql/protocol/version.h"
#include "sync/token_range.h"

namespace penumbra::sync {

/// The text behind a prepared id that occurs in an owed frame.
struct OwedPrepared {
    Bytes id;  ///< the id as it stands in the frame: ours, not a cluster's
    std::string text;
    std::string keyspace;  ///< completes unqualified names; may be empty
};

/// The order to make the shadow equal to the primary: for what cannot be sent again (conditional writes, lists,
/// counters of unknown fate).
struct OwedResync {
    std::string keyspace;
    std::string table;
    /// Serialized as for the token; empty: all rows of the entry's scope in this table, or in `range` of it.
    Bytes partition_key;
    /// Of a conditional write that the primary may have accepted without committing it: this read makes it finish that,
    /// or give it up, before anything is read to be copied. SERIAL or LOCAL_SERIAL, as the client had it.
    std::optional<cql::Consistency> serial = std::nullopt;
    /// Without a partition key: only the rows whose tokens are in it.
    std::optional<TokenRange> range = std::nullopt;
    /// With a partition key: only the row with these clustering columns (all of them, in order), and the statics.
    std::vector<Bytes> clustering = {};
    auto operator<=>(const OwedResync&) const = default;
};

/// A write that the shadow should have been sent: the request frame (QUERY, EXECUTE or BATCH, timestamp included) with
/// our own prepared ids, and what is needed to translate those. Sending it again is harmless: same values, same
/// timestamp.
struct OwedStatement {
    bool adds_to_lists = false;  ///< sent twice it would double what it adds: see ListsEmptied
    std::string keyspace;        ///< of the client's connection; may be empty
    std::vector<OwedPrepared> prepared;
    std::vector<OwedResync> rows;  ///< what it touches: resynced should the shadow refuse the text
    Bytes frame;
};

using Owed = std::variant<OwedStatement, OwedResync>;

/// The payload of a journal record. docs/journal.md has the layout. Encoding appends to `out`, whose capacity is
/// reused.
void encode_owed_resync(const OwedResync& order, Bytes& out);
/// For the request path: the caller appends the partition key to `out` behind it.
void begin_owed_resync(std::string_view keyspace, std::string_view table, std::optional<cql::Consistency> serial,
                       Bytes& out);
/// The same for one row: the caller appends the partition key to `out`, and then the clustering columns by
/// end_owed_row_resync().
std::size_t begin_owed_row_resync(std::string_view keyspace, std::string_view table,
                                  std::optional<cql::Consistency> serial, Bytes& out);
/// `key_at`: what begin_owed_row_resync() gave.
void end_owed_row_resync(std::size_t key_at, std::span<const BytesView> clustering, Bytes& out);
/// For the request path: the frame and the texts are where the caller has them.
struct OwedPreparedView {
    BytesView id;
    std::string_view text;
    std::string_view keyspace;
};
/// The same piece by piece, without lists: the prepared ones, close_prepared(), the rows that it touches, close_rows(),
/// and then the caller appends the frame to `out`.
enum class AddsToLists : std::uint8_t { no, yes };
class OwedStatementWriter {
  public:
    OwedStatementWriter(Bytes& out, std::string_view keyspace, AddsToLists adds_to_lists);
    void add_prepared(const OwedPreparedView& prepared);
    void close_prepared();
    /// The caller appends the partition key to `out` in between. `clustering`: all of these columns, or none for the
    /// whole partition. One like the row before is left out.
    void begin_row(std::string_view keyspace, std::string_view table);
    void end_row(std::span<const BytesView> clustering);
    void close_rows();

  private:
    Bytes& out_;
    std::size_t count_at_;
    std::uint16_t count_ = 0;
    std::size_t row_at_ = 0, key_at_ = 0;
    std::size_t previous_at_ = 0;  // 0: this row is the first
};
void encode_owed_statement(std::string_view keyspace, const std::vector<OwedPreparedView>& prepared,
                           const std::vector<OwedResync>& rows, BytesView frame, Bytes& out,
                           AddsToLists adds_to_lists = AddsToLists::no);
Result<Owed> decode_owed(BytesView payload);

}  // namespace penumbra::sync
