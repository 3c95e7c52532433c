#include "proxy/virtual_tables.h"

#include <array>

#include <fmt/format.h>

#include "cql/protocol/md5.h"
#include "cql/types/scalars.h"
#include "cql/types/value.h"

namespace penumbra::proxy {

namespace {

constexpr std::string_view kToken = "0";  // one node owns the whole ring, wherever its token is

cql::Uuid stable_host_id(const std::string& cluster_name, const Endpoint& endpoint) {
    // The same after a restart and from every shard, as drivers tell nodes apart by it.
    auto hash = cql::md5({"penumbra", cluster_name, to_string(endpoint)});
    return cql::Uuid::random(load_be<std::uint64_t>(hash.data()), load_be<std::uint64_t>(hash.data() + 8));
}

}  // namespace

std::optional<Bytes> VirtualTables::local_value(std::string_view column, const cluster::Topology& topology) const {
    static constexpr std::array kAddresses{"broadcast_address", "listen_address", "rpc_address", "native_address"};
    static constexpr std::array kPorts{"rpc_port", "native_port"};
    for (const auto* name : kAddresses) {
        if (column == name) return advertised_.address();
    }
    for (const auto* name : kPorts) {
        if (column == name) return cql::encode_int(advertised_.port());
    }
    if (column == "host_id") {
        const auto id = stable_host_id(topology.cluster_name, advertised_);
        return Bytes(id.bytes.begin(), id.bytes.end());
    }
    if (column == "tokens") return cql::encode_text_list({std::string(kToken)});
    if (column == "schema_version")
        return Bytes(topology.schema_version.bytes.begin(), topology.schema_version.bytes.end());
    if (column == "bootstrapped") return cql::encode_text("COMPLETED");
    const auto cell = topology.system_local[0][column];
    if (!cell.has_value()) return std::nullopt;
    return Bytes(cell.bytes().begin(), cell.bytes().end());
}

Result<cql::RowsBuilder> VirtualTables::answer(const cql::Statement& statement, const cluster::Topology& topology,
                                               const cql::Schema& schema) const {
    const auto name = statement.table.name;
    const auto* table = schema.table("system", name);
    if (table == nullptr) return fail(Errc::not_found, fmt::format("unconfigured table {}", name));
    const bool is_local = name == "local";

    struct Selected {
        std::string column;  // empty: count(*)
        std::string title;
        cql::TypePtr type;
    };
    std::vector<Selected> selected;
    for (const auto& selector : statement.selectors) {
        const auto& expression = selector.expression;
        if (expression.is(cql::TermKind::star)) {
            for (const auto& column : table->columns) selected.push_back({column.name, column.name, column.type});
        } else if (expression.is(cql::TermKind::column)) {
            const auto* column = table->column(expression.text);
            if (column == nullptr)
                return fail(Errc::not_found,
                            fmt::format("Undefined column name {} in table system.{}", expression.text, name));
            selected.push_back(
                {column->name, std::string(selector.alias.empty() ? expression.text : selector.alias), column->type});
        } else if (expression.is(cql::TermKind::function) && expression.text == "count") {
            selected.push_back({"", std::string(selector.alias.empty() ? "count" : selector.alias),
                                cql::scalar(cql::TypeKind::bigint)});
        } else {
            return fail(Errc::unsupported, "an expression over system.local");
        }
    }

    cql::RowsBuilder rows("system", std::string(name));
    bool counts = false;
    for (const auto& one : selected) {
        rows.add_column(one.title, one.type);
        counts |= one.column.empty();
    }
    bool matches = is_local;  // nobody but us: peers is empty
    for (const auto& restriction : statement.where) {
        if (restriction.column != "key" || restriction.op != cql::Operator::eq ||
            !restriction.value.is(cql::TermKind::string))
            continue;
        matches = matches && restriction.value.text == "local";
    }
    if (!matches && !counts) return rows;
    for (const auto& one : selected) {
        if (one.column.empty()) {
            rows.add(cql::encode_bigint(matches ? 1 : 0));
            continue;
        }
        const auto value = matches ? local_value(one.column, topology) : std::nullopt;
        rows.add(cql::view_of(value));
    }
    return rows;
}

}  // namespace penumbra::proxy
