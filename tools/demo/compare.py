#!/usr/bin/env python3
"""Compares two clusters cell by cell: every row, value, write time and TTL. Knows nothing of what made them equal.

It reads both clusters directly with the stock driver, by token range, and compares the bytes that the servers send: so
an empty value is not null, 1.0 is not 1.00 and -0.0 is not 0.0. Exit code: 0 equal, 1 different, 2 could not compare.

What it cannot see: the write time of a row as such (CQL does not show it), that of a counter (each node counts by its
own clock), and the write times inside a collection or user defined type that is not frozen, unless both servers show
them (Cassandra 5.0 does, 4.1 does not); their elements are compared all the same.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cassandra import ConsistencyLevel, DriverException, InvalidRequest, RequestExecutionException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import (EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, OperationTimedOut,
                               Session)
from cassandra.policies import WhiteListRoundRobinPolicy
from cassandra.protocol import ResultMessage, _ProtocolHandler, read_int
from cassandra.query import BoundStatement, named_tuple_factory

MURMUR3 = "org.apache.cassandra.dht.Murmur3Partitioner"
RAW = "raw"   # The execution profile that leaves rows as they are.
MIN_TOKEN, MAX_TOKEN = -2**63, 2**63 - 1


# --- values as the server sent them ----------------------------------------------------------------------------------

class RawResult(ResultMessage):
    """The driver would turn an empty int into None and a decimal into a number; differences would drown in that."""

    def recv_results_rows(self, f: Any, protocol_version: int, user_type_map: dict, result_metadata: Any,
                          column_encryption_policy: Any) -> None:
        self.recv_results_metadata(f, user_type_map)
        columns = self.column_metadata or result_metadata
        count = read_int(f)
        self.column_names = [column[2] for column in columns]
        self.column_types = [column[3] for column in columns]
        self.parsed_rows = [self.recv_row(f, len(columns)) for _ in range(count)]


class RawProtocol(_ProtocolHandler):
    message_types_by_opcode = {**_ProtocolHandler.message_types_by_opcode, RawResult.opcode: RawResult}


@dataclass(frozen=True)
class Cell:
    raw: bytes | None
    written: bytes | None   # microseconds, or a list of them
    ttl: bytes | None       # seconds that remained when it was read, or a list
    read_at: float

    def expiries(self) -> list[float | None]:
        """When it dies, as seconds since 1970; one for each element where the server shows a list."""
        if self.ttl is None:
            return []
        if len(self.ttl) == 4:
            return [self.read_at + struct.unpack(">i", self.ttl)[0]]
        return [None if part is None else self.read_at + struct.unpack(">i", part)[0] for part in _list(self.ttl)]

    def write_times(self) -> list[int | None]:
        if self.written is None:
            return []
        if len(self.written) == 8:
            return [struct.unpack(">q", self.written)[0]]
        return [None if part is None else struct.unpack(">q", part)[0] for part in _list(self.written)]


def _list(raw: bytes) -> list[bytes | None]:
    parts: list[bytes | None] = []
    at = 4
    for _ in range(struct.unpack(">i", raw[:4])[0]):
        size = struct.unpack(">i", raw[at:at + 4])[0]
        at += 4
        parts.append(None if size < 0 else raw[at:at + size])
        at += max(size, 0)
    return parts


NO_CELL = Cell(None, None, None, 0.0)


# --- tables ----------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Column:
    name: str
    kind: str        # partition_key, clustering, static, regular
    position: int
    order: str
    type: str


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass
class Side:
    """One of the two clusters."""

    name: str
    session: Session            # for its schema
    raw: Session                # for its rows
    release: str
    tables: dict[str, dict[str, Column]] = field(default_factory=dict)
    types: dict[str, tuple] = field(default_factory=dict)    # user defined: names and types of the fields

    def read_schema(self, keyspace: str) -> None:
        kept = self.session.execute(
            "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", [keyspace])
        for row in kept:
            self.tables[f"{keyspace}.{row[0]}"] = {}
        for row in self.session.execute(
                "SELECT type_name, field_names, field_types FROM system_schema.types WHERE keyspace_name = %s",
                [keyspace]):
            self.types[f"{keyspace}.{row[0]}"] = (row[1], row[2])
        for row in self.session.execute(
                "SELECT table_name, column_name, kind, position, clustering_order, type FROM system_schema.columns "
                "WHERE keyspace_name = %s", [keyspace]):
            if f"{keyspace}.{row[0]}" in self.tables:   # Views have columns too; they follow their tables.
                self.tables[f"{keyspace}.{row[0]}"][row[1]] = Column(*row[1:])


@dataclass
class Plan:
    """One table, as both sides have it."""

    name: str                   # keyspace.table
    partition: list[Column]
    clustering: list[Column]
    cells: list[Column]         # statics, then regulars, that both sides have
    timed: set[str]             # those whose write time and TTL both servers show
    tenant_at: int | None       # where in the key the tenant column stands

    @property
    def key(self) -> list[Column]:
        return self.partition + self.clustering

    def select(self) -> str:
        parts = [f"token({', '.join(quoted(c.name) for c in self.partition)})"]
        parts += [quoted(c.name) for c in self.key]
        for column in self.cells:
            parts.append(quoted(column.name))
            if column.name in self.timed:
                parts += [f"WRITETIME({quoted(column.name)})", f"TTL({quoted(column.name)})"]
        keyspace, _, table = self.name.partition(".")
        return f"SELECT {', '.join(parts)} FROM {quoted(keyspace)}.{quoted(table)}"


@dataclass
class Row:
    token: int
    key: tuple[bytes | None, ...]
    cells: list[Cell]

    def partition(self, plan: Plan) -> tuple[bytes | None, ...]:
        return self.key[:len(plan.partition)]

    def only_static(self, plan: Plan) -> bool:
        return bool(plan.clustering) and self.key[len(plan.partition)] is None


class Scan:
    """A table of one side, row after row in token order; a page in memory at a time."""

    def __init__(self, side: Side, plan: Plan, tenants: frozenset[bytes], page: int) -> None:
        self._side = side
        self._plan = plan
        self._tenants = tenants
        self._page = page
        tokens = f"token({', '.join(quoted(c.name) for c in plan.partition)})"
        self._statements = {
            (low, high): side.session.prepare(
                plan.select() + (" WHERE " if low or high else "")
                + " AND ".join([f"{tokens} > ?"] * low + [f"{tokens} <= ?"] * high))
            for low in (False, True) for high in (False, True)}
        key = " AND ".join(f"{quoted(c.name)} = ?" for c in plan.key)
        self._one = side.session.prepare(f"{plan.select()} WHERE {key}")
        partition = " AND ".join(f"{quoted(c.name)} = ?" for c in plan.partition)
        self._first = side.session.prepare(f"{plan.select()} WHERE {partition} LIMIT 1")
        self.types: list[Any] = []

    def rows(self, low: int | None, high: int | None) -> Iterator[Row]:
        # No bound at the ends: `token <= -2^63` would mean no bound at all to the server.
        statement = self._statements[low is not None, high is not None].bind(
            [bound for bound in (low, high) if bound is not None])
        statement.fetch_size = self._page
        asked = time.time()
        result = self._side.raw.execute(statement, execution_profile=RAW)
        while True:
            # TTLs were counted somewhere between asking and the answer.
            read_at = (asked + time.time()) / 2
            self.types = result.column_types
            for raw in result.current_rows:
                row = self._row(raw, read_at)
                if not self._tenants or row.key[self._plan.tenant_at] in self._tenants:
                    yield row
            if not result.has_more_pages:   # A page may be short, or empty, and not the last.
                return
            asked = time.time()
            result.fetch_next_page()

    def one(self, key: tuple[bytes | None, ...]) -> Row | None:
        """A row by its whole key, or by its partition key alone any row, for the static columns."""
        statement = BoundStatement(self._one if len(key) == len(self._plan.key) else self._first)
        statement.values = list(key)   # Bytes as the server sent them: decoding and encoding could change them.
        asked = time.time()
        rows = list(self._side.raw.execute(statement, execution_profile=RAW))
        return self._row(rows[0], (asked + time.time()) / 2) if rows else None

    def _row(self, raw: list[bytes | None], read_at: float) -> Row:
        count = len(self._plan.key)
        cells = []
        at = count + 1
        for column in self._plan.cells:
            if column.name in self._plan.timed:
                cells.append(Cell(raw[at], raw[at + 1], raw[at + 2], read_at))
                at += 3
            else:
                cells.append(Cell(raw[at], None, None, read_at))
                at += 1
        return Row(struct.unpack(">q", raw[0])[0], tuple(raw[1:count + 1]), cells)


# --- comparing -------------------------------------------------------------------------------------------------------

@dataclass
class Options:
    tenants: frozenset[bytes]
    tenant_column: str | None
    ttl_tolerance: float
    max_shown: int
    ranges: int
    page: int


class Comparison:
    """The whole work: what was compared, and what differs."""

    def __init__(self, source: Side, target: Side, options: Options) -> None:
        self._source, self._target, self._options = source, target, options
        self.differences = 0
        self.kinds: Counter[str] = Counter()
        self.shown: list[dict] = []
        self.rows: Counter[str] = Counter()     # compared, by table
        self.cells = 0
        self.only_values: list[str] = []        # columns whose write times a server does not show
        self.skipped: list[str] = []
        self.rechecked = 0
        self._again: list[tuple[bytes | None, ...]] = []
        self._again_at = 0.0

    def run(self, keyspaces: list[str]) -> None:
        for keyspace in keyspaces:
            for side in (self._source, self._target):
                side.read_schema(keyspace)
        if not self._source.tables and not self._target.tables:
            raise CannotCompare(f"neither cluster has a table in {', '.join(keyspaces)}: check --keyspace")
        for name in sorted(self._source.types.keys() | self._target.types.keys()):
            one, other = self._source.types.get(name), self._target.types.get(name)
            if one != other:
                self._differ("schema", f"type {name}", "", None, f"source {one} | target {other}")
        for name in sorted(self._source.tables.keys() | self._target.tables.keys()):
            plan = self._plan(name)
            if plan is not None:
                self._table(plan)

    # --- schema ---

    def _plan(self, name: str) -> Plan | None:
        ours, theirs = self._source.tables.get(name), self._target.tables.get(name)
        if ours is None or theirs is None:
            has = "source" if theirs is None else "target"
            self._differ("schema", name, "", None, f"the table is only on the {has}")
            return None
        for column in sorted(ours.keys() | theirs.keys()):
            one, other = ours.get(column), theirs.get(column)
            if one != other:
                self._differ("schema", name, "", column,
                             f"source {_definition(one)} | target {_definition(other)}")
        shared = [ours[column] for column in sorted(ours) if column in theirs]
        key = {kind: sorted((c for c in ours.values() if c.kind == kind), key=lambda c: c.position)
               for kind in ("partition_key", "clustering")}
        if any(theirs.get(c.name) is None or theirs[c.name].kind != c.kind or theirs[c.name].position != c.position
               for columns in key.values() for c in columns):
            return None   # Told above; rows without a common key cannot be compared.
        if self._options.tenants and self._options.tenant_column not in [c.name for cs in key.values() for c in cs]:
            self.skipped.append(f"{name} has no key column {self._options.tenant_column}")
            return None
        plan = Plan(name, key["partition_key"], key["clustering"],
                    [c for c in shared if c.kind == "static"] + [c for c in shared if c.kind == "regular"],
                    set(), None)
        if self._options.tenants:
            plan.tenant_at = [c.name for c in plan.key].index(self._options.tenant_column)
        for column in plan.cells:
            # A counter's write time is the moment at which a node counted: no two clusters can share it.
            if column.type != "counter" and all(_shows_times(side.session, plan, column) for side in (self._source, self._target)):
                plan.timed.add(column.name)
            else:
                self.only_values.append(f"{name}.{column.name}")
        return plan

    # --- rows ---

    def _table(self, plan: Plan) -> None:
        scans = (Scan(self._source, plan, self._options.tenants, self._options.page),
                 Scan(self._target, plan, self._options.tenants, self._options.page))
        self._again, self._again_at = [], 0.0
        self.rows[plan.name] += 0
        width = (MAX_TOKEN - MIN_TOKEN) // self._options.ranges
        bounds = [None, *(MIN_TOKEN + width * i for i in range(1, self._options.ranges)), None]
        for low, high in zip(bounds, bounds[1:]):
            self._range(plan, scans, scans[0].rows(low, high), scans[1].rows(low, high))
        self._recheck(plan, scans)

    def _range(self, plan: Plan, scans: tuple[Scan, Scan], ours: Iterator[Row], theirs: Iterator[Row]) -> None:
        """Merges two streams that are ordered by token. Rows wait for their counterpart only within their token."""
        waiting: tuple[dict, dict] = ({}, {})
        statics: tuple[dict, dict] = ({}, {})
        heads = [next(ours, None), next(theirs, None)]
        streams = (ours, theirs)
        token: int | None = None

        def settle() -> None:
            for partition in {**statics[0], **statics[1]}:
                self._statics(plan, scans, partition, statics[0].get(partition), statics[1].get(partition))
            for at in (0, 1):
                for row in waiting[at].values():
                    self._one_sided(plan, scans, row, at)
                waiting[at].clear()
                statics[at].clear()

        while heads[0] is not None or heads[1] is not None:
            lowest = min(head.token for head in heads if head is not None)
            if lowest != token:
                settle()
                token = lowest
            for at in (0, 1):
                row = heads[at]
                if row is None or row.token != token:
                    continue
                statics[at].setdefault(row.partition(plan), row)
                if row.only_static(plan):
                    pass   # Not a row: a partition that has nothing but its static columns.
                elif (other := waiting[1 - at].pop(row.key, None)) is not None:
                    self._both(plan, scans, *((row, other) if at == 0 else (other, row)))
                else:
                    waiting[at][row.key] = row
                heads[at] = next(streams[at], None)
        settle()

    def _both(self, plan: Plan, scans: tuple[Scan, Scan], ours: Row, theirs: Row, final: bool = False) -> None:
        if not final:
            self.rows[plan.name] += 1
        self._cells(plan, scans, ours, theirs, "regular", final)

    def _statics(self, plan: Plan, scans: tuple[Scan, Scan], partition: tuple, ours: Row | None,
                 theirs: Row | None, final: bool = False) -> None:
        if not any(column.kind == "static" for column in plan.cells):
            return
        if not final and any(row is not None and row.only_static(plan) for row in (ours, theirs)):
            self.rows[plan.name] += 1
        missing = Row(0, partition + (None,) * len(plan.clustering), [NO_CELL] * len(plan.cells))
        self._cells(plan, scans, ours or missing, theirs or missing, "static", final)

    def _one_sided(self, plan: Plan, scans: tuple[Scan, Scan], row: Row, at: int, final: bool = False) -> None:
        if not final:
            self.rows[plan.name] += 1
            if self._dying(plan, row):
                return self._later(row.key, [row])
        kind = ("missing row", "extra row")[at]
        text = "only on the " + ("source", "target")[at]
        held = {column.name: self._show(scans[at], plan, column, cell)
                for column, cell in zip(plan.cells, row.cells) if column.kind == "regular" and cell.raw is not None}
        self._differ(kind, plan.name, self._key(scans[at], plan, row.key), None,
                     f"{text}: {', '.join(' '.join(each) for each in held.items()) or 'no columns'}", list(held))

    def _cells(self, plan: Plan, scans: tuple[Scan, Scan], ours: Row, theirs: Row, kind: str, final: bool) -> None:
        found = []
        for column, one, other in zip(plan.cells, ours.cells, theirs.cells):
            if column.kind != kind:
                continue
            self.cells += not final
            what = self._compare(one, other)
            if what is not None:
                found.append((what, column, one, other))
        # A cell about to expire is there for who asks first and gone for who asks next.
        if found and not final and (self._dying(plan, ours) or self._dying(plan, theirs)):
            return self._later(ours.key if kind == "regular" else ours.partition(plan), [ours, theirs])
        for what, column, one, other in found:
            key = ours.key if kind == "regular" else ours.key[:len(plan.partition)]
            self._differ(("static " if kind == "static" else "") + what, plan.name, self._key(scans[0], plan, key),
                         column.name, f"source {self._show(scans[0], plan, column, one)} | "
                                      f"target {self._show(scans[1], plan, column, other)}")

    def _compare(self, one: Cell, other: Cell) -> str | None:
        if one.raw != other.raw:
            return "value"
        if one.write_times() != other.write_times():
            return "writetime"
        ours, theirs = one.expiries(), other.expiries()
        if len(ours) != len(theirs):
            return "ttl"
        for mine, their in zip(ours, theirs):
            if (mine is None) != (their is None):
                return "ttl"
            if mine is not None and abs(mine - their) > self._options.ttl_tolerance:
                return "ttl"
        return None

    # --- what expires while we look ---

    def _dying(self, plan: Plan, row: Row) -> bool:
        soon = time.time() + 2 * self._options.ttl_tolerance + 2
        return any(e is not None and e < soon for cell in row.cells for e in cell.expiries())

    def _later(self, key: tuple[bytes | None, ...], rows: list[Row]) -> None:
        if len(self._again) >= 100_000:
            raise CannotCompare("more than 100,000 rows are about to expire: compare when less is expiring")
        self._again.append(key)
        soon = time.time() + 2 * self._options.ttl_tolerance + 2
        self._again_at = max([self._again_at, *(e for row in rows for cell in row.cells for e in cell.expiries()
                                                if e is not None and e < soon)])

    def _recheck(self, plan: Plan, scans: tuple[Scan, Scan]) -> None:
        """Rows that differed with a cell near its end: once more, when that end has passed on both sides."""
        if not self._again:
            return
        time.sleep(max(0.0, self._again_at + self._options.ttl_tolerance - time.time()))
        for key in self._again:
            self.rechecked += 1
            ours, theirs = scans[0].one(key), scans[1].one(key)
            if len(key) < len(plan.key):
                self._statics(plan, scans, key, ours, theirs, final=True)
            elif ours is not None and theirs is not None:
                self._both(plan, scans, ours, theirs, final=True)
            elif ours is not None or theirs is not None:
                self._one_sided(plan, scans, ours or theirs, 0 if theirs is None else 1, final=True)

    # --- telling ---

    def _differ(self, kind: str, table: str, key: str, column: str | None, text: str, held: list[str] | None = None) -> None:
        """`held`: of a row that only one side has, the columns that it has there."""
        self.differences += 1
        self.kinds[kind] += 1
        if len(self.shown) < self._options.max_shown:
            self.shown.append({"kind": kind, "table": table, "key": key, "column": column, "held": held, "text": text})
            where = table + (f" ({key})" if key else "") + (f" {column}" if column else "")
            print(f"{kind}: {where}: {text}", flush=True)
        elif self.differences == self._options.max_shown + 1:
            print(f"... only the first {self._options.max_shown} differences are shown (--max-shown)", flush=True)

    def _key(self, scan: Scan, plan: Plan, key: tuple[bytes | None, ...]) -> str:
        return ", ".join(f"{column.name}={_decoded(column_type, raw)}"
                         for column, column_type, raw in zip(plan.key, scan.types[1:], key))

    def _show(self, scan: Scan, plan: Plan, column: Column, cell: Cell) -> str:
        at = 1 + len(plan.key)
        for other in plan.cells:
            if other.name == column.name:
                break
            at += 3 if other.name in plan.timed else 1
        text = _decoded(scan.types[at], cell.raw) if scan.types else ("null" if cell.raw is None else cell.raw.hex())
        if times := cell.write_times():
            text += f" written {times[0] if len(times) == 1 else times}"
        if any(e is not None for e in cell.expiries()):
            text += " expires " + ", ".join("never" if e is None else time.strftime(
                "%Y-%m-%dT%H:%M:%SZ", time.gmtime(e)) for e in cell.expiries())
        return text


class CannotCompare(Exception):
    pass


def _definition(column: Column | None) -> str:
    if column is None:
        return "has no such column"
    order = f" {column.order}" if column.kind == "clustering" else ""
    return f"{column.type} {column.kind}{order}"


def _decoded(kind: Any, raw: bytes | None) -> str:
    if raw is None:
        return "null"
    if not raw:
        return "empty"
    try:
        text = str(kind.from_binary(raw, 4)) if kind.typename in ("uuid", "timeuuid", "inet") else repr(
            kind.from_binary(raw, 4))
    except Exception:  # noqa: BLE001  (a value that the driver cannot decode is shown as it is)
        text = "0x" + raw.hex()
    return text if len(text) <= 200 else text[:200] + f"... ({len(raw)} bytes)"


def _shows_times(session: Session, plan: Plan, column: Column) -> bool:
    """Whether this server has WRITETIME and TTL of this column. Asked, since it depends on type and version."""
    keyspace, _, table = plan.name.partition(".")
    try:
        session.prepare(f"SELECT WRITETIME({quoted(column.name)}), TTL({quoted(column.name)}) "
                        f"FROM {quoted(keyspace)}.{quoted(table)}")
    except InvalidRequest:
        return False
    return True


# --- the command -----------------------------------------------------------------------------------------------------

def _connect(name: str, address: str, login: str | None, consistency: int, keep: list[Cluster]) -> Side:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise CannotCompare(f"--{name} {address}: give HOST:PORT, such as 127.0.0.1:9042")
    user, _, password = (login or "").partition(":")
    # Protocol v4, which all servers speak. Only its own schema queries: the driver need not know the schema.
    def profile(row_factory: Callable[[list[str], list], Any]) -> ExecutionProfile:
        return ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy([host]), request_timeout=60.0,
                                consistency_level=consistency, row_factory=row_factory)

    cluster = Cluster(
        [host], port=int(port), protocol_version=4, schema_metadata_enabled=False,
        auth_provider=PlainTextAuthProvider(user, password) if login else None,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile(named_tuple_factory), RAW: profile(lambda _, rows: rows)})
    keep.append(cluster)
    try:
        session = cluster.connect()
    except NoHostAvailable as error:
        raise CannotCompare(f"the {name} at {address} does not answer: {error}") from None
    local = session.execute("SELECT release_version, partitioner FROM system.local").one()
    if local.partitioner != MURMUR3:
        raise CannotCompare(f"the {name} uses {local.partitioner}: only Murmur3Partitioner has ranges to compare by")
    raw = cluster.connect()
    raw.client_protocol_handler = RawProtocol
    return Side(name, session, raw, local.release_version)


def compare(source: str, target: str, keyspaces: list[str], *, tenants: list[uuid.UUID] | None = None,
            tenant_column: str | None = None, ttl_tolerance: float = 3.0, max_shown: int = 50, ranges: int = 16,
            page: int = 1000, consistency: str = "ALL", source_auth: str | None = None,
            target_auth: str | None = None) -> dict:
    """Compares, prints each difference, and returns the summary."""
    begin = time.monotonic()
    level = ConsistencyLevel.name_to_value[consistency]
    clusters: list[Cluster] = []
    try:
        sides = (_connect("source", source, source_auth, level, clusters),
                 _connect("target", target, target_auth, level, clusters))
        comparison = Comparison(*sides, Options(
            frozenset(tenant.bytes for tenant in tenants or ()), tenant_column, ttl_tolerance, max_shown, ranges, page))
        comparison.run(keyspaces)
        return {
            "source": f"{source} ({sides[0].release})", "target": f"{target} ({sides[1].release})",
            "keyspaces": keyspaces, "tenants": [str(tenant) for tenant in tenants or ()],
            "rows_compared": sum(comparison.rows.values()), "cells_compared": comparison.cells,
            "differences": comparison.differences, "by_kind": dict(comparison.kinds),
            "tables": dict(comparison.rows), "shown": comparison.shown,
            "rechecked_after_expiry": comparison.rechecked,
            "writetimes_not_shown_by_both": comparison.only_values, "not_compared": comparison.skipped,
            "ttl_tolerance_s": ttl_tolerance, "seconds": round(time.monotonic() - begin, 3),
        }
    finally:
        for cluster in clusters:
            cluster.shutdown()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, metavar="HOST:PORT")
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument("--keyspace", required=True, nargs="+")
    parser.add_argument("--tenant-column", default="system_domain_id")
    parser.add_argument("--tenant", nargs="+", type=uuid.UUID, metavar="UUID",
                        help="only rows of these; tables without that key column are named and left out")
    parser.add_argument("--ttl-tolerance", type=float, default=3.0, metavar="SECONDS",
                        help="by how much two expiries may differ (3: servers count whole seconds, and a copy has to "
                             "round what remains)")
    parser.add_argument("--consistency", default="ALL", choices=("ONE", "QUORUM", "LOCAL_QUORUM", "ALL"))
    parser.add_argument("--source-auth", metavar="USER:PASSWORD")
    parser.add_argument("--target-auth", metavar="USER:PASSWORD")
    parser.add_argument("--max-shown", type=int, default=50, metavar="N", help="differences to print (50)")
    parser.add_argument("--ranges", type=int, default=16, metavar="N", help="parts of the token ring (16)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(argv)
    try:
        result = compare(options.source, options.target, options.keyspace, tenants=options.tenant,
                         tenant_column=options.tenant_column, ttl_tolerance=options.ttl_tolerance,
                         max_shown=options.max_shown, ranges=max(1, options.ranges), consistency=options.consistency,
                         source_auth=options.source_auth, target_auth=options.target_auth)
    except (CannotCompare, DriverException, RequestExecutionException, OperationTimedOut) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    for name in result["not_compared"]:
        print(f"not compared: {name}")
    if result["writetimes_not_shown_by_both"]:
        print("compared by value only, since not both servers show their write times: "
              + ", ".join(result["writetimes_not_shown_by_both"]))
    print(f"{result['rows_compared']} rows, {result['cells_compared']} cells compared in {result['seconds']:.1f} s, "
          f"{result['differences']} differences"
          + (f" ({', '.join(f'{n} {kind}' for kind, n in result['by_kind'].items())})" if result["by_kind"] else ""))
    return 1 if result["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
