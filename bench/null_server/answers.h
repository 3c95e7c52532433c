#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "cql/protocol/md5.h"
#include "cql/protocol/responses.h"
#include "null_server/catalog.h"

namespace penumbra::bench {

/// What a statement of the tenant table is answered with.
enum class Answer : std::uint8_t { rows, applied };

/// The answers that a null server gives to statements of its tenant table: encoded once, copied for each request.
/// A read is always one row with the one column `value`; a write is done. Immutable; any thread.
class Answers {
  public:
    enum class Metadata : std::uint8_t { yes, no };

    Answers(const TenantTable& table, std::size_t value_size);

    /// A whole response on stream 0.
    BytesView rows(cql::ProtocolVersion version, Metadata metadata) const {
        return rows_[index(version)][metadata == Metadata::yes ? 0 : 1];
    }
    BytesView applied(cql::ProtocolVersion version) const { return applied_[index(version)]; }

    /// The answer to PREPARE. Ids are the same from every null server and say what the statement is, so nothing is
    /// remembered and every id of ours is known after a restart.
    void prepare(Bytes& out, const cql::ResponseHead& head, std::string_view text) const;
    /// Nothing for an id that no null server gave.
    static std::optional<Answer> of_id(BytesView id);
    /// By the statement's first word: SELECT reads, INSERT, UPDATE, DELETE and BEGIN write. Nothing for others.
    static std::optional<Answer> of_text(std::string_view text);

  private:
    static std::size_t index(cql::ProtocolVersion version) { return static_cast<std::size_t>(version) - 3; }
    cql::RowsMetadata result_columns() const;

    TenantTable table_;
    std::array<std::array<Bytes, 2>, 3> rows_;
    std::array<Bytes, 3> applied_;
};

}  // namespace penumbra::bench
