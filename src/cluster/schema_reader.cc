#include <map>

#include <fmt/format.h>

#include "cluster/cluster.h"

namespace penumbra::cluster {

namespace {

/// The UDTs of a cluster, parsed when first asked for, as they may refer to one another in any order.
class UdtReader {
  public:
    explicit UdtReader(const cql::Rows& rows) {
        for (const auto& row : rows) {
            auto keyspace = row.text("keyspace_name");
            auto name = row.text("type_name");
            auto names = row.texts("field_names");
            auto types = row.texts("field_types");
            if (!keyspace || !name || !names || !types || names.value().size() != types.value().size()) continue;
            raw_[{keyspace.value(), name.value()}] = {names.value(), types.value(), nullptr};
        }
    }

    Result<cql::TypePtr> find(std::string_view keyspace, std::string_view name) {
        const auto found = raw_.find({std::string(keyspace), std::string(name)});
        if (found == raw_.end()) return fail(Errc::not_found, fmt::format("type {}.{} is not there", keyspace, name));
        auto& raw = found->second;
        if (raw.parsed) return raw.parsed;
        // Types cannot contain themselves; a server that says so would send us round in circles.
        if (++depth_ > cql::kMaxTypeDepth)
            return fail(Errc::malformed, fmt::format("type {}.{} is nested too deeply", keyspace, name));
        std::vector<cql::UdtField> fields;
        for (std::size_t i = 0; i < raw.names.size(); ++i) {
            TRY(auto type, cql::parse_type(raw.types[i], keyspace,
                                           [this](std::string_view ks, std::string_view n) { return find(ks, n); }));
            fields.push_back({raw.names[i], std::move(type)});
        }
        --depth_;
        raw.parsed = cql::udt_of(std::string(keyspace), std::string(name), std::move(fields));
        return raw.parsed;
    }

    Status add_all(cql::Schema& schema) {
        for (const auto& [key, raw] : raw_) {
            TRY(auto type, find(key.first, key.second));
            schema.add_udt(std::move(type));
        }
        return ok();
    }

  private:
    struct Raw {
        std::vector<std::string> names;
        std::vector<std::string> types;
        cql::TypePtr parsed;
    };
    std::map<std::pair<std::string, std::string>, Raw> raw_;
    int depth_ = 0;
};

cql::ColumnKind kind_of(const std::string& text) {
    if (text == "partition_key") return cql::ColumnKind::partition_key;
    if (text == "clustering") return cql::ColumnKind::clustering;
    if (text == "static") return cql::ColumnKind::static_;
    return cql::ColumnKind::regular;
}

}  // namespace

Result<cql::SchemaPtr> build_schema(const cql::Rows& keyspaces, const cql::Rows& tables, const cql::Rows& columns,
                                    const cql::Rows& types, const cql::Rows& views) {
    auto schema = std::make_shared<cql::Schema>();
    for (const auto& row : keyspaces) {
        TRY(auto name, row.text("keyspace_name"));
        std::string replication;
        if (auto options = row.text_map("replication")) {
            for (const auto& [key, value] : options.value())
                replication += fmt::format("{}'{}': '{}'", replication.empty() ? "" : ", ", key, value);
        }
        schema->add_keyspace(std::move(name), "{" + replication + "}");
    }
    UdtReader udts(types);
    TRY(udts.add_all(*schema));

    std::map<std::pair<std::string, std::string>, cql::Table> built;
    for (const auto& row : tables) {
        cql::Table table;
        TRY(auto keyspace, row.text("keyspace_name"));
        TRY(auto name, row.text("table_name"));
        table.keyspace = keyspace;
        table.name = name;
        if (auto ttl = row.int32("default_time_to_live")) table.default_ttl = ttl.value();
        if (auto grace = row.int32("gc_grace_seconds")) table.gc_grace_seconds = grace.value();
        built.emplace(std::pair(keyspace, name), std::move(table));
    }
    for (const auto& row : views) {
        cql::Table view;
        TRY(auto keyspace, row.text("keyspace_name"));
        TRY(auto name, row.text("view_name"));
        view.keyspace = keyspace;
        view.name = name;
        view.is_view = true;
        built.emplace(std::pair(keyspace, name), std::move(view));
    }
    for (const auto& row : columns) {
        TRY(auto keyspace, row.text("keyspace_name"));
        TRY(auto table_name, row.text("table_name"));
        const auto found = built.find({keyspace, table_name});
        if (found == built.end()) continue;  // dropped between the two reads; an event will bring us back
        cql::ColumnDef column;
        TRY(auto name, row.text("column_name"));
        TRY(auto kind, row.text("kind"));
        TRY(auto type_text, row.text("type"));
        TRY(auto type, cql::parse_type(type_text, keyspace,
                                       [&](std::string_view ks, std::string_view n) { return udts.find(ks, n); }));
        column.name = std::move(name);
        column.kind = kind_of(kind);
        column.type = std::move(type);
        if (auto position = row.int32("position")) column.position = position.value();
        // "desc" from Cassandra, "DESC" from ScyllaDB.
        if (auto order = row.text("clustering_order"))
            column.descending = order.value() == "desc" || order.value() == "DESC";
        found->second.is_counter |= column.type->is_counter();
        found->second.columns.push_back(std::move(column));
    }
    for (auto& [key, table] : built) schema->add_table(std::move(table));
    return schema;
}

}  // namespace penumbra::cluster
