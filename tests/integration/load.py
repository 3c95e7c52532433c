"""A load whose every answer is checked: each thread has rows of its own and knows what must be in them.

A write that failed may have happened or not, and may be on one cluster only: its row then may be in either state until
a later write to it succeeds. Each write sets or removes the whole row, so one that succeeded leaves no doubt."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Iterable

from cassandra.cluster import Session
from cassandra.query import BatchStatement, BatchType, SimpleStatement

import support

TABLE = ("CREATE TABLE {ks}.items (system_domain_id uuid, id int, a int, b text, tags set<text>, "
         "PRIMARY KEY (system_domain_id, id))")

State = tuple[int, str, frozenset[str]] | None      # What a row has; None: there is none.


class _Thread(threading.Thread):
    def __init__(self, load: Load, session: Session, tenant: uuid.UUID, number: int) -> None:
        super().__init__(daemon=True, name=f"load {tenant} {number}")
        self._load, self._session, self._number = load, session, number
        self.tenant = tenant
        self._rng = random.Random(f"{tenant}/{number}")
        self.held: dict[int, set[State]] = {}
        self.written: dict[int, float] = {}      # When the row was last written with success, time.monotonic().
        self.requests = 0
        self.longest = 0.0
        self._serial = 0

    def run(self) -> None:
        while not self._load.stopping.is_set():
            try:
                self._step()
            except Exception as error:  # noqa: BLE001  (also a mistake of this program has to show)
                self._load.failed(f"{type(error).__name__}: {error}", self._load.expects_failures)
                self._load.stopping.wait(0.02)
            self._load.stopping.wait(self._load.pause)

    def _step(self) -> None:
        ident = self._number * 100_000 + self._rng.randrange(self._load.rows)
        if self._rng.random() < 0.4:
            self._read(ident)
        else:
            self._write(ident)

    def _timed(self, statement: object, values: tuple | None = None) -> object:
        begin = time.monotonic()
        try:
            return self._session.execute(statement, values)
        finally:
            self.requests += 1
            self.longest = max(self.longest, time.monotonic() - begin)

    def _read(self, ident: int) -> None:
        row = self._timed(self._load.prepared("select"), (self.tenant, ident)).one()
        seen: State = None if row is None else (row.a, row.b, frozenset(row.tags or ()))
        allowed = self.held.get(ident, {None})
        if seen not in allowed:
            self._load.failed(f"tenant {self.tenant}, row {ident}: {seen}, which should be {allowed}", False)

    def _write(self, ident: int) -> None:
        self._serial += 1
        serial = self._serial
        wanted: State = (serial, f"{self._number}-{serial}", frozenset({f"t{serial}", "x"}))
        draw = self._rng.random()
        if draw < 0.15:
            wanted = None
        others = {(ident // 100_000) * 100_000 + self._load.rows + self._rng.randrange(20): wanted} if 0.6 < draw < 0.75 else {}
        changed = {ident: wanted, **others}
        for each in changed:
            self.held[each] = self.held.get(each, {None}) | {wanted}
        prepared = self._load.prepared
        if wanted is None:
            self._timed(prepared("delete"), (self.tenant, ident))
        elif others:
            batch = BatchStatement(BatchType.LOGGED if serial % 2 else BatchType.UNLOGGED)
            for each in changed:
                batch.add(prepared("insert"), (self.tenant, each, wanted[0], wanted[1], set(wanted[2])))
            self._timed(batch)
        elif draw > 0.9:
            tags = ", ".join(f"'{tag}'" for tag in sorted(wanted[2]))
            self._timed(SimpleStatement(f"INSERT INTO {self._load.keyspace}.items (system_domain_id, id, a, b, tags) "
                                        f"VALUES ({self.tenant}, {ident}, {wanted[0]}, '{wanted[1]}', {{{tags}}})"))
        else:
            self._timed(prepared("insert"), (self.tenant, ident, wanted[0], wanted[1], set(wanted[2])))
        for each in changed:
            self.held[each] = {wanted}
            self.written[each] = time.monotonic()

    def settle(self) -> None:
        """Writes those rows again of which nobody knows what they are."""
        self._write_again([ident for ident, states in self.held.items() if len(states) > 1])

    def write_again_between(self, begin: float, end: float) -> None:
        self._write_again([ident for ident, at in self.written.items() if begin <= at <= end])

    def _write_again(self, idents: list[int]) -> None:
        for ident in idents:
            self._serial += 1
            self._session.execute(self._load.prepared("insert"), (self.tenant, ident, self._serial, "settled", {"s"}))
            self.held[ident] = {(self._serial, "settled", frozenset({"s"}))}


class Load:
    """`with Load(session, keyspace, [tenant, …]) as load:` and it runs; afterwards `load.errors` must be empty."""

    def __init__(self, session: Session, keyspace: str, tenants: Iterable[uuid.UUID], *, threads: int = 3, rows: int = 150,
                 pause: float = 0.004) -> None:
        self.keyspace, self.rows, self.pause = keyspace, rows, pause
        self.stopping = threading.Event()
        self.expects_failures = False
        self.errors: list[str] = []
        self.failures = 0      # Those that were expected.
        self._lock = threading.Lock()
        names = "system_domain_id, id, a, b, tags"
        self._statements = {
            "insert": session.prepare(f"INSERT INTO {keyspace}.items ({names}) VALUES (?, ?, ?, ?, ?)"),
            "select": session.prepare(f"SELECT a, b, tags FROM {keyspace}.items WHERE system_domain_id = ? AND id = ?"),
            "delete": session.prepare(f"DELETE FROM {keyspace}.items WHERE system_domain_id = ? AND id = ?")}
        self.threads = [_Thread(self, session, tenant, number) for tenant in tenants for number in range(threads)]

    def prepared(self, name: str) -> object:
        return self._statements[name]

    def failed(self, text: str, expected: bool) -> None:
        with self._lock:
            if expected:
                self.failures += 1
            elif len(self.errors) < 20:
                self.errors.append(text)

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), f"{thread.name} has waited for an answer for a minute"

    def requests(self, tenant: uuid.UUID | None = None) -> int:
        return sum(thread.requests for thread in self.threads if tenant in (None, thread.tenant))

    @property
    def longest_ms(self) -> float:
        return 1000 * max(thread.longest for thread in self.threads)

    def more(self, count: int, within: float = 60.0) -> None:
        """Waits until each tenant has made so many more requests."""
        goals = {tenant: self.requests(tenant) + count for tenant in {thread.tenant for thread in self.threads}}
        support.eventually(lambda: self.errors or all(self.requests(t) >= goal for t, goal in goals.items()),
                           f"each tenant makes {count} requests", within)
        assert not self.errors, self.errors

    def settle(self) -> None:
        for thread in self.threads:
            thread.settle()

    def write_again_lost(self, before: float, gone: float) -> None:
        """The rows that were last written when a node was killed with SIGKILL, which was between these two moments, or in
        the second before. With `commitlog_sync: periodic` a Cassandra loses what it acknowledged since its last mark in
        the commit log, which it makes ten times a second: a loss of that cluster's own, and nobody else's to mend."""
        for thread in self.threads:
            thread.write_again_between(before - 1, gone)

    def wrong_on(self, session: Session, tenant: uuid.UUID) -> list[str]:
        """Rows that one cluster itself does not have as they must be."""
        found = {row.id: (row.a, row.b, frozenset(row.tags or ())) for row in session.execute(
            f"SELECT id, a, b, tags FROM {self.keyspace}.items WHERE system_domain_id = {tenant}")}
        held = {ident: states for thread in self.threads if thread.tenant == tenant
                for ident, states in thread.held.items()}
        wrong = [f"row {ident}: {found.get(ident)}, which should be {states}" for ident, states in held.items()
                 if found.get(ident) not in states]
        return wrong + [f"row {ident}, which nobody wrote" for ident in found.keys() - held.keys()]
