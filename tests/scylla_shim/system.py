"""system.local, system.peers and system_schema as ScyllaDB shows them, out of what the Cassandra behind says.

A SELECT is rewritten to the columns that both have; what only ScyllaDB has is put into the answer. Plain columns, `*`,
aliases, WHERE, LIMIT are covered; functions and JSON over a column that was rewritten see Cassandra's value.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from .columns import TABLES
from .cql import Statement, quoted
from .wire import INVALID, Column, Refused, Rows, read_text_map, text_map, type_code

_SYSTEM = {"system", "system_schema", "system_distributed", "system_auth", "system_traces",
           "system_distributed_everywhere"}
# What a Cassandra has and ScyllaDB 5.2 has not, by keyspace; of the two first, TABLES says what there is.
_NEVER = {"system_virtual_schema", "system_views", "system_cluster_metadata"}
_FEATURES = "CDC,COMPUTED_COLUMNS,LWT,MC_SSTABLE_FORMAT,MD_SSTABLE_FORMAT,PER_TABLE_CACHING,UNBOUNDED_RANGE_TOMBSTONES,XXHASH"

RELEASE_VERSION = "3.0.8"
CQL_VERSION = "3.3.1"
_FIXED = {
    "release_version": RELEASE_VERSION.encode(), "cql_version": CQL_VERSION.encode(), "native_protocol_version": b"4",
    "thrift_version": b"20.1.0", "supported_features": _FEATURES.encode(),
    "read_repair_chance": struct.pack(">d", 0.0), "dclocal_read_repair_chance": struct.pack(">d", 0.0),
    "extensions": struct.pack(">i", 0)}
_ADDRESSES = ("broadcast_address", "listen_address", "rpc_address", "peer", "preferred_ip")


# Columns of `system` that no Cassandra of today has.
_OWN_COLUMNS = [{"keyspace_name": b"system", "table_name": table.encode(), "column_name": column.encode(),
                 "clustering_order": b"NONE", "kind": b"regular", "position": struct.pack(">i", -1), "type": b"text"}
                for table, column in (("local", "supported_features"), ("local", "thrift_version"),
                                      ("peers", "supported_features"))]


@dataclass
class SystemSelect:
    """How one SELECT on a system table is asked behind and shown in front."""

    table: str
    text: str
    columns: list[Column]          # as ScyllaDB shows them
    sources: list[int | None]      # each one's place in the answer from behind
    names: list[str]               # the column of the table each one is, without alias
    whole: bool = False            # of the whole table

    def show(self, rows: Rows, addresses: dict[str, str]) -> Rows:
        out = []
        for row in rows.decoded():
            cells = [self._cell(name, row[at] if at is not None else None, addresses)
                     for name, at in zip(self.names, self.sources)]
            if not self._is_of_another_system(cells):
                out.append(cells)
        if self.table == "system_schema.columns" and self.whole and rows.paging_state is None:
            out += [[cell.get(name) for name in self.names] for cell in _OWN_COLUMNS]
        shown = Rows(self.columns, len(self.columns), rows.paging_state, b"")
        shown.fill(out)
        return shown

    def _is_of_another_system(self, cells: list[bytes | None]) -> bool:
        """A table of `system`, or a column of one, that Cassandra's schema has and ScyllaDB's has not."""
        if self.table not in ("system_schema.tables", "system_schema.columns"):
            return False
        said = {name: (cell or b"").decode(errors="replace") for name, cell in zip(self.names, cells)
                if name in ("keyspace_name", "table_name", "column_name")}
        if said.get("keyspace_name") != "system" or "table_name" not in said:
            return False
        table = TABLES.get(f"system.{said['table_name']}")
        return table is None or "column_name" in said and said["column_name"] not in table

    def _cell(self, name: str, cell: bytes | None, addresses: dict[str, str]) -> bytes | None:
        if name in _ADDRESSES and cell:
            mapped = addresses.get(socket.inet_ntop(socket.AF_INET if len(cell) == 4 else socket.AF_INET6, cell))
            return socket.inet_pton(socket.AF_INET6 if ":" in mapped else socket.AF_INET, mapped) if mapped else cell
        if self.table in ("system.local", "system.peers") and name in _FIXED:
            return _FIXED[name]
        if self.table in ("system_schema.tables", "system_schema.views"):
            if name in ("read_repair_chance", "dclocal_read_repair_chance", "extensions"):
                return _FIXED[name]
            if name == "caching":
                return text_map({"keys": "ALL", "rows_per_partition": "ALL"})
            if name == "compression" and cell is not None:
                given = read_text_map(cell)
                return text_map({("sstable_compression" if k == "class" else k): v for k, v in given.items()
                                 if k in ("class", "chunk_length_in_kb")})
            if name == "speculative_retry" and cell is not None and cell.endswith(b"p"):
                return cell[:-1] + b".0PERCENTILE"
        if name == "clustering_order" and self.table == "system_schema.columns" and cell is not None:
            return cell.upper()
        return cell


def refuse_unknown(keyspace: str | None, table: str) -> None:
    """Tables that a Cassandra would answer for and ScyllaDB has not."""
    if keyspace in _NEVER:
        raise Refused(INVALID, f"Keyspace {keyspace} does not exist")
    if keyspace in ("system", "system_schema") and f"{keyspace}.{table}" not in TABLES:
        raise Refused(INVALID, f"unconfigured table {table}")


def is_system(keyspace: str | None) -> bool:
    return keyspace in _SYSTEM


def plan(statement: Statement, keyspace: str | None, known_behind: set[str]) -> SystemSelect | None:
    """None for what is best left to the server behind: functions, JSON, DISTINCT, count(*)."""
    refuse_unknown(keyspace, statement.table)
    name = f"{keyspace}.{statement.table}"
    table = TABLES.get(name)
    if table is None or keyspace not in ("system", "system_schema"):
        return None
    chosen: list[tuple[str, str]] = []
    for token in (token for selector in statement.selectors for token in selector):
        if token.name in known_behind and token.name not in table:
            raise Refused(INVALID, f"Undefined name {token.name} in selection clause")
    for selector in statement.selectors:
        if len(selector) == 1 and selector[0].text == "*":
            chosen += [(c, c) for c in table]
        elif len(selector) == 1 and selector[0].name:
            chosen.append((selector[0].name, selector[0].name))
        elif len(selector) == 3 and selector[0].name and selector[1].word == "as":
            chosen.append((selector[0].name, selector[2].name))
        else:
            return None
    if not chosen:
        return None  # no grammar takes it; the server behind says so
    for column, _ in chosen:
        if column not in table:
            raise Refused(INVALID, f"Undefined name {column} in selection clause")
    asked: list[str] = []
    sources: list[int | None] = []
    for column, _ in chosen:
        if column in known_behind:
            if column not in asked:
                asked.append(column)
            sources.append(asked.index(column))
        else:
            sources.append(None)
    if not asked:  # only what Cassandra lacks: the rows are still counted there
        asked = sorted(known_behind & set(table))[:1]
    tail = statement.tail
    text = statement.text[:0] + "SELECT " + ", ".join(map(quoted, asked)) + " "
    cuts = [(a - tail, b - tail) for a, b in statement.cuts if a >= tail]
    rest = statement.text[tail:]
    for start, end in sorted(cuts, reverse=True):
        rest = rest[:start] + " " + rest[end:]
    columns = [Column(keyspace or "", statement.table, shown, type_code(table[column])) for column, shown in chosen]
    whole = not any(token.word in ("where", "limit") for token in statement.tokens if token.start >= tail)
    return SystemSelect(name, text + rest, columns, sources, [column for column, _ in chosen], whole)
