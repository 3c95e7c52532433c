#include "sync/owed_picture.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "cql/language/parser.h"
#include "cql/language/rewrite.h"
#include "cql/protocol/requests.h"
#include "cql/types/value.h"

namespace penumbra::sync {

namespace {

std::string hex(BytesView bytes) {
    return "0x" + to_hex(bytes);
}

/// A marker of a text, as far as what is bound to it can be told.
struct Marker {
    cql::TextRange range;
    std::string column;
    cql::TypePtr type;
};

/// Where markers stand in one statement, and which type each wants.
class Markers {
  public:
    Markers(const cql::Schema* schema, std::string_view keyspace) : schema_(schema), keyspace_(keyspace) {}

    std::map<std::uint32_t, Marker> take(const cql::Statement& part) {
        found_.clear();
        table_ = schema_ ? schema_->table(part.table.qualified() ? part.table.keyspace : keyspace_, part.table.name)
                         : nullptr;
        for (const auto& assignment : part.assignments) {
            const auto type = type_of(assignment.column);
            const bool element = assignment.kind == cql::AssignmentKind::put_element;
            const bool field = assignment.kind == cql::AssignmentKind::put_field;
            add(assignment.value, assignment.column, element || field ? nullptr : type);
            add(assignment.key, assignment.column, nullptr);
        }
        for (const auto* restrictions : {&part.where, &part.conditions}) {
            for (const auto& restriction : *restrictions) add_restriction(restriction);
        }
        for (const auto& deletion : part.deletions) add(deletion.key, deletion.column, nullptr);
        add(part.with.ttl, "ttl", cql::scalar(cql::TypeKind::int_));
        add(part.with.timestamp, "timestamp", cql::scalar(cql::TypeKind::bigint));
        add(part.json, "json", cql::scalar(cql::TypeKind::text));
        return std::move(found_);
    }

  private:
    cql::TypePtr type_of(std::string_view column) const {
        const auto* def = table_ ? table_->column(column) : nullptr;
        return def ? def->type : nullptr;
    }

    void add_restriction(const cql::Restriction& restriction) {
        const bool plain = restriction.subject == cql::Restriction::Subject::column &&
                           restriction.op != cql::Operator::contains && restriction.op != cql::Operator::contains_key;
        const auto type = plain ? type_of(restriction.column) : nullptr;
        if (restriction.value.is(cql::TermKind::in_values)) {
            for (const auto& value : restriction.value.elements) add(value, restriction.column, type);
        } else {
            // `c IN ?` is given a list.
            add(restriction.value, restriction.column, restriction.op == cql::Operator::in ? nullptr : type);
        }
        add(restriction.key, restriction.column, nullptr);
    }

    void add(const cql::Term& term, std::string_view column, cql::TypePtr type) {
        if (term.is_marker()) {
            found_[term.marker] = {term.range, std::string(column), std::move(type)};
            return;
        }
        for (const auto& element : term.elements) add(element, column, nullptr);
    }

    const cql::Schema* schema_;
    std::string_view keyspace_;
    const cql::Table* table_ = nullptr;
    std::map<std::uint32_t, Marker> found_;
};

/// Where a write time goes, and with which words; nothing where the text has one.
std::optional<std::pair<std::uint32_t, std::string>> timestamp_clause(const cql::Statement& part,
                                                                      std::optional<std::int64_t> timestamp) {
    if (!timestamp || part.with.timestamp || !part.is_dml()) return std::nullopt;
    if (part.with.ttl) return std::pair(part.with.ttl.range.end, fmt::format(" AND TIMESTAMP {}", *timestamp));
    const bool at_end = part.kind == cql::StatementKind::insert;
    return std::pair(at_end ? part.range.end : part.table.range.end, fmt::format(" USING TIMESTAMP {}", *timestamp));
}

class Painter {
  public:
    Painter(OwedPicture& picture, const OwedStatement& owed, const cql::Schema* schema)
        : picture_(picture), owed_(owed), schema_(schema) {}

