#include "proxy/plan.h"

#include <algorithm>
#include <cstring>

#include <boost/smart_ptr/make_local_shared.hpp>

#include "cql/language/rewrite.h"
#include "cql/types/token.h"
#include "cql/types/value.h"
#include "proxy/server_times.h"
#include "proxy/virtual_tables.h"

namespace penumbra::proxy {

namespace {

using cql::Statement;
using cql::StatementKind;

/// What counts the markers: the batch, where the statement is a child of one.
struct WholeText {
    std::uint32_t markers = 0;
    const RepeatedNames* repeated_names = nullptr;
};

/// `column`: what servers call a `?` by.
ValueSource source_of_marker(const cql::Term& marker, const WholeText& whole, std::string_view column) {
    ValueSource source;
    source.is_marker = true;
    source.marker = source.shared_slot = marker.marker;
    source.markers = whole.markers;
    if (whole.repeated_names != nullptr) source.shared_slot = whole.repeated_names->slots().slots()[marker.marker];
    source.marker_name = marker.text.empty() ? column : marker.text;
    return source;
}

std::optional<ValueSource> source_of(const Statement& statement, const WholeText& whole, const cql::ColumnDef& column) {
    const auto* term = statement.value_of(column.name);
    if (term == nullptr) return std::nullopt;
    if (term->is_marker()) return source_of_marker(*term, whole, column.name);
    ValueSource source;
    auto bytes = cql::from_literal(*column.type, term->range.in(statement.text));
    if (!bytes) return std::nullopt;  // a function, a time of the server's own, or nothing that it would take
    source.literal = std::move(bytes).value();
    return source;
}

bool is_list(const cql::ColumnDef* column) {
    return column != nullptr && column->type->kind == cql::TypeKind::list && column->type->is_multi_cell();
}

/// The worst that the statement does to one of its columns decides how it is mirrored.
Mirroring mirroring_of(const Statement& statement, const cql::Table* table) {
    auto worst = Mirroring::exact;
    const auto at_least = [&](Mirroring mirroring) { worst = std::max(worst, mirroring); };
    if (statement.condition != cql::Condition::none) at_least(Mirroring::resync);
    if (Volatiles::worth_of(statement, table) != Volatiles::Worth::none) at_least(Mirroring::resync);
    if (table == nullptr) return worst;
    if (table->is_counter) at_least(Mirroring::once);
    for (const auto& assignment : statement.assignments) {
        if (!is_list(table->column(assignment.column))) continue;
        const bool by_state = assignment.kind != cql::AssignmentKind::set &&
                              assignment.kind != cql::AssignmentKind::add &&
                              assignment.kind != cql::AssignmentKind::prepend;
        at_least(by_state ? Mirroring::resync : Mirroring::once);
    }
    for (const auto& deletion : statement.deletions) {
        if (deletion.kind == cql::Deletion::Kind::element && is_list(table->column(deletion.column)))
            at_least(Mirroring::resync);
    }
    if (statement.json && std::ranges::any_of(table->columns, [](const auto& column) { return is_list(&column); }))
        at_least(Mirroring::once);
    return worst;
}

/// All of them, or none.
std::vector<ValueSource> sources_of(const Statement& statement, const WholeText& whole,
                                    const std::vector<const cql::ColumnDef*>& columns) {
    std::vector<ValueSource> sources;
    for (const auto* column : columns) {
        auto source = source_of(statement, whole, *column);
        if (!source) return {};
        sources.push_back(std::move(*source));
    }
    return sources;
}

void add_part(const Statement& statement, const WholeText& whole, std::string_view session_keyspace, Plan& plan) {
    PlanPart part;
    part.keyspace = statement.table.qualified() ? statement.table.keyspace : session_keyspace;
    part.table = statement.table.name;
    plan.has_json_condition |= statement.json && statement.condition != cql::Condition::none;
    if (part.keyspace.empty() || part.table.empty()) return;  // the server will say what is missing
    part.routes = &plan.router->table(part.keyspace, part.table);
    const auto* table = plan.router->schema() ? plan.router->schema()->table(part.keyspace, part.table) : nullptr;
    plan.mirroring = std::max(plan.mirroring, mirroring_of(statement, table));
    if (plan.kind == Plan::Kind::write) {
        const auto times = server_times_of(statement, table);
        if (times.in_text) plan.mirroring = Mirroring::resync;
        // What servers call a marker there differs by version.
        for (const auto& json : times.json)
            plan.json.push_back({source_of_marker(*json.marker, whole, {}), json.row_of});
    }
    if (table == nullptr) {
        plan.unknown_table |= !routing::is_system_keyspace(part.keyspace);
    } else {
        plan.is_counter |= table->is_counter;
        if (part.routes->depends_on_tenant()) part.tenant = source_of(statement, whole, *part.routes->tenant_column());
        part.key = sources_of(statement, whole, table->partition_key());
        if (!part.key.empty() && !table->is_counter)
            part.clustering = sources_of(statement, whole, table->clustering());
    }
    plan.parts.push_back(std::move(part));
}

bool is_virtual(const Statement& statement, std::string_view session_keyspace) {
    const auto keyspace = statement.table.qualified() ? statement.table.keyspace : session_keyspace;
    return VirtualTables::is_virtual(keyspace, statement.table.name);
}

/// What a node must find unchanged when it starts: servers that check no permissions would let anybody break it.
bool is_protected(std::string_view keyspace, std::string_view table) {
    return keyspace == "system_schema" || VirtualTables::is_virtual(keyspace, table);
}

Plan::Kind kind_of(const Statement& statement, std::string_view session_keyspace) {
    switch (statement.kind) {
        case StatementKind::select:
            return is_virtual(statement, session_keyspace) ? Plan::Kind::virtual_table : Plan::Kind::read;
        case StatementKind::insert:
        case StatementKind::update:
        case StatementKind::delete_:
        case StatementKind::batch:
            return Plan::Kind::write;
        case StatementKind::truncate:
            return Plan::Kind::truncate;
        case StatementKind::use:
            // Without a name it cannot change a connection of ours, and the server has its own words for it.
            return statement.keyspace.empty() ? Plan::Kind::read : Plan::Kind::use;
        case StatementKind::schema_change:
            return Plan::Kind::schema_change;
        case StatementKind::access_control:
        case StatementKind::service_level:
        case StatementKind::prune:
            return Plan::Kind::primary_only;
        case StatementKind::list:
        case StatementKind::describe:
            return Plan::Kind::read;
        case StatementKind::unknown:
            return statement.access() == cql::Access::read ? Plan::Kind::read : Plan::Kind::write;
    }
    return Plan::Kind::write;
}

}  // namespace

std::string_view to_string(Mirroring mirroring) {
    switch (mirroring) {
        case Mirroring::exact:
            return "exact";
        case Mirroring::once:
            return "once";
        case Mirroring::resync:
            return "resync";
    }
    return "unknown";
}

std::optional<BytesView> ValueSource::in_named(const cql::ValuesView& values) const {
    const auto bound = values.by_name(marker_name);
    if (!bound || !bound->value.has_value()) return std::nullopt;
    return bound->value.bytes();
}

std::string_view protected_keyspace(const Statement& statement, std::string_view keyspace) {
    for (const auto& part : statement.parts()) {
        const auto of = part.table.qualified() ? part.table.keyspace : keyspace;
        if (is_protected(of, part.table.name)) return of;
    }
    return keyspace;
}

PlanPtr make_plan(const cql::Statement& statement, std::string_view keyspace, routing::RouterPtr router) {
    auto plan = boost::make_local_shared<Plan>();
    plan->router = std::move(router);
    plan->kind = kind_of(statement, keyspace);
    plan->needs_keyspace = !cql::fully_qualified(statement);
    plan->is_conditional = statement.conditional();
    plan->not_understood = !statement.complete || statement.kind == StatementKind::unknown;
    plan->repeated_names = RepeatedNames::of(statement);
    const WholeText whole{statement.marker_count, plan->repeated_names.get()};
    if (plan->kind == Plan::Kind::read || plan->kind == Plan::Kind::write || plan->kind == Plan::Kind::truncate) {
        for (const auto& part : statement.parts()) {
            if (part.table) add_part(part, whole, keyspace, *plan);
        }
        const bool system = !plan->parts.empty() && std::ranges::all_of(plan->parts, [](const auto& part) {
            return routing::is_system_keyspace(part.keyspace);
        });
        const bool kept =
            std::ranges::any_of(plan->parts, [](const auto& part) { return is_protected(part.keyspace, part.table); });
        if (plan->kind != Plan::Kind::read && (system || kept))
            plan->kind = kept ? Plan::Kind::protected_table : Plan::Kind::primary_only;
    }
    if (plan->kind == Plan::Kind::read) plan->mirroring = Mirroring::exact;
    // Values of names that are shared are numbered by whoever prepared the text.
    if (plan->kind == Plan::Kind::write && !plan->repeated_names) {
        plan->volatiles = Volatiles::of(statement, [&](const Statement& part) -> const cql::Table* {
            const auto& schema = plan->router->schema();
            return schema ? schema->table(part.table.qualified() ? part.table.keyspace : keyspace, part.table.name)
                          : nullptr;
        });
    }
    return plan;
}

void collect_routes(const Plan& plan, const cql::ValuesView& values, Phases& phases, Scopes& scopes) {
    const auto add_scope = [&](routing::ScopeId scope) {
        if (std::ranges::find(scopes, scope) == scopes.end()) scopes.push_back(scope);
    };
    if (plan.parts.empty()) {
        // No table that we could find: it may touch any. Reads of nothing we know go where everything is.
        phases.push_back(plan.router->of_everything());
        add_scope(routing::kDefaultScope);
        if (plan.kind != Plan::Kind::read) {
            for (const auto& migration : plan.router->migrations()) add_scope(migration.id);
        }
        return;
    }
    for (const auto& part : plan.parts) {
        std::optional<BytesView> tenant;
        if (part.tenant) tenant = part.tenant->in(values);
        if (tenant) {
            const auto& route = part.routes->of_tenant(*tenant);
            phases.push_back(route.phase);
            add_scope(route.scope);
        } else {
            phases.push_back(part.routes->without_tenant().phase);
            for (const auto scope : part.routes->scopes()) add_scope(scope);
        }
    }
}

bool binds_server_time(const Plan& plan, const cql::ValuesView& values) {
    return std::ranges::any_of(plan.json, [&](const JsonSource& json) {
        if (values.named() && json.value.marker_name.empty()) {
            // It may be any of them.
            return std::ranges::any_of(values, [&](const cql::BoundValue& bound) {
                return bound.value.has_value() && json_depends_on_server(text_of(bound.value.bytes()), json.row_of);
            });
        }
        const auto value = json.value.in(values);
        return value && json_depends_on_server(text_of(*value), json.row_of);
    });
}

std::optional<cql::Token> token_of(const PlanPart& part, const cql::ValuesView& values, Bytes& scratch) {
    if (part.key.empty()) return std::nullopt;
    if (part.key.size() == 1) {
        const auto value = part.key.front().in(values);
        if (!value || value->empty()) return std::nullopt;  // no server takes an empty key of one column
        return cql::murmur3_token(*value);
    }
    // As cql::append_partition_key() does it, without a list of the components in between.
    std::size_t used = 0;
    for (const auto& source : part.key) {
        const auto value = source.in(values);
        if (!value || value->size() > 0xFFFF) return std::nullopt;
        if (scratch.size() < used + value->size() + 3) scratch.resize(used + value->size() + 3);
        Byte* const to = scratch.data() + used;
        store_be(to, static_cast<std::uint16_t>(value->size()));
        if (!value->empty()) std::memcpy(to + 2, value->data(), value->size());
        to[2 + value->size()] = 0;
        used += value->size() + 3;
    }
    return cql::murmur3_token(BytesView(scratch).first(used));
}

ClusteringKey clustering_key(const PlanPart& part, const cql::ValuesView& values) {
    ClusteringKey key;
    for (const auto& source : part.clustering) {
        const auto value = source.in(values);
        if (!value) {
            key.clear();
            break;
        }
        key.push_back(*value);
    }
    return key;
}

bool append_partition_key(const PlanPart& part, const cql::ValuesView& values, Bytes& out) {
    if (part.key.empty()) return false;
    const auto before = out.size();
    for (const auto& source : part.key) {
        const auto value = source.in(values);
        if (!value || (part.key.size() > 1 && value->size() > 0xFFFF)) {
            out.resize(before);
            return false;
        }
        if (part.key.size() == 1) {
            out.insert(out.end(), value->begin(), value->end());
            continue;
        }
        // As cql::append_partition_key() does it, without a list of the components in between.
        const auto at = out.size();
        out.resize(at + 2 + value->size() + 1);
        store_be(out.data() + at, static_cast<std::uint16_t>(value->size()));
        std::ranges::copy(*value, out.begin() + static_cast<std::ptrdiff_t>(at + 2));
    }
    return true;
}

}  // namespace penumbra::proxy
