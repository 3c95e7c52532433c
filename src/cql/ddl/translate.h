#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cql/ddl/dialect.h"
#include "cql/language/statement.h"

namespace penumbra::cql::ddl {

struct Options {
    struct Datacenter {
        std::string name;
        std::string factor;  ///< its replication factor; empty keeps what the statement says
    };
    /// Of the other cluster, by the name in the statement. Names that are not here stay as they are.
    std::map<std::string, Datacenter, std::less<>> datacenters;
    /// CREATE KEYSPACE on ScyllaDB gets `tablets = {'enabled': false}`: tablets lack counters and, before 2025.4, CDC
    /// and lightweight transactions. Only ScyllaDB 6.0 and later know the property.
    bool tablets_off = false;
};

/// One difference between what was asked and what the other cluster is sent.
struct Change {
    std::string what;  ///< "read_repair = 'NONE' left out"
    std::string why;
    bool operator==(const Change&) const = default;
};

/// One statement for the other cluster.
struct Step {
    std::string text;
    /// An IF [NOT] EXISTS had to go, so that the server's refusal (invalid or configuration error) may only say that
    /// there was nothing to do. What is really missing the comparison of the schemas finds.
    bool refusal_may_be_fine = false;
    bool operator==(const Step&) const = default;
};

struct Translation {
    /// In order; none when the other cluster needs nothing (a mask, CDC). Meaningless when refused.
    std::vector<Step> steps;
    std::vector<Change> changes;
    /// Why this cannot be said there; empty when it can.
    std::string refusal;

    bool refused() const { return !refusal.empty(); }
};

/// A schema, role or service-level statement in the words of another server: what it would refuse or misread is said
/// its way, left out, or refused, and each such difference is reported. The result does not depend on where the
/// statement came from, and is a fixed point: translating it again for the same dialect changes nothing. What we do not
/// understand goes as it is. Pure. Rules: docs/schema-translation.md, one test each.
Translation translate(const Statement& statement, const Dialect& to, const Options& options);
Translation translate(std::string_view text, const Dialect& to, const Options& options);

}  // namespace penumbra::cql::ddl
