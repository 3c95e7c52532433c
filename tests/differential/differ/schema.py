"""A random schema: user defined types, tables of every shape, counters, indexes; and how it changes on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random

from .values import KEYS, SCALARS, Type, TypeMaker, scalar

# Stands for the lane's keyspace in every text. What is sent has a name of the same length in its place, another one on
# each side, so that frames and answers keep their lengths and can be mapped byte by byte.
KEYSPACE = "dfkeyspacename"

_NAMES = ["a", "b", "c", "d", "key", "value", "ttl", "json", "counter_", "x1", "Mixed", "with space", 'quo"te', "select", "user",
          "timestamp", "type", "uuid", "list", "writetime", "e", "f", "g", "h", "i", "j", "very_long_name_of_a_column"]
_RESERVED = {"select", "token", "from", "where", "and", "table", "set"}


def name_of(text: str) -> str:
    """An identifier as CQL wants it written."""
    if re.fullmatch("[a-z][a-z0-9_]*", text) and text not in _RESERVED:
        return text
    return '"' + text.replace('"', '""') + '"'


@dataclass
class Column:
    plain: str
    type: Type
    kind: str   # partition, clustering, static, regular

    @property
    def cql(self) -> str:
        return name_of(self.plain)


@dataclass
class Table:
    """What the generator knows of a table; the servers may know better when a change of theirs was refused."""

    name: str
    columns: list[Column]
    # What the writes of a table may be, so that all that is read from it is determined:
    #   timed    every write says its timestamp: WRITETIME can be compared
    #   free     everything else: server times, conditions, mutated texts
    #   counter
    #   volatile values that servers make up: of its answers only the shape is compared
    mode: str
    descending: list[bool] = field(default_factory=list)
    indexed: dict[str, str] = field(default_factory=dict)   # column -> kind of the index
    keys: list[list] = field(default_factory=list)          # the partition keys in use, so that statements meet
    clusterings: list[list] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Column]:
        return [column for column in self.columns if column.kind in kinds]

    @property
    def partition(self) -> list[Column]:
        return self.of("partition")

    @property
    def clustering(self) -> list[Column]:
        return self.of("clustering")

    @property
    def values(self) -> list[Column]:
        return self.of("static", "regular")

    def create(self, rng: Random) -> str:
        parts = [f"{column.cql} {column.type.cql}{' static' if column.kind == 'static' else ''}" for column in self.columns]
        first = ", ".join(column.cql for column in self.partition)
        rest = "".join(f", {column.cql}" for column in self.clustering)
        options = []
        if any(self.descending):
            options.append("CLUSTERING ORDER BY (" + ", ".join(
                f"{column.cql} {'DESC' if down else 'ASC'}" for column, down in zip(self.clustering, self.descending)) + ")")
        if rng.random() < 0.3:
            options.append(rng.choice(["comment = 'it''s'", "gc_grace_seconds = 432000",
                                       "compaction = {'class': 'LeveledCompactionStrategy'}", "caching = {'keys': 'ALL', 'rows_per_partition': '10'}"]))
        end = " WITH " + " AND ".join(options) if options else ""
        return f"CREATE TABLE {KEYSPACE}.{name_of(self.name)} ({', '.join(parts)}, PRIMARY KEY (({first}){rest})){end}"


class SchemaMaker:
    def __init__(self, rng: Random, vectors: bool) -> None:
        self._rng = rng
        self._types = TypeMaker(rng, vectors)
        self.tables: list[Table] = []

    def statements(self, tables: int) -> list[str]:
        rng = self._rng
        made = [f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"]
        for number in range(rng.randrange(1, 3)):
            made.append(self._make_udt(number))
        modes = ["timed", "free", "timed", "free", "counter", "volatile"]
        for number in range(tables):
            table = self._make_table(number, modes[number % len(modes)])
            self.tables.append(table)
            made.append(table.create(rng))
            made += self._indexes(table)
        return made

    def _make_udt(self, number: int) -> str:
        rng = self._rng
        fields = tuple(rng.sample(["f", "g", "street", "Mixed"], rng.randrange(1, 4)))
        parts = tuple(self._types.any(1) for _ in fields)
        name = f"udt{number}"
        self._types.udts.append(Type("udt", parts, False, 0, tuple(name_of(one) for one in fields), name))
        return (f"CREATE TYPE {KEYSPACE}.{name} ("
                + ", ".join(f"{name_of(one)} {part.cql}" for one, part in zip(fields, parts)) + ")")

    def _make_table(self, number: int, mode: str) -> Table:
        rng = self._rng
        names = rng.sample(_NAMES, 16)
        columns = [Column(names.pop(), self._types.key() if rng.random() < 0.3 else scalar(rng.choice(["int", "text", "uuid"])), "partition")
                   for _ in range(rng.choice([1, 1, 2, 3]))]
        clustering = [Column(names.pop(), self._types.key() if rng.random() < 0.3 else scalar(rng.choice(["int", "text", "timestamp"])),
                             "clustering") for _ in range(rng.choice([0, 1, 1, 2, 3]))]
        columns += clustering
        if mode == "counter":
            columns += [Column(names.pop(), scalar("counter"), "regular") for _ in range(rng.randrange(1, 3))]
            if clustering and rng.random() < 0.4:
                columns.append(Column(names.pop(), scalar("counter"), "static"))
        elif mode == "volatile":
            columns += [Column(names.pop(), scalar(one), "regular") for one in ("uuid", "timeuuid", "timestamp", "date", "bigint", "text")]
        else:
            if clustering and rng.random() < 0.5:
                columns += [Column(names.pop(), self._value_type(mode), "static") for _ in range(rng.randrange(1, 3))]
            columns += [Column(names.pop(), self._value_type(mode), "regular") for _ in range(rng.randrange(2, 6))]
            columns += [Column(names.pop(), scalar(one), "regular") for one in ("int", "text")]
        table = Table(rng.choice([f"t{number}", f"t{number}", f"Table{number}"]), columns, mode,
                      [rng.random() < 0.4 for _ in clustering])
        table.keys = [[column.type.make(rng, True) for column in table.partition] for _ in range(5)]
        table.clusterings = [[column.type.make(rng, True) for column in clustering] for _ in range(6)] if clustering else [[]]
        return table

    def _value_type(self, mode: str) -> Type:
        """No columns of many cells in a timed table: servers before Cassandra 5.0 do not show their write times, so a copy
        gives them its own, and a client who writes at times long past then writes beneath it."""
        while True:
            made = self._types.any()
            if mode != "timed" or not made.is_multi_cell:
                return made

    def _indexes(self, table: Table) -> list[str]:
        rng = self._rng
        if table.mode not in ("timed", "free") or rng.random() < 0.5:
            return []
        column = rng.choice(table.values)
        if column.type.has("duration") or column.type.name == "vector":
            return []
        kind = "full" if column.type.frozen and column.type.is_collection else "values"
        shown = column.cql
        if column.type.is_collection:
            if not column.type.frozen:
                kind = rng.choice(["values", "keys", "entries"]) if column.type.name == "map" else "values"
            shown = f"{kind}({column.cql})"
        elif column.type.is_multi_cell:
            return []
        table.indexed[column.plain] = kind
        return [f"CREATE INDEX ON {KEYSPACE}.{name_of(table.name)} ({shown})"]

    # --- changes on the way ---

    def change(self) -> str:
        """ALTER, CREATE INDEX, DROP and their refusals: what a prepared statement has to outlive."""
        rng = self._rng
        table = rng.choice(self.tables)
        where = f"{KEYSPACE}.{name_of(table.name)}"
        draw = rng.random()
        if draw < 0.35 and table.mode != "counter":
            plain = f"added{rng.randrange(100)}"
            if any(column.plain == plain for column in table.columns):
                return f"ALTER TABLE {where} ADD {plain} int"
            made = Column(plain, self._value_type(table.mode) if table.mode != "volatile" else scalar("uuid"), "regular")
            table.columns.append(made)
            return f"ALTER TABLE {where} ADD {made.cql} {made.type.cql}"
        # Not in timed tables: their write times are ahead of the server's, and where a cell is younger than the drop of its column
        # Cassandra (4.1.9 at least) keeps it and fails each read of the row: "column is null".
        if draw < 0.45 and table.mode != "timed":
            droppable = [column for column in table.of("regular") if column.plain.startswith("added")]
            if droppable:
                gone = rng.choice(droppable)
                table.columns.remove(gone)
                return f"ALTER TABLE {where} DROP {gone.cql}"
        if draw < 0.55 and self._types.udts:
            udt = rng.choice(self._types.udts)
            return f"ALTER TYPE {KEYSPACE}.{udt.udt} ADD extra{rng.randrange(1000)} {rng.choice(SCALARS)}"
        if draw < 0.65:
            return f"ALTER TABLE {where} WITH comment = 'changed {rng.randrange(100)}'"
        if draw < 0.72 and table.clustering:
            old = rng.choice(table.clustering)
            new = f"renamed{rng.randrange(1000)}"
            text = f"ALTER TABLE {where} RENAME {old.cql} TO {new}"
            if any(column.plain == new for column in table.columns):
                return text
            old.plain = new
            return text
        name = f"extra{rng.randrange(4)}"
        return rng.choice([
            f"CREATE TABLE {KEYSPACE}.{name} (k {rng.choice(KEYS)} PRIMARY KEY, v {rng.choice(SCALARS)})",
            f"CREATE TABLE IF NOT EXISTS {KEYSPACE}.{name} (k int PRIMARY KEY, v int)",
            f"DROP TABLE {KEYSPACE}.{name}", f"DROP TABLE IF EXISTS {KEYSPACE}.{name}",
            f"CREATE TYPE {KEYSPACE}.{name}t (a int)", f"DROP TYPE {KEYSPACE}.{name}t", f"DROP TYPE IF EXISTS {KEYSPACE}.{name}t",
            f"CREATE INDEX IF NOT EXISTS extra_index ON {where} ({rng.choice(table.values).cql})",
            f"DROP INDEX IF EXISTS {KEYSPACE}.extra_index", f"DROP INDEX {KEYSPACE}.extra_index",
            f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
            f"CREATE KEYSPACE IF NOT EXISTS {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
            f"ALTER KEYSPACE {KEYSPACE} WITH durable_writes = true",
            f"CREATE TABLE {KEYSPACE}.bad (k int, v int)", f"CREATE TABLE {KEYSPACE}.bad (k int PRIMARY KEY, v nothing)",
            f"ALTER TABLE {where} ADD {rng.choice(table.columns).cql} int", f"ALTER TABLE {where} DROP nothing",
            f"ALTER TABLE {KEYSPACE}.nothing ADD v int", f"DROP KEYSPACE {KEYSPACE}_none",
            f"CREATE FUNCTION {KEYSPACE}.fn(a int) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE java AS 'return a;'",
        ])
