"""Conditional writes as ScyllaDB answers them: always the same columns, always the row as it was before.

The rules are those of conditional.jsonl. The old row is read at serial consistency just before the write; the shim lets
one conditional write per partition pass at a time, so between the two only an unconditional write could slip in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .cql import Mutation, Statement, quoted
from .wire import Column, Rows

APPLIED = b"\0\4"


@dataclass
class TableColumn:
    name: str
    kind: str                      # partition_key, clustering, static, regular
    cql_type: str
    column: Column

    @property
    def multi_cell(self) -> bool:
        """Whether it is a non-frozen collection or user type: its parts have write times of their own."""
        text = self.cql_type
        if text.startswith("frozen<"):
            return False
        return text.startswith(("list<", "set<", "map<")) or self.column.type[:2] == b"\0\x30"


@dataclass
class Table:
    keyspace: str
    name: str
    columns: list[TableColumn]     # in the order of SELECT *

    def of_kind(self, *kinds: str) -> list[TableColumn]:
        return [c for c in self.columns if c.kind in kinds]

    def get(self, name: str) -> TableColumn | None:
        return next((c for c in self.columns if c.name == name), None)

    @property
    def counter(self) -> bool:
        return any(c.cql_type == "counter" for c in self.columns)


@dataclass
class Read:
    """How the old row of one mutation is found."""

    by_row: tuple[str, list[int]] | None        # SELECT with the whole key, and the markers it binds
    by_partition: tuple[str, list[int]] | None  # SELECT DISTINCT of the static columns
    conditional: bool
    static_only: bool                           # its conditions, or itself, concern static columns alone


@dataclass
class Plan:
    table: Table
    shown: list[TableColumn]
    reads: list[Read] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)


def plan(statement: Statement, table: Table) -> Plan | None:
    """None where a key is not given by plain equality: Cassandra refuses those itself."""
    mutations = statement.mutations
    everything = any(m.exists for m in mutations)
    named = {name for m in mutations for name in m.conditions}
    if any(table.get(name) is None for name in named):
        return None
    keys = {c.name for c in table.of_kind("partition_key", "clustering")} if len(mutations) > 1 or statement.batch else set()
    shown = [c for c in table.columns if everything or c.name in named or c.name in keys]
    out = Plan(table, shown)
    out.columns = [Column(table.keyspace, table.name, "[applied]", APPLIED)] + [c.column for c in shown]
    for one in mutations:
        read = _read(one, table)
        if read is None:
            return None
        out.reads.append(read)
    return out


def _read(one: Mutation, table: Table) -> Read | None:
    where, markers = [], []
    for column in table.of_kind("partition_key"):
        term = one.keys.get(column.name)
        if term is None:
            return None
        where.append(f"{quoted(column.name)} = {term.text}")
        markers += term.markers
    source = f"{quoted(table.keyspace)}.{quoted(table.name)}"
    statics = table.of_kind("partition_key", "static")
    by_partition = None
    if table.of_kind("clustering"):
        by_partition = (f"SELECT DISTINCT {', '.join(quoted(c.name) for c in statics)} FROM {source} "
                        f"WHERE {' AND '.join(where)}", list(markers))
    by_row = None
    clustering = table.of_kind("clustering")
    if all(c.name in one.keys for c in clustering):
        for column in clustering:
            where.append(f"{quoted(column.name)} = {one.keys[column.name].text}")
            markers += one.keys[column.name].markers
        by_row = (f"SELECT {', '.join(quoted(c.name) for c in table.columns)} FROM {source} WHERE {' AND '.join(where)}",
                  list(markers))
    kinds = {table.get(name).kind for name in one.conditions}  # type: ignore[union-attr]
    static_only = by_row is None or (bool(kinds) and kinds <= {"static"})
    return Read(by_row, by_partition, one.conditional, static_only)


def old_row(read: Read, table: Table, row: list[bytes | None] | None,
            partition: list[bytes | None] | None) -> dict[str, bytes | None]:
    """The values of each column as ScyllaDB shows them for one mutation."""
    nothing: dict[str, bytes | None] = {c.name: None for c in table.columns}
    if read.conditional and row is not None:
        return dict(zip(nothing, row))
    if partition is not None and (read.static_only or not read.conditional):
        names = [c.name for c in table.of_kind("partition_key", "static")]
        return nothing | dict(zip(names, partition))
    return nothing


def answer(plan: Plan, applied: bytes, old: list[dict[str, bytes | None]]) -> Rows:
    rows = Rows(plan.columns, len(plan.columns), None, b"")
    rows.fill([[applied] + [one[c.name] for c in plan.shown] for one in old])
    return rows
