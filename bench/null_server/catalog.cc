#include "null_server/catalog.h"

#include <functional>
#include <tuple>
#include <vector>

#include "cql/types/scalars.h"
#include "cql/types/type.h"

namespace penumbra::bench {

namespace {

constexpr std::string_view kReleaseVersion = "4.1.9";

const cql::TypePtr& text() {
    return cql::scalar(cql::TypeKind::text);
}
const cql::TypePtr& uuid() {
    return cql::scalar(cql::TypeKind::uuid);
}
const cql::TypePtr& inet() {
    return cql::scalar(cql::TypeKind::inet);
}
const cql::TypePtr& integer() {
    return cql::scalar(cql::TypeKind::int_);
}

using Columns = std::vector<std::pair<std::string, cql::TypePtr>>;

/// The system tables that clients and proxies read. The first column is the partition key.
const std::vector<std::tuple<std::string, std::string, Columns>>& system_tables() {
    static const auto texts = cql::list_of(text(), cql::Frozen::yes);
    static const auto tokens = cql::set_of(text());
    static const std::vector<std::tuple<std::string, std::string, Columns>> tables{
        {"system",
         "local",
         {{"key", text()},
          {"bootstrapped", text()},
          {"broadcast_address", inet()},
          {"cluster_name", text()},
          {"cql_version", text()},
          {"data_center", text()},
          {"host_id", uuid()},
          {"listen_address", inet()},
          {"native_protocol_version", text()},
          {"partitioner", text()},
          {"rack", text()},
          {"release_version", text()},
          {"rpc_address", inet()},
          {"rpc_port", integer()},
          {"schema_version", uuid()},
          {"tokens", tokens}}},
        {"system",
         "peers",
         {{"peer", inet()},
          {"data_center", text()},
          {"host_id", uuid()},
          {"rack", text()},
          {"release_version", text()},
          {"rpc_address", inet()},
          {"schema_version", uuid()},
          {"tokens", tokens}}},
        {"system",
         "peers_v2",
         {{"peer", inet()},
          {"peer_port", integer()},
          {"data_center", text()},
          {"host_id", uuid()},
          {"native_address", inet()},
          {"native_port", integer()},
          {"rack", text()},
          {"release_version", text()},
          {"schema_version", uuid()},
          {"tokens", tokens}}},
        {"system_schema",
         "keyspaces",
         {{"keyspace_name", text()},
          {"durable_writes", cql::scalar(cql::TypeKind::boolean)},
          {"replication", cql::map_of(text(), text(), cql::Frozen::yes)}}},
        {"system_schema",
         "tables",
         {{"keyspace_name", text()},
          {"table_name", text()},
          {"default_time_to_live", integer()},
          {"gc_grace_seconds", integer()}}},
        {"system_schema",
         "columns",
         {{"keyspace_name", text()},
          {"table_name", text()},
          {"column_name", text()},
          {"clustering_order", text()},
          {"kind", text()},
          {"position", integer()},
          {"type", text()}}},
        {"system_schema",
         "types",
         {{"keyspace_name", text()}, {"type_name", text()}, {"field_names", texts}, {"field_types", texts}}},
        {"system_schema", "views", {{"keyspace_name", text()}, {"view_name", text()}}},
        {"system_schema", "indexes", {{"keyspace_name", text()}, {"table_name", text()}, {"index_name", text()}}},
        {"system_schema", "triggers", {{"keyspace_name", text()}, {"table_name", text()}, {"trigger_name", text()}}},
        {"system_schema", "functions", {{"keyspace_name", text()}, {"function_name", text()}}},
        {"system_schema", "aggregates", {{"keyspace_name", text()}, {"aggregate_name", text()}}},
    };
    return tables;
}

}  // namespace

Catalog::Catalog(const TenantTable& table, const Endpoint& node) {
    for (const auto& [keyspace, name, columns] : system_tables()) {
        cql::RowsBuilder rows(keyspace, name);
        for (const auto& [column, type] : columns) rows.add_column(column, type);
        tables_.emplace(std::pair(keyspace, name), std::move(rows));
    }
    const auto number = std::hash<std::string>{}(to_string(node));
    const auto address = node.address();
    auto& local = tables_.at({"system", "local"});
    local.add(cql::encode_text("local"));
    local.add(cql::encode_text("COMPLETED"));
    local.add(address);
    local.add(cql::encode_text("Null Cluster"));
    local.add(cql::encode_text("3.4.6"));
    local.add(cql::encode_text("datacenter1"));
    local.add(cql::encode_uuid(cql::Uuid::random(number, 1)));
    local.add(address);
    local.add(cql::encode_text("5"));
    local.add(cql::encode_text("org.apache.cassandra.dht.Murmur3Partitioner"));
    local.add(cql::encode_text("rack1"));
    local.add(cql::encode_text(kReleaseVersion));
    local.add(address);
    local.add(cql::encode_int(node.port()));
    local.add(cql::encode_uuid(cql::Uuid::random(7, 7)));
    local.add(cql::encode_text_list({"-9223372036854775808"}));
    describe(table);
}

void Catalog::describe(const TenantTable& table) {
    auto& keyspaces = tables_.at({"system_schema", "keyspaces"});
    auto& tables = tables_.at({"system_schema", "tables"});
    auto& columns = tables_.at({"system_schema", "columns"});
    const auto add_keyspace = [&](std::string_view name, const std::map<std::string, std::string>& replication) {
        keyspaces.add(cql::encode_text(name));
        keyspaces.add(cql::encode_boolean(true));
        keyspaces.add(cql::encode_text_map(replication));
    };
    const auto add_table = [&](std::string_view keyspace, std::string_view name) {
        tables.add(cql::encode_text(keyspace));
        tables.add(cql::encode_text(name));
        tables.add(cql::encode_int(0));
        tables.add(cql::encode_int(864000));
    };
    const auto add_column = [&](std::string_view keyspace, std::string_view name, std::string_view column,
                                int key_position, const cql::DataType& type) {
        columns.add(cql::encode_text(keyspace));
        columns.add(cql::encode_text(name));
        columns.add(cql::encode_text(column));
        columns.add(cql::encode_text("none"));
        columns.add(cql::encode_text(key_position < 0 ? "regular" : "partition_key"));
        columns.add(cql::encode_int(key_position));
        columns.add(cql::encode_text(cql::to_cql(type)));
    };
    add_keyspace(table.keyspace,
                 {{"class", "org.apache.cassandra.locator.SimpleStrategy"}, {"replication_factor", "1"}});
    for (const auto* local : {"system", "system_schema"})
        add_keyspace(local, {{"class", "org.apache.cassandra.locator.LocalStrategy"}});
    add_table(table.keyspace, table.name);
    add_column(table.keyspace, table.name, table.tenant_column, 0, *uuid());
    add_column(table.keyspace, table.name, "id", 1, *cql::scalar(cql::TypeKind::bigint));
    add_column(table.keyspace, table.name, "value", -1, *cql::scalar(cql::TypeKind::blob));
    for (const auto& [keyspace, name, own_columns] : system_tables()) {
        add_table(keyspace, name);
        int position = 0;
        for (const auto& [column, type] : own_columns) {
            add_column(keyspace, name, column, position, *type);
            position = -1;
        }
    }
}

const cql::RowsBuilder* Catalog::find(std::string_view keyspace, std::string_view table) const {
    const auto found = tables_.find(std::pair(std::string(keyspace), std::string(table)));
    return found == tables_.end() ? nullptr : &found->second;
}

}  // namespace penumbra::bench