    void paint(std::string_view text, std::string_view keyspace, const cql::ValuesView& values) {
        OwedText out;
        out.text = text;
        const auto statement = cql::parse(text);
        std::map<std::uint32_t, Marker> markers;
        for (const auto& part : statement.parts())
            markers.merge(Markers(schema_, keyspace.empty() ? owed_.keyspace : keyspace).take(part));
        bool exact = statement.complete && !statement.conditional() && markers.size() == statement.marker_count &&
                     values.size() <= statement.marker_count;
        std::vector<std::pair<cql::TextRange, std::string>> edits;
        for (const auto& [ordinal, marker] : markers) {
            const auto name = name_of(statement, ordinal);
            const auto bound = values.named() ? values.by_name(name) : values.nth(ordinal);
            auto value = describe(bound, marker, name, ordinal);
            exact = exact && value.typed;
            edits.emplace_back(marker.range, value.text);
            out.values.push_back(std::move(value));
        }
        if (markers.empty()) {
            // Not understood: in the order in which they came.
            std::uint32_t ordinal = 0;
            for (const auto bound : values)
                out.values.push_back(describe(bound, {}, std::string(bound.name), ordinal++));
        }
        if (exact) out.cql = script_of(statement, keyspace.empty() ? owed_.keyspace : std::string(keyspace), edits);
        picture_.statements.push_back(std::move(out));
    }

  private:
    static std::string name_of(const cql::Statement& statement, std::uint32_t ordinal) {
        for (const auto& part : statement.parts()) {
            if (ordinal >= part.first_marker && ordinal - part.first_marker < part.marker_names.size())
                return std::string(part.marker_names[ordinal - part.first_marker]);
        }
        return {};
    }

    static OwedValue describe(const std::optional<cql::BoundValue>& bound, const Marker& marker,
                              const std::string& name, std::uint32_t ordinal) {
        OwedValue out;
        out.name = !marker.column.empty() ? marker.column : !name.empty() ? name : std::to_string(ordinal);
        if (!bound || bound->value.is_unset()) {
            out.text = "unset";  // there is no literal for it
        } else if (bound->value.is_null()) {
            out.text = "null";
            out.typed = true;
        } else if (auto literal = marker.type ? cql::to_literal(*marker.type, bound->value)
                                              : Result<std::string>(fail(Errc::unsupported, "no type"))) {
            out.text = std::move(literal.value());
            out.typed = true;
        } else {
            out.text = hex(bound->value.bytes());
        }
        return out;
    }

    std::string script_of(const cql::Statement& statement, const std::string& keyspace,
                          std::vector<std::pair<cql::TextRange, std::string>> edits) const {
        for (const auto& part : statement.parts()) {
            if (auto clause = timestamp_clause(part, picture_.timestamp))
                edits.emplace_back(cql::TextRange{clause->first, clause->first}, std::move(clause->second));
        }
        std::ranges::sort(edits, {}, [](const auto& edit) { return edit.first.begin; });
        std::vector<cql::Replacement> replacements;
        for (const auto& [range, with] : edits) replacements.push_back({range, with});
        const auto text = cql::replace(statement.text, replacements);
        const auto again = cql::parse(text);
        if (cql::fully_qualified(again) || keyspace.empty()) return text;
        return cql::qualify(again, keyspace);
    }

