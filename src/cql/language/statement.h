#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cql/language/term.h"

namespace penumbra::cql {

class TextArena;

enum class StatementKind : std::uint8_t {
    select,
    insert,
    update,
    delete_,
    batch,
    truncate,
    use,
    schema_change,   ///< CREATE, ALTER, DROP of what a keyspace holds: see SchemaStatement
    access_control,  ///< roles, users, identities, GRANT, REVOKE
    service_level,   ///< ScyllaDB: CREATE/ALTER/DROP SERVICE LEVEL, ATTACH, DETACH
    list,            ///< LIST ROLES, PERMISSIONS, USERS, SERVICE LEVELS, ...
    describe,
    prune,    ///< ScyllaDB: PRUNE MATERIALIZED VIEW
    unknown,  ///< no verb that we know: Statement::verb is what stood there
};

std::string_view to_string(StatementKind kind);

/// What a statement does to data, as far as one must know to be safe with it. A verb that we do not know may write.
enum class Access : std::uint8_t { read, write, connection };

std::string_view to_string(Access access);

/// The name of a table or of another object of a keyspace, with quotes and case resolved.
struct ObjectName {
    std::string_view keyspace;  ///< empty when the text names none
    std::string_view name;
    TextRange range;  ///< the whole of it in the text, keyspace included

    explicit operator bool() const { return !range.empty(); }
    bool qualified() const { return !keyspace.empty(); }
};

// clang-format off
enum class Operator : std::uint8_t {
    eq, ne, lt, le, gt, ge,
    in, not_in, contains, not_contains, contains_key, not_contains_key, like,
    is_null, is_not_null, between, not_between,
    other,
};
// clang-format on

std::string_view to_string(Operator op);

/// One relation of WHERE or IF: `c = 1`, `c IN ?`, `(a, b) > (1, ?)`, `token(k) <= ?`, `m['k'] = 1`, `u.f = 2`.
struct Restriction {
    enum class Subject : std::uint8_t {
        column,
        tuple,    ///< (a, b): `columns`
        token,    ///< token(a, b): `columns`
        element,  ///< c[k]: `column`, `key`
        field,    ///< c.f: `column`, `field`
        other,    ///< expr(index, '...'), and whatever a newer server may know
    };
    Subject subject = Subject::column;
    Operator op = Operator::eq;
    std::string_view column;
    std::vector<std::string_view> columns;
    Term key;
    std::string_view field;
    /// IN: `in_values`, or a marker for the whole list. IS [NOT] NULL: none. BETWEEN: a tuple of both ends.
    Term value;
    TextRange range;
};

/// What one assignment of UPDATE does; an INSERT's columns are `set`.
enum class AssignmentKind : std::uint8_t {
    set,          ///< c = v
    add,          ///< c = c + v, c += v, and `c = c -1` (v is then the integer -1: the sign belongs to the number)
    prepend,      ///< c = v + c
    subtract,     ///< c = c - v, c -= v
    put_element,  ///< c[key] = v
    put_field,    ///< c.field = v
    expression,   ///< c = something else that reads columns
};

std::string_view to_string(AssignmentKind kind);

struct Assignment {
    AssignmentKind kind = AssignmentKind::set;
    std::string_view column;
    std::string_view field;
    Term key;
    Term value;
    TextRange range;  ///< UPDATE: the whole assignment. INSERT: the column name
};

/// What a DELETE names between DELETE and FROM.
struct Deletion {
    enum class Kind : std::uint8_t { column, element, field };
    Kind kind = Kind::column;
    std::string_view column;
    std::string_view field;
    Term key;
    TextRange range;
};

struct Selector {
    Term expression;         ///< star, column, function, cast, element, field, ...
    std::string_view alias;  ///< AS alias; "" if none
};

struct Ordering {
    enum class Direction : std::uint8_t { ascending, descending, nearest };
    std::string_view column;
    Direction direction = Direction::ascending;
    Term vector;  ///< of ANN OF (`nearest`)
};

enum class Condition : std::uint8_t { none, if_exists, if_not_exists, if_columns };
enum class BatchKind : std::uint8_t { logged, unlogged, counter };
enum class JsonDefault : std::uint8_t { null, unset };

std::string_view to_string(Condition condition);
std::string_view to_string(BatchKind type);

/// Something whose value may differ when it is evaluated a second time.
enum class VolatileKind : std::uint8_t {
    now,                ///< now(): timeuuid
    uuid,               ///< uuid()
    current_timestamp,  ///< currentTimestamp(), current_timestamp()
    current_date,
    current_time,
    current_timeuuid,
    now_string,     ///< the literal 'now' in any case: the server's time if it is meant for a timestamp, else only a
                    ///< string
    now_in_json,    ///< a JSON text that holds the string "now"
    user_function,  ///< a function that is not one of the servers' own: may be volatile
};

std::string_view to_string(VolatileKind kind);
/// The CQL type of what a function of this kind gives; "" where it gives none of its own.
std::string_view cql_type(VolatileKind kind);

struct Volatile {
    VolatileKind kind = VolatileKind::now;
    TextRange range;                   ///< the whole call or literal, qualifying keyspace included
    std::uint32_t markers_before = 0;  ///< bind markers left of it in the text
};

struct Using {
    Term timestamp;
    Term ttl;
    Term timeout;  ///< ScyllaDB
};

/// One `name = value` after WITH. CLUSTERING ORDER BY and COMPACT STORAGE appear by those names (lower case) without a
/// value.
struct Property {
    std::string_view name;
    Term value;
    TextRange range;
};

struct SchemaStatement {
    enum class Verb : std::uint8_t { create, alter, drop };
    enum class Object : std::uint8_t {
        keyspace,
        table,
        type,
        index,
        materialized_view,
        function,
        aggregate,
        trigger,
        unknown
    };
    Verb verb = Verb::create;
    Object object = Object::unknown;
    bool if_exists = false;  ///< of the object itself, not of a column of ALTER
    bool if_not_exists = false;
    bool or_replace = false;
    ObjectName name;  ///< a keyspace is name.keyspace with name.name empty; an index may be nameless
    ObjectName like;  ///< CREATE TABLE t LIKE this
    std::vector<Property> properties;
};

std::string_view to_string(SchemaStatement::Verb verb);
std::string_view to_string(SchemaStatement::Object object);

/// What one CQL text says. Views point into the parsed text, which has to outlive it (OwnedStatement keeps both
/// together), or into storage that copies share. Plain data, immutable once parsed, hence usable on any thread.
///
/// `kind`, `verb`, the markers and the volatiles can always be told. `complete` says that our grammar covers the text
/// to its end; where it is false the rest holds what was understood, and nothing may be concluded from what is absent.
struct Statement {
    StatementKind kind = StatementKind::unknown;
    bool complete = false;
    std::string_view text;  ///< the whole parsed text, also in children of a batch: what every TextRange refers to
    TextRange range;        ///< what of it is this statement, without trailing semicolons
    std::string_view verb;  ///< the first word as written

