#!/usr/bin/env python3
"""A small multi-tenant shop under load: an ordinary program with the stock driver, which knows one contact point.

It remembers every row that it was told is written, and each of its reads is checked against that memory: an exception
or a wrong answer is an error. It counts them, and how long the longest request took.

One thing it leaves out, because CQL shows nobody what it depends on: whether a row without columns still exists, which
is decided by the marker that INSERT leaves and UPDATE does not. So a row keeps a column without TTL until the row is
deleted, or was inserted with a TTL and dies as a whole.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import FallthroughRetryPolicy
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType, SimpleStatement, dict_factory

from shop import (KEYSPACES, TABLES, TENANTS, Address, Cell, Cells, Column, Partition, Table, judge, lifetime, schema,
                  tenant_id, visible)

LONG_TTL = (7200, 86400)   # Seconds: alive when the load ends.
SHORT_TTL = (5, 15)        # Gone well before it ends.


class Counts:
    """Requests, errors and waits. Shared by all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begin = time.time()
        self.requests = 0
        self.errors = 0
        self._texts: list[str] = []
        self._by_operation: dict[str, dict] = {}
        self._by_tenant: dict[str, dict] = {}
        self._waits: Counter[int] = Counter()   # in tenths of a millisecond
        self._longest = (0.0, 0.0, "")

    def request(self, operation: str, tenant: uuid.UUID, seconds: float) -> None:
        with self._lock:
            self.requests += 1
            self._waits[int(seconds * 10_000)] += 1
            for group, key in ((self._by_operation, operation), (self._by_tenant, str(tenant))):
                entry = group.setdefault(key, {"requests": 0, "errors": 0, "longest_wait_ms": 0.0})
                entry["requests"] += 1
                entry["longest_wait_ms"] = max(entry["longest_wait_ms"], round(seconds * 1000, 3))
            if seconds > self._longest[0]:
                self._longest = (seconds, time.time() - self._begin, operation)

    def error(self, operation: str, tenant: uuid.UUID, text: str) -> None:
        with self._lock:
            self.errors += 1
            for group, key in ((self._by_operation, operation), (self._by_tenant, str(tenant))):
                entry = group.setdefault(key, {"requests": 0, "errors": 0, "longest_wait_ms": 0.0})
                entry["errors"] += 1
            stamped = f"{time.time() - self._begin:.1f} s, tenant {tenant}: {operation}: {text}"
            if len(self._texts) < 100:
                self._texts.append(stamped)
            if len(self._texts) <= 20:
                print(f"error at {stamped}", file=sys.stderr, flush=True)

    def report(self) -> dict:
        with self._lock:
            total = sum(self._waits.values())
            marks = {}
            seen = 0
            wanted = [("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999)]
            for wait in sorted(self._waits):
                seen += self._waits[wait]
                while wanted and seen >= wanted[0][1] * total:
                    marks[wanted.pop(0)[0]] = wait / 10
            seconds, at, operation = self._longest
            return {
                "requests": self.requests, "errors": self.errors,
                "longest_wait_ms": round(seconds * 1000, 3),
                "longest_wait": {"at_s": round(at, 3), "operation": operation},
                **marks,
                "seconds": round(time.time() - self._begin, 3),
                "tenants": self._by_tenant, "operations": self._by_operation, "error_texts": self._texts,
            }


class Writer:
    """One thread of one tenant. Rows are its own, so two requests never race for one; what it wrote it can check."""

    def __init__(self, app: App, tenant: uuid.UUID, number: int) -> None:
        self._app = app
        self.tenant = tenant
        self._number = number
        # No two runs share a key: a row of an earlier one would look like a wrong answer.
        self._rng = random.Random(f"{app.run_id}/{tenant}/{number}")
        # Half of the writers leave timestamps to the server, as drivers of other languages do.
        self._session = app.session if number % 2 == 0 else app.session_without_timestamps
        self._held: dict[Table, dict[tuple, Partition]] = {table: {} for table in app.tables}
        self._keys: dict[Table, list[tuple[tuple, tuple]]] = {table: [] for table in app.tables}
        self._serial = 0
        self._lost_tenant = number != 0   # Only the first writer of a tenant writes the tenant's own row.
        self.asked = 0

    @property
    def rows(self) -> int:
        return sum(len(keys) for keys in self._keys.values())

    # --- requests, timed ---

    def _ask(self, operation: str, call: Callable[[], Any]) -> Any | None:
        """None when it failed; the failure is counted."""
        self.asked += 1
        begin = time.monotonic()
        try:
            return call()
        except Exception as error:  # noqa: BLE001  (whatever the driver raises is an error of the request)
            self._app.counts.error(operation, self.tenant, f"{type(error).__name__}: {error}")
            return None
        finally:
            self._app.counts.request(operation, self.tenant, time.monotonic() - begin)

    def _run(self, operation: str, cql: str, values: list[Any], simple: bool = False, fetch_size: int = 5000) -> Any:
        if simple and not any(value is UNSET_VALUE for value in values):
            statement = SimpleStatement(cql.replace("%", "%%").replace("?", "%s"), fetch_size=fetch_size)
            return self._ask(operation + ", simple", lambda: self._session.execute(statement, values))

        def prepared() -> Any:
            bound = self._app.prepare(self._session, cql).bind(values)
            bound.fetch_size = fetch_size
            return self._session.execute(bound)
        return self._ask(operation, prepared)

    # --- what it holds ---

    def _forget(self, table: Table, partition: tuple, row: tuple | None) -> None:
        """After a failure nobody knows what is there. The failure is counted; the rows are not touched again."""
        held = self._held[table].get(partition)
        if held is None:
            return
        if table is TENANTS:
            self._lost_tenant = True   # Its one row has the one key there is, so it cannot be begun anew.
        if row is None or table.own_partitions:
            del self._held[table][partition]
            self._keys[table] = [key for key in self._keys[table] if key[0] != partition]
        else:
            held.rows.pop(row, None)
            self._keys[table] = [key for key in self._keys[table] if key != (partition, row)]

    def _new_key(self, table: Table) -> tuple[tuple, tuple]:
        rng = self._rng
        self._serial += 1
        name = f"{self._app.run_id}-{self._number}-{self._serial}"
        if table is TENANTS:
            return (self.tenant,), ()
        if table.name == "catalogue":
            return (f"sku-{self._app.run_id}-{self._serial}-{self._number}",), (self.tenant,)
        if table.name == "settings":
            return (self.tenant,), (name,)
        if table.name == "assets":
            return (self.tenant,), (uuid.UUID(int=rng.getrandbits(128), version=4),)
        keys = self._keys[table]
        if table.clustering and keys and rng.random() < 0.9:
            partition = rng.choice(keys[-200:])[0]      # another row of a partition that is there
        else:
            partition = (self.tenant, uuid.UUID(int=rng.getrandbits(128), version=4))
        row = {"orders": (self._serial % 1000,), "favourites": (f"sku-{name}",),
               "renditions": (self._serial, rng.choice(("av1", "h264", "vp9")))}.get(table.name, ())
        return partition, row

    def _hold(self, table: Table, partition: tuple, row: tuple) -> Cells:
        held = self._held[table].setdefault(partition, Partition())
        if row not in held.rows:
            held.rows[row] = Cells()
            self._keys[table].append((partition, row))
        return held.rows[row]

    def _mortal(self, table: Table, partition: tuple, row: tuple) -> bool:
        """Inserted with a TTL that may not be over yet."""
        held = self._held[table].get(partition)
        cells = held.rows.get(row) if held else None
        return bool(cells and cells.marker and cells.marker.dies and cells.marker.possibly(time.time() - 5))

    def _alive(self, table: Table, partition: tuple, row: tuple) -> bool:
        held = self._held[table].get(partition)
        return visible(held.rows.get(row) if held else None, time.time(), time.time() - 5)[1]

    def _keeps(self, table: Table, partition: tuple, row: tuple, without: list[Column]) -> bool:
        """A column without TTL stays, when these go."""
        cells = self._held[table][partition].rows[row].cells
        names = {column.name for column in without}
        return any(cell.dies is None for name, cell in cells.items() if name not in names)

    # --- writes ---

    def insert_values(self, table: Table, whole: bool) -> dict[str, Any]:
        """Values of an INSERT. Not `whole`: now and then a column is unset (stays as it is) or null (is deleted)."""
        rng = self._rng
        values = {}
        for column in table.columns:
            draw = rng.random()
            if whole or draw < 0.8 or column is table.regular[0]:
                values[column.name] = column.make(rng)
            else:
                values[column.name] = UNSET_VALUE if draw < 0.95 else None
        return values

    @staticmethod
    def insert_cql(table: Table, ttl: int | None) -> str:
        names = table.key + tuple(column.name for column in table.columns)
        using = f" USING TTL {ttl}" if ttl else ""
        return f"INSERT INTO {table.full_name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}){using}"

    def remember_insert(self, table: Table, partition: tuple, row: tuple, values: dict[str, Any],
                        dies: tuple[float, float] | None) -> None:
        cells = self._hold(table, partition, row)
        cells.marker = Cell(True, dies)
        for column in table.columns:
            if values[column.name] is not UNSET_VALUE:
                place = self._held[table][partition].statics if column.static else cells
                place.put(column.name, values[column.name], dies)

    def insert(self, table: Table) -> None:
        if self._keys[table] and (table is TENANTS or self._rng.random() < 0.3):
            partition, row = self._rng.choice(self._keys[table])
        else:
            partition, row = self._new_key(table)
        ttl = None
        # A TTL on columns of several cells would need a time of death for each of them.
        if table.regular and not table.many and (
                self._mortal(table, partition, row) or not self._alive(table, partition, row)):
            draw = self._rng.random()
            ttl = self._rng.randint(*SHORT_TTL) if draw < 0.05 else self._rng.randint(*LONG_TTL) if draw < 0.3 else None
        values = self.insert_values(table, whole=False)
        before = time.time()
        done = self._run("insert" + (" with ttl" if ttl else ""), self.insert_cql(table, ttl),
                         [*partition, *row, *values.values()], simple=self._rng.random() < 0.3)
        if done is None:
            self._forget(table, partition, row)
        else:
            self.remember_insert(table, partition, row, values, lifetime(before, time.time(), ttl))

    def update(self, table: Table) -> None:
        """Sets some columns; the row may be one that only updates ever touched, and so has no marker."""
        rng = self._rng
        columns = rng.sample(table.regular, rng.randint(1, len(table.regular)))
        new = rng.random() < 0.1 and table is not TENANTS
        partition, row = self._new_key(table) if new else self._pick(table)
        if self._mortal(table, partition, row):
            return self.check_row(table, partition, row)
        ttl = rng.randint(*SHORT_TTL if rng.random() < 0.3 else LONG_TTL) if (
            rng.random() < 0.3 and not new and not table.many and self._keeps(table, partition, row, columns)) else None
        values = [column.make(rng) for column in columns]
        using = f" USING TTL {ttl}" if ttl else ""
        cql = (f"UPDATE {table.full_name}{using} SET {', '.join(f'{c.name} = ?' for c in columns)} "
               f"WHERE {table.key_where()}")
        before = time.time()
        if self._run("update" + (" with ttl" if ttl else ""), cql, [*values, *partition, *row],
                     simple=rng.random() < 0.3) is None:
            return self._forget(table, partition, row)
        dies = lifetime(before, time.time(), ttl)
        cells = self._hold(table, partition, row)
        for column, value in zip(columns, values):
            cells.put(column.name, value, dies)

    def update_part(self, table: Table) -> None:
        """Changes a part of a set, a map or a user defined type."""
        rng = self._rng
        partition, row = self._pick(table)
        column = rng.choice(table.many)
        held = self._held[table][partition].rows[row].value(column.name)
        change, values, result = _part_of(column, held, rng)
        if not result and not self._keeps(table, partition, row, [column]):
            return self.check_row(table, partition, row)
        verb = (f"DELETE {change} FROM {table.full_name}" if change[-1] in "]." or change.startswith("~")
                else f"UPDATE {table.full_name} SET {change}").replace("~", "")
        if self._run(f"change part of a {column.many}", f"{verb} WHERE {table.key_where()}",
                     [*values, *partition, *row], simple=rng.random() < 0.3) is None:
            return self._forget(table, partition, row)
        self._hold(table, partition, row).put(column.name, result, None)

    def update_static(self, table: Table) -> None:
        rng = self._rng
        partition, row = self._pick(table)
        column = rng.choice(table.statics)
        value = None if rng.random() < 0.2 else column.make(rng)
        cql = f"UPDATE {table.full_name} SET {column.name} = ? WHERE {table.partition_where()}"
        if self._run("update static", cql, [value, *partition]) is None:
            return self._forget(table, partition, None)
        self._held[table][partition].statics.put(column.name, value, None)

    def delete_column(self, table: Table) -> None:
        partition, row = self._pick(table)
        column = self._rng.choice(table.regular)
        if not self._keeps(table, partition, row, [column]):
            return self.check_row(table, partition, row)
        cql = f"DELETE {column.name} FROM {table.full_name} WHERE {table.key_where()}"
        if self._run("delete column", cql, [*partition, *row], simple=self._rng.random() < 0.3) is None:
            return self._forget(table, partition, row)
        self._held[table][partition].rows[row].put(column.name, None, None)

    def delete_row(self, table: Table) -> None:
        partition, row = self._pick(table)
        cql = f"DELETE FROM {table.full_name} WHERE {table.key_where()}"
        if self._run("delete row", cql, [*partition, *row], simple=self._rng.random() < 0.3) is None:
            return self._forget(table, partition, row)
        self._held[table][partition].rows[row].clear()

    def delete_many(self, table: Table) -> None:
        """A whole partition, or a range of rows of one."""
        partition, row = self._pick(table)
        held = self._held[table][partition]
        first = table.clustering[0][0]
        if self._rng.random() < 0.3:
            cql, values = f"DELETE FROM {table.full_name} WHERE {table.partition_where()}", [*partition]
            gone, operation = list(held.rows), "delete partition"
        else:
            low, high = sorted((row[0], self._rng.choice(list(held.rows))[0]))
            cql = f"DELETE FROM {table.full_name} WHERE {table.partition_where()} AND {first} >= ? AND {first} <= ?"
            values = [*partition, low, high]
            gone, operation = [key for key in held.rows if low <= key[0] <= high], "delete range"
        if self._run(operation, cql, values) is None:
            return self._forget(table, partition, None)
        for key in gone:
            held.rows[key].clear()
        if operation == "delete partition":
            held.statics.clear()

    def batch(self) -> None:
        """Several tables in one request, logged or not, of prepared and of simple statements."""
        rng = self._rng
        kind = rng.choice((BatchType.LOGGED, BatchType.UNLOGGED))
        # All statements of a batch share one timestamp, where an overwritten column of several cells (a range tombstone
        # just below it) and a later part of the same batch tie: so no row twice.
        chosen: dict[tuple, tuple[Table, tuple, tuple, dict[str, Any] | None]] = {}
        for _ in range(rng.randint(2, 6)):
            table = rng.choice(self._app.tables)
            if self._keys[table] and (table is TENANTS or rng.random() < 0.5):
                partition, row = self._pick(table)
            elif table is TENANTS:
                continue
            else:
                partition, row = self._new_key(table)
            if table.statics and any(t is table and p == partition for t, p, _, _ in chosen.values()):
                continue
            delete = rng.random() < 0.2 and table is not TENANTS
            chosen[(table.full_name, partition, row)] = (
                table, partition, row, None if delete else self.insert_values(table, whole=False))

        def call() -> Any:
            statement = BatchStatement(batch_type=kind, session=self._session)   # The session knows our types.
            for table, partition, row, values in chosen.values():
                if values is None:
                    statement.add(self._app.prepare(
                        self._session, f"DELETE FROM {table.full_name} WHERE {table.key_where()}"), [*partition, *row])
                elif UNSET_VALUE in values.values() or len(row) % 2:
                    statement.add(self._app.prepare(self._session, self.insert_cql(table, None)),
                                  [*partition, *row, *values.values()])
                else:
                    statement.add(SimpleStatement(self.insert_cql(table, None).replace("?", "%s")),
                                  [*partition, *row, *values.values()])
            return self._session.execute(statement)

        if not chosen:
            return
        if self._ask("batch, " + ("logged" if kind == BatchType.LOGGED else "unlogged"), call) is None:
            for table, partition, row, _ in chosen.values():
                self._forget(table, partition, row)
            return
        for table, partition, row, values in chosen.values():
            if values is None:
                self._hold(table, partition, row).clear()
            else:
                self.remember_insert(table, partition, row, values, None)

    # --- reads ---

    def _pick(self, table: Table) -> tuple[tuple, tuple]:
        if not self._keys[table]:
            self.insert(table)
        # Where that insert failed, a key that was never written: reads of it find nothing, and are right.
        if not self._keys[table]:
            partition, row = self._new_key(table)
            self._hold(table, partition, row)
        return self._rng.choice(self._keys[table])

    def read_row(self, table: Table) -> None:
        partition, row = self._pick(table)
        self.check_row(table, partition, row, simple=self._rng.random() < 0.3)

    def check_row(self, table: Table, partition: tuple, row: tuple, simple: bool = False) -> None:
        names = ", ".join(table.key + tuple(column.name for column in table.columns))
        before = time.time()
        found = self._run("read row", f"SELECT {names} FROM {table.full_name} WHERE {table.key_where()}",
                          [*partition, *row], simple=simple)
        if found is not None:
            self._check(table, partition, row, list(found), before, "read row")

    def _check(self, table: Table, partition: tuple, row: tuple, found: list[dict], before: float,
               operation: str) -> bool:
        after = time.time()
        held = self._held[table].get(partition)
        cells = held.rows.get(row) if held else None
        must, may = visible(cells, after, before)
        if found and not may:
            wrong = ["a row that should not be there"]
        elif not found:
            wrong = ["the row is missing"] if must else []
        elif len(found) > 1:
            wrong = [f"{len(found)} rows for one key"]
        else:
            wrong = judge(table.regular, cells, found[0], before, after)
            wrong += judge(table.statics, held.statics, found[0], before, after)
        if wrong:
            key = ", ".join(map(str, (*partition, *row)))
            self._app.counts.error(operation, self.tenant, f"{table.full_name} ({key}): {'; '.join(wrong)}")
            self._forget(table, partition, row)   # Counted once, not at every later read.
        return not wrong

    def read_pages(self, table: Table) -> None:
        """A whole partition, a few rows a page; nothing is missing, nothing is there twice, and all is in order."""
        partition, _ = self._pick(table)
        names = ", ".join(table.key + tuple(column.name for column in table.columns))
        before = time.time()
        result = self._run("read first page", f"SELECT {names} FROM {table.full_name} WHERE {table.partition_where()}",
                           [*partition], fetch_size=self._rng.choice((3, 10, 50)) if table.own_partitions else 200)
        if result is None:
            return
        rows = list(result.current_rows)
        while result.has_more_pages:
            if self._ask("read next page", lambda: result.fetch_next_page() or True) is None:
                return
            rows += result.current_rows
        self.check_partition(table, partition, rows, before)

    def check_partition(self, table: Table, partition: tuple, rows: list[dict], before: float) -> None:
        clustering = [name for name, _ in table.clustering]
        found: dict[tuple, list[dict]] = {}
        statics_only = [r for r in rows if clustering and r[clustering[0]] is None]
        for r in rows:
            if r not in statics_only:
                found.setdefault(tuple(r[name] for name in clustering), []).append(r)
        held = self._held[table][partition]
        if table.own_partitions:
            for key in [key for key in found if key not in held.rows]:
                held.rows[key] = Cells()   # Held as absent: found all the same, so `_check` complains.
        for key in list(held.rows):
            if not self._check(table, partition, key, found.get(key, []), before, "read pages"):
                return
        if statics_only:
            wrong = judge(table.statics, held.statics, statics_only[0], before, time.time())
            if wrong:
                self._app.counts.error("read pages", self.tenant, f"{table.full_name} {partition}: {'; '.join(wrong)}")

    # --- the phases of its life ---

    def preload(self, rows: int) -> None:
        for table in self._app.tables:
            for _ in range(1 if table is TENANTS and self._number == 0 else round(rows * table.share)):
                if self._app.stop.is_set():
                    return
                partition, row = self._new_key(table)
                values = self.insert_values(table, whole=True)
                ttl = LONG_TTL[1] if table.name == "sessions" else None
                before = time.time()
                if self._run("preload", self.insert_cql(table, ttl), [*partition, *row, *values.values()]) is not None:
                    self.remember_insert(table, partition, row, values, lifetime(before, time.time(), ttl))

    def step(self) -> None:
        rng = self._rng
        tables = [t for t in self._app.tables if t is not TENANTS or not self._lost_tenant]
        table = rng.choice(tables)
        draw = rng.random()
        if draw < 0.38:
            self.read_row(table)
        elif draw < 0.45:
            paged = [t for t in tables if t.clustering and t.own_partitions or t.name == "settings"]
            if paged:
                self.read_pages(rng.choice(paged))
            else:
                self.read_row(table)
        elif draw < 0.60:
            self.insert(table)
        elif draw < 0.76:
            (self.update if table.regular else self.insert)(table)
        elif draw < 0.84:
            (self.update_part if table.many else self.update_static if table.statics else self.insert)(table)
        elif draw < 0.88:
            (self.delete_column if table.regular else self.delete_row)(table)
        elif draw < 0.91:
            (self.insert if table is TENANTS else self.delete_row)(table)
        elif draw < 0.92:
            (self.delete_many if table.clustering and table.own_partitions else self.read_row)(table)
        else:
            self.batch()

    def check_all(self) -> None:
        """Every row it ever wrote or deleted, once more."""
        for table in self._app.tables:
            for partition, row in list(self._keys[table]):
                if (partition in self._held[table]) and row in self._held[table][partition].rows:
                    self.check_row(table, partition, row)


def _part_of(column: Column, held: Any, rng: random.Random) -> tuple[str, list[Any], Any]:
    """(what the statement says, its values, what the column then holds). A leading ~ makes it a DELETE."""
    name = column.name
    fresh = column.make(rng)
    if column.many == "set":
        now = set(held or ())
        if rng.random() < 0.6 or not now:
            return f"{name} = {name} + ?", [fresh], now | fresh
        gone = set(rng.sample(sorted(now), 1))
        return f"{name} = {name} - ?", [gone], now - gone
    if column.many == "map":
        now = dict(held or {})
        draw = rng.random()
        if draw < 0.3 or not now:
            return f"{name} = {name} + ?", [fresh], now | fresh
        if draw < 0.6:
            key, value = next(iter(fresh.items()))
            return f"{name}[?] = ?", [key, value], now | {key: value}
        gone = rng.choice(sorted(now))
        rest = {key: value for key, value in now.items() if key != gone}
        if draw < 0.8:
            return f"{name} = {name} - ?", [{gone}], rest
        return f"~{name}[?]", [gone], rest
    now = held or Address(None, None, None)
    field = rng.choice(("street", "city", "zip"))
    if rng.random() < 0.3:
        result = replace(now, **{field: None})
        return f"~{name}.{field}", [], None if result == Address(None, None, None) else result
    value = {"street": fresh.street, "city": fresh.city, "zip": fresh.zip if fresh.zip is not None else 1}[field]
    return f"{name}.{field} = ?", [value], replace(now, **{field: value})


class App:
    """The program: connects, creates its schema, loads, and keeps its threads at work."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.run_id = uuid.uuid4().hex[:8]
        self.counts = Counts()
        self.stop = threading.Event()
        self.tables = [table for table in TABLES if table.keyspace in options.keyspaces]
        self.tenants = [tenant_id(number) for number in range(1, options.tenants + 1)]
        self._prepared: dict[tuple[int, str], Any] = {}
        self._prepare_lock = threading.Lock()
        self._paused: set[uuid.UUID] = set()
        self._busy: Counter[uuid.UUID] = Counter()
        self._turn = threading.Condition()

    def connect(self) -> None:
        host, _, port = self.options.contact_point.rpartition(":")

        def profile() -> ExecutionProfile:
            # Nothing is tried twice behind our back: a failure must show.
            return ExecutionProfile(retry_policy=FallthroughRetryPolicy(), row_factory=dict_factory,
                                    request_timeout=self.options.request_timeout,
                                    consistency_level=ConsistencyLevel.LOCAL_QUORUM)

        def cluster() -> Cluster:
            return Cluster([host], port=int(port), execution_profiles={EXEC_PROFILE_DEFAULT: profile()},
                           connect_timeout=self.options.request_timeout,
                           control_connection_timeout=self.options.request_timeout)

        self.cluster, self._second = cluster(), cluster()
        self.session = self.cluster.connect()
        for statement in schema(self.options.keyspaces, self.options.replication_factor):
            self.session.execute(statement, timeout=60)
        self.session_without_timestamps = self._second.connect()
        self.session_without_timestamps.use_client_timestamp = False
        if "shop" in self.options.keyspaces:
            for one in (self.cluster, self._second):
                one.register_user_type("shop", "address", Address)
        for session in (self.session, self.session_without_timestamps):
            session.encoder.mapping[tuple] = session.encoder.cql_encode_tuple   # In simple statements; else a list.

    def prepare(self, session: Session, cql: str) -> Any:
        key = (id(session), cql)
        with self._prepare_lock:
            if key not in self._prepared:
                self._prepared[key] = session.prepare(cql)
            return self._prepared[key]

    # --- load ---

    def run(self) -> None:
        writers = {tenant: [Writer(self, tenant, number) for number in range(self.options.writers)]
                   for tenant in self.tenants}
        everyone = [writer for group in writers.values() for writer in group]
        share = -(-self.options.preload // self.options.writers)
        self._each(everyone, lambda writer: writer.preload(share))
        rows = sum(writer.rows for writer in everyone)
        print(f"preload complete: {rows} rows of {len(self.tenants)} tenants", flush=True)
        for tenant in self.tenants:
            print(f"tenant {tenant}", flush=True)

        deadline = time.monotonic() + self.options.seconds if self.options.seconds else None
        progress = threading.Thread(target=self._progress, daemon=True)
        progress.start()
        interval = len(everyone) / self.options.rate

        def load(writer: Writer) -> None:
            due = time.monotonic() + random.random() * interval
            while not self.stop.is_set() and (deadline is None or time.monotonic() < deadline):
                # Paced, not retried: who is late goes on at once, and never faster than the rate.
                self.stop.wait(max(0.0, due - time.monotonic()))
                if self.stop.is_set():
                    break
                asked = writer.asked
                if self._begin_turn(writer.tenant):
                    try:
                        writer.step()
                    finally:
                        self._end_turn(writer.tenant)
                due = max(due + interval * max(1, writer.asked - asked), time.monotonic())

        self._each(everyone, load)
        if self.options.final_check:
            print("checking every row once more", flush=True)
            self._each(everyone, lambda writer: writer.check_all())
        self.stop.set()
        progress.join()

    def _each(self, writers: list[Writer], work: Callable[[Writer], None]) -> None:
        failures: list[BaseException] = []

        def guarded(writer: Writer) -> None:
            try:
                work(writer)
            except BaseException as error:  # noqa: BLE001  (a bug here must not pass as a quiet application)
                failures.append(error)
                self.stop.set()

        threads = [threading.Thread(target=guarded, args=(writer,)) for writer in writers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _progress(self) -> None:
        while not self.stop.wait(self.options.progress):
            report = self.counts.report()
            print(f"t={report['seconds']:.0f}s requests={report['requests']} errors={report['errors']} "
                  f"longest_wait_ms={report['longest_wait_ms']:.1f} p99_ms={report.get('p99_ms', 0):.1f}", flush=True)
            self.write_report(finished=False)

    def write_report(self, finished: bool) -> None:
        if self.options.report:
            path = Path(self.options.report)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(path.name + ".new")
            temporary.write_text(json.dumps({"finished": finished, **self.counts.report()}, indent=2) + "\n")
            temporary.rename(path)

    # --- pausing a tenant, as its owner would close the shop for a moment ---

    def _begin_turn(self, tenant: uuid.UUID) -> bool:
        with self._turn:
            if tenant in self._paused:
                return False
            self._busy[tenant] += 1
            return True

    def _end_turn(self, tenant: uuid.UUID) -> None:
        with self._turn:
            self._busy[tenant] -= 1
            self._turn.notify_all()

    def obey(self, lines: Any) -> None:
        """`pause UUID`, `resume UUID`, `stop`, a line each. Each is answered when it is done."""
        for line in lines:
            verb, _, name = line.strip().partition(" ")
            if verb == "stop":
                self.stop.set()
                return
            try:
                tenant = uuid.UUID(name)
            except ValueError:
                print(f"not understood: {line.strip()!r}; known: pause UUID, resume UUID, stop", flush=True)
                continue
            with self._turn:
                if verb == "pause":
                    self._paused.add(tenant)
                    self._turn.wait_for(lambda: self._busy[tenant] == 0)
                else:
                    self._paused.discard(tenant)
            print(f"{verb}d {tenant}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contact-point", required=True, metavar="HOST:PORT")
    parser.add_argument("--tenants", type=int, default=4, help="how many")
    parser.add_argument("--writers", type=int, default=2, help="threads for each tenant")
    parser.add_argument("--seconds", type=float, default=0, help="how long to run; 0: until SIGTERM or `stop`")
    parser.add_argument("--rate", type=float, default=400, help="requests a second, all tenants together")
    parser.add_argument("--preload", type=int, default=2000, metavar="ROWS", help="of each tenant, before the load")
    parser.add_argument("--keyspaces", nargs="+", choices=KEYSPACES, default=list(KEYSPACES))
    parser.add_argument("--replication-factor", type=int, default=1)
    parser.add_argument("--request-timeout", type=float, default=10.0, help="seconds")
    parser.add_argument("--progress", type=float, default=5.0, help="seconds between progress lines")
    parser.add_argument("--report", metavar="FILE.json")
    parser.add_argument("--final-check", action=argparse.BooleanOptionalAction, default=True,
                        help="read every row once more at the end")
    parser.add_argument("--control", action="store_true", help="take pause, resume and stop from standard input")
    options = parser.parse_args()
    if ":" not in options.contact_point:
        parser.error(f"--contact-point {options.contact_point}: give HOST:PORT, such as 127.0.0.9:9042")

    app = App(options)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: app.stop.set())
    try:
        app.connect()
    except NoHostAvailable as error:
        print(f"app.py: nothing answers at {options.contact_point}: {error}", file=sys.stderr)
        return 2
    if options.control:
        threading.Thread(target=app.obey, args=(sys.stdin,), daemon=True).start()
    app.run()
    app.write_report(finished=True)
    report = app.counts.report()
    print(f"done: requests={report['requests']} errors={report['errors']} "
          f"longest_wait_ms={report['longest_wait_ms']:.1f}", flush=True)
    return 0 if report["errors"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