    OwedPicture& picture_;
    const OwedStatement& owed_;
    const cql::Schema* schema_;
};

const OwedPrepared* prepared_of(const OwedStatement& owed, BytesView id) {
    const auto found = std::ranges::find_if(owed.prepared, [&](const auto& one) { return equal(one.id, id); });
    return found == owed.prepared.end() ? nullptr : &*found;
}

/// Of a row, behind its partition key.
std::string clustering_text(const OwedResync& order, const cql::Table* table) {
    const auto columns = table ? table->clustering() : std::vector<const cql::ColumnDef*>();
    std::string out;
    for (std::size_t i = 0; i < order.clustering.size(); ++i) {
        const BytesView value(order.clustering[i]);
        out += ", ";
        out += columns.size() == order.clustering.size()
                   ? fmt::format("{}={}", columns[i]->name, cql::to_text(*columns[i]->type, value))
                   : hex(value);
    }
    return out;
}

/// The columns of a partition key; hex where the table is not known or the bytes are not its key.
std::string partition_text(const OwedResync& order, const cql::Table* table) {
    if (!table) return hex(order.partition_key);
    const auto columns = table->partition_key();
    if (columns.size() == 1) {
        return fmt::format("{}={}", columns[0]->name, cql::to_text(*columns[0]->type, BytesView(order.partition_key)));
    }
    std::string out;
    Reader reader(order.partition_key);
    for (const auto* column : columns) {
        const auto size = reader.u16();
        const auto part = size ? reader.take(size.value()) : Result<BytesView>(fail(size.error()));
        if (!part || !reader.u8()) return hex(order.partition_key);
        out += fmt::format("{}{}={}", out.empty() ? "" : ", ", column->name, cql::to_text(*column->type, part.value()));
    }
    return out;
}

std::string key_text(const OwedResync& order, const cql::Schema* schema) {
    if (order.range) return "tokens " + to_string(*order.range);
    if (order.partition_key.empty()) return {};
    const auto* table = schema ? schema->table(order.keyspace, order.table) : nullptr;
    return partition_text(order, table) + clustering_text(order, table);
}

}  // namespace

std::string OwedPicture::where() const {
    if (places.empty()) return "";
    const auto& first = places.front();
    auto out = fmt::format("{}.{}", first.order.keyspace, first.order.table);
    out += first.key.empty() ? " (all rows)" : " " + first.key;
    if (places.size() > 1) out += fmt::format(" and {} more", places.size() - 1);
    return out;
}

std::string OwedPicture::script() const {
    std::string out;
    for (const auto& statement : statements) {
        if (!statement.cql.empty()) {
            out += statement.cql + (statement.cql.ends_with(';') ? "\n" : ";\n");
            continue;
        }
        std::string text = statement.text;
        std::ranges::replace_if(
            text, [](char c) { return c == '\n' || c == '\r'; }, ' ');
        out += fmt::format("-- cannot be said in CQL: {}\n", text);
        for (const auto& value : statement.values) out += fmt::format("--   {} = {}\n", value.name, value.text);
    }
    if (resync) out += fmt::format("-- a resync of {}\n", where());
    return out;
}

Result<OwedPicture> picture_of(const Owed& owed, const cql::Schema* schema) {
    OwedPicture picture;
    if (const auto* order = std::get_if<OwedResync>(&owed)) {
        picture.resync = true;
        picture.places.push_back({*order, key_text(*order, schema)});
        return picture;
    }
    const auto& statement = std::get<OwedStatement>(owed);
    picture.keyspace = statement.keyspace;
    for (const auto& row : statement.rows) picture.places.push_back({row, key_text(row, schema)});
    Painter painter(picture, statement, schema);
    const auto prepared = [&](BytesView id, const cql::ValuesView& values) -> Status {
        const auto* found = prepared_of(statement, id);
        if (!found) return fail(Errc::malformed, "the text of prepared id " + to_hex(id) + " was not kept");
        painter.paint(found->text, found->keyspace, values);
        return ok();
    };
    TRY(const auto frame, cql::view_frame(statement.frame, cql::Direction::request));
    switch (frame.header.opcode) {
        case cql::Opcode::query: {
            TRY(const auto query, cql::decode_query(frame));
            picture.timestamp = query.parameters.timestamp;
            painter.paint(query.query, query.parameters.keyspace.value_or(""), query.parameters.values);
            break;
        }
        case cql::Opcode::execute: {
            TRY(const auto execute, cql::decode_execute(frame));
            picture.timestamp = execute.parameters.timestamp;
            TRY(prepared(execute.id, execute.parameters.values));
            break;
        }
        case cql::Opcode::batch: {
            TRY(const auto batch, cql::decode_batch(frame));
            picture.timestamp = batch.parameters.timestamp;
            for (const auto child : batch.children) {
                if (child.prepared) {
                    TRY(prepared(child.id, child.values));
                } else {
                    painter.paint(child.query, batch.parameters.keyspace.value_or(""), child.values);
                }
            }
            break;
        }
        default:
            return fail(Errc::malformed, "an owed frame that is no statement");
    }
    return picture;
}

}  // namespace penumbra::sync