    /// The table read or written. DDL: the table it is about (CREATE INDEX .. ON this, the base table of a view).
    /// GRANT, LIST PERMISSIONS, DESCRIBE, PRUNE: the table, view, type or function they name.
    ObjectName table;
    std::string_view keyspace;  ///< of USE
    /// Depends on the connection's keyspace by more than names that lack one: DESCRIBE TABLES, DESCRIBE x.
    bool needs_keyspace = false;

    std::vector<Restriction> where;
    /// WHERE, or the VALUES of an INSERT, was understood to its end, whatever else was not: the row is what it seems to
    /// be.
    bool row_understood = false;
    Condition condition = Condition::none;
    std::vector<Restriction> conditions;  ///< IF c = ..
    Using with;                           ///< USING ..

    std::vector<Assignment> assignments;  ///< INSERT .. VALUES, UPDATE .. SET
    Term json;                            ///< INSERT JSON this
    JsonDefault json_default = JsonDefault::null;
    std::vector<Deletion> deletions;  ///< DELETE these FROM; empty: whole rows

    std::vector<Selector> selectors;
    bool select_json = false;
    bool distinct = false;
    bool allow_filtering = false;
    bool bypass_cache = false;        ///< ScyllaDB
    bool mutation_fragments = false;  ///< ScyllaDB: FROM MUTATION_FRAGMENTS(table)
    bool aggregates = false;          ///< a selector calls count, min, max, sum or avg
    std::vector<Term> group_by;
    std::vector<Ordering> order_by;
    Term limit;
    Term per_partition_limit;

    BatchKind batch_type = BatchKind::logged;
    std::vector<Statement> children;

    std::shared_ptr<const SchemaStatement> schema;  ///< of schema_change, null otherwise

    /// Bind markers, counted by occurrence as Cassandra does (ScyllaDB gives equal names one slot).
    std::uint32_t marker_count = 0;
    std::uint32_t first_marker = 0;  ///< ordinal of this statement's first one: children of a batch go on counting
    std::vector<std::string_view> marker_names;  ///< by ordinal - first_marker; empty when all are `?`
    std::vector<Volatile> volatiles;             ///< in text order; those of a batch include its children's

    std::shared_ptr<const TextArena> storage;  ///< decoded names and strings

    /// What the statement does to data. Not understood: a SELECT reads, whatever else may write.
    Access access() const;
    bool is_dml() const;
    /// IF .. here or, in a batch, in any child.
    bool conditional() const;
    /// The children of a batch, otherwise the statement itself.
    std::span<const Statement> parts() const;
    /// The term that `column` must equal or is set to by its row: INSERT's value, else a `=` of WHERE, tuples included.
    /// Nothing where the row is not understood: `k = 1 OR k = 2` is not `k = 1`. `c IN (x)` counts as `c = x`. UPDATE
    /// .. SET c counts where WHERE does not name c. Null where the text does not say, or says it more than once.
    const Term* value_of(std::string_view column) const;
    /// The column whose value, key or restriction stands at this place of the text: whose type decides what a literal
    /// 'now' there means. "" if the place is none of these.
    std::string_view column_at(TextRange range) const;
    /// The first relation of WHERE on this column alone (`column`, `element` or `field`), null if there is none.
    const Restriction* restriction_on(std::string_view column) const;
    /// Does the text set, change or (DELETE c) remove this column? INSERT JSON and deletion of whole rows name no
    /// columns.
    bool assigns(std::string_view column) const;
};

/// A statement together with the text that it points into.
class OwnedStatement {
  public:
    explicit OwnedStatement(std::string text);

    const std::string& text() const { return *text_; }
    const Statement& operator*() const { return statement_; }
    const Statement* operator->() const { return &statement_; }

  private:
    std::shared_ptr<const std::string> text_;
    Statement statement_;
};

}  // namespace penumbra::cql
