"""Random requests: what they write, and how the cells that they wrote are read back."""

from __future__ import annotations

import random
import struct
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from .client import (COUNTER, LOCAL_QUORUM, LOCAL_SERIAL, LOGGED, ONE, QUORUM, UNLOGGED, Client, Request, Statement,
                     encoded, now_micros)
from .history import ANY, DELETED, OK, UNKNOWN, Effect, History, Op, Register, wrong_list

TENANT = "system_domain_id"
TABLES = {
    "plain": f"({TENANT} uuid, id int, c int, a int, b text, s text static, tags set<text>, props map<text,int>, "
             f"PRIMARY KEY (({TENANT}, id), c))",
    "wide": f"({TENANT} uuid, c int, n int, v text, PRIMARY KEY ({TENANT}, c))",
    "lists": f"({TENANT} uuid, id int, l list<int>, note text, PRIMARY KEY (({TENANT}, id)))",
    "counts": f"({TENANT} uuid, id int, n counter, m counter, PRIMARY KEY (({TENANT}, id)))",
    "cas": f"({TENANT} uuid, id int, v int, PRIMARY KEY (({TENANT}, id)))",
    "made": f"({TENANT} uuid, id int, u uuid, t timeuuid, note text, PRIMARY KEY (({TENANT}, id)))",
}
MARKER = "row"     # The cell that stands for a row's being there without any.
SHARED = 9000      # Keys from here on are written by all clients.


class Writer(threading.Thread):
    """One client and its requests, until told to stop."""

    def __init__(self, number: int, client: Client, load: Load, rng: random.Random) -> None:
        super().__init__(daemon=True, name=f"client {number}")
        self._number, self._client, self._load, self._rng = number, client, load, rng
        self._registers: dict[int, Register] = {}
        self.lists: set[int] = set()
        self.error: BaseException | None = None
        self._ks = load.keyspace
        self._own = number * 1000

    def run(self) -> None:
        try:
            while not self._load.stopping.is_set():
                if not self._client.connected(0.2):
                    continue
                self._step()
                self._load.stopping.wait(self._rng.random() * 2 * self._load.pause)
        except BaseException as error:  # noqa: BLE001  (also a mistake of this program has to show)
            self.error = error
        finally:
            self._client.close()

    # --- one request ---

    def _step(self) -> None:
        kinds = [(24, self._insert), (14, self._update), (8, self._remove), (10, self._wide), (8, self._collection),
                 (8, self._batch), (9, self._list), (8, self._count), (8, self._conditional), (4, self._made),
                 (12, self._read), (2, self._read_list), (2, self._read_register)]
        if not self._load.lists:
            kinds = [each for each in kinds if each[1] not in (self._list, self._read_list)]
        if self._load.count_to:
            kinds = [(1, self._count)]
        self._rng.choices([what for _, what in kinds], [weight for weight, _ in kinds])[0]()

    def _do(self, kind: str, request: Request, effects: list[Effect], timestamp: int | None = None) -> tuple[Op, Any]:
        text = "; ".join(each.with_literals() for each in request.statements)
        op = Op(0, self._number, kind, text if len(text) < 600 else text[:600] + "…", effects, now_micros(),
                timestamp if timestamp is not None else request.timestamp)
        self._load.waits_for[self._number] = op
        rows = self._client.send(request, op)
        self._load.waits_for[self._number] = None
        self._load.answered(op)
        return op, rows

    def _request(self, *statements: Statement, batch: int | None = None, timed: bool = True) -> Request:
        request = Request(list(statements), self._rng.choice(("prepared", "prepared", "bound", "literal")), batch,
                          consistency=self._rng.choice((ONE, QUORUM, LOCAL_QUORUM)))
        if timed and self._rng.random() < 0.4:
            request.timestamp = self._load.own_timestamp(self._rng)
        return request

    def _using(self, request_made: bool = True) -> tuple[str, list[tuple[str, Any]], int | None, int | None]:
        """A USING clause: its text, its values, and the TTL and timestamp that it gives."""
        ttl = timestamp = None
        parts, values = [], []
        draw = self._rng.random()
        if draw < 0.12:
            ttl = self._rng.choice((1, 2, 3, 5, 600, 4000))
            parts, values = ["TTL ?"], [("int", ttl)]
        if draw > 0.9 or 0.09 < draw < 0.12:
            timestamp = self._load.own_timestamp(self._rng)
            parts.append("TIMESTAMP ?")
            values.append(("bigint", timestamp))
        return (" USING " + " AND ".join(parts) if parts else ""), values, ttl, timestamp

    def _id(self) -> int:
        return SHARED + self._rng.randrange(4) if self._rng.random() < 0.2 else self._own + self._rng.randrange(6)

    def _value(self) -> int:
        return self._load.unique()

    def _text(self) -> str:
        return f"v{self._value()}" + "x" * (self._rng.randrange(self._load.fat) if self._load.fat else 0)

    def _key(self, *rest: tuple[str, int]) -> list[tuple[str, Any]]:
        return [("uuid", self._load.tenant), *rest]

    def _insert_statement(self) -> tuple[Statement, list[Effect], int | None]:
        ident, c = self._id(), self._rng.randrange(4)
        using, more, ttl, timestamp = self._using()
        row = ("plain", ident, c)
        columns: dict[str, tuple[str, Any]] = {}
        # An INSERT makes a row live by itself, for its TTL.
        for name, kind, value in (("a", "int", self._value()), ("b", "text", self._text())):
            if self._rng.random() < 0.75:
                columns[name] = (kind, value)
        effects = [Effect((*row, MARKER), True, ttl)]
        effects += [Effect((*row, name), value, ttl) for name, (_, value) in columns.items()]
        if self._rng.random() < 0.15:
            columns["s"] = ("text", self._text())
            effects.append(Effect(("plain", ident, None, "s"), columns["s"][1], ttl))
        if self._rng.random() < 0.25:
            tags = {f"t{self._rng.randrange(8)}" for _ in range(self._rng.randrange(1, 4))}
            columns["tags"] = ("set<text>", tags)
            effects += self._overwritten(row, "tags", {tag: True for tag in tags}, ttl)
        names = ", ".join([TENANT, "id", "c", *columns])
        marks = ", ".join("?" * (3 + len(columns)))
        statement = Statement(f"INSERT INTO {self._ks}.plain ({names}) VALUES ({marks}){using}",
                              self._key(("int", ident), ("int", c)) + list(columns.values()) + more)
        return statement, effects, timestamp

    @staticmethod
    def _overwritten(row: tuple, column: str, elements: dict, ttl: int | None) -> list[Effect]:
        """Elements that are not among the new ones go; `tags` has eight, `props` too."""
        prefix = "t" if column == "tags" else "p"
        return [Effect((*row, column, name), elements.get(name, DELETED), ttl if name in elements else None)
                for name in (f"{prefix}{i}" for i in range(8))]

    def _insert(self) -> None:
        statement, effects, timestamp = self._insert_statement()
        self._do("insert", self._request(statement, timed=timestamp is None), effects, timestamp)

    def _update(self) -> None:
        ident, c = self._id(), self._rng.randrange(4)
        using, more, ttl, timestamp = self._using()
        a, b = self._value(), self._text()
        if self._rng.random() < 0.1:
            statement = Statement(f"UPDATE {self._ks}.plain{using} SET a = ?, b = null WHERE {TENANT} = ? AND id = ? AND c = ?",
                                  [*more, ("int", a), *self._key(("int", ident), ("int", c))])
            effects = [Effect(("plain", ident, c, "a"), a, ttl), Effect(("plain", ident, c, "b"))]
        else:
            statement = Statement(f"UPDATE {self._ks}.plain{using} SET a = ?, b = ? WHERE {TENANT} = ? AND id = ? AND c = ?",
                                  [*more, ("int", a), ("text", b), *self._key(("int", ident), ("int", c))])
            effects = [Effect(("plain", ident, c, "a"), a, ttl), Effect(("plain", ident, c, "b"), b, ttl)]
        self._do("update", self._request(statement, timed=timestamp is None), effects, timestamp)

    def _remove(self) -> None:
        ident, c = self._id(), self._rng.randrange(4)
        timestamp = self._load.own_timestamp(self._rng) if self._rng.random() < 0.2 else None
        using, values = (" USING TIMESTAMP ?", [("bigint", timestamp)]) if timestamp else ("", [])
        table, where = "plain", [("int", ident)]
        draw = self._rng.random()
        clause = f"{TENANT} = ? AND id = ?"
        if draw < 0.5:
            what, effects = "", [Effect(("plain", ident, c))]
            clause, where = clause + " AND c = ?", [*where, ("int", c)]
        elif draw < 0.7:
            what, effects = " a, tags", [Effect(("plain", ident, c, "a")), Effect(("plain", ident, c, "tags"))]
            clause, where = clause + " AND c = ?", [*where, ("int", c)]
        elif draw < 0.85:
            low, high = sorted((self._rng.randrange(4), self._rng.randrange(4)))
            what, effects = "", [Effect(("plain", ident), clustering=(low, high))]
            clause, where = clause + " AND c >= ? AND c <= ?", [*where, ("int", low), ("int", high)]
        else:
            what, effects = "", [Effect(("plain", ident))]
        statement = Statement(f"DELETE{what} FROM {self._ks}.{table}{using} WHERE {clause}",
                              values + self._key(*where))
        self._do("delete", self._request(statement, timed=timestamp is None), effects, timestamp)

    def _wide(self) -> None:
        c, n, v = self._own + self._rng.randrange(8), self._value(), self._text()
        draw = self._rng.random()
        if draw < 0.75:
            using, more, ttl, timestamp = self._using()
            statement = Statement(f"INSERT INTO {self._ks}.wide ({TENANT}, c, n, v) VALUES (?, ?, ?, ?){using}",
                                  self._key(("int", c), ("int", n), ("text", v)) + more)
            effects = [Effect(("wide", None, c, MARKER), True, ttl), Effect(("wide", None, c, "n"), n, ttl),
                       Effect(("wide", None, c, "v"), v, ttl)]
        else:
            timestamp = None
            statement = Statement(f"DELETE FROM {self._ks}.wide WHERE {TENANT} = ? AND c = ?", self._key(("int", c)))
            effects = [Effect(("wide", None, c))]
        self._do("wide", self._request(statement, timed=timestamp is None), effects, timestamp)

    def _collection(self) -> None:
        ident, c = self._id(), self._rng.randrange(4)
        row = ("plain", ident, c)
        where = self._key(("int", ident), ("int", c))
        clause = f"WHERE {TENANT} = ? AND id = ? AND c = ?"
        tag, name, value = f"t{self._rng.randrange(8)}", f"p{self._rng.randrange(8)}", self._value()
        forms = [
            (f"SET tags = tags + ? {clause}", [("set<text>", {tag})], [Effect((*row, "tags", tag), True)]),
            (f"SET tags = tags - ? {clause}", [("set<text>", {tag})], [Effect((*row, "tags", tag))]),
            (f"SET props[?] = ? {clause}", [("text", name), ("int", value)], [Effect((*row, "props", name), value)]),
            (f"SET props = ? {clause}", [("map<text,int>", {name: value})], self._overwritten(row, "props", {name: value}, None)),
            (f"SET props = props + ? {clause}", [("map<text,int>", {name: value})], [Effect((*row, "props", name), value)])]
        text, values, effects = self._rng.choice(forms)
        self._do("collection", self._request(Statement(f"UPDATE {self._ks}.plain {text}", values + where)), effects)

    def _batch(self) -> None:
        parts = [self._insert_statement() for _ in range(self._rng.randrange(2, 5))]
        parts = [part for part in parts if part[2] is None]   # One time for all, which the frame gives, or nobody.
        c, n = self._own + self._rng.randrange(8), self._value()
        parts.append((Statement(f"INSERT INTO {self._ks}.wide ({TENANT}, c, n) VALUES (?, ?, ?)",
                                self._key(("int", c), ("int", n))), [Effect(("wide", None, c, MARKER), True), Effect(("wide", None, c, "n"), n)], None))
        kind = self._rng.choice((LOGGED, UNLOGGED))
        # Two statements of one batch on one cell tie, and the greater value wins: each key once.
        seen: set[tuple] = set()
        statements, effects = [], []
        for statement, touched, _ in parts:
            keys = {effect.path for effect in touched}
            if keys & seen:
                continue
            seen |= keys
            statements.append(statement)
            effects += touched
        self._do("batch", self._request(*statements, batch=kind), effects)

    # --- lists, counters, conditions ---

    def _list(self) -> None:
        ident, value = self._own + self._rng.randrange(3), self._value()
        self.lists.add(ident)
        path = ("lists", ident, None, "l")
        where, clause = self._key(("int", ident)), f"WHERE {TENANT} = ? AND id = ?"
        draw = self._rng.random()
        kind, timed = "list append", True
        if draw < 0.45:
            text, values, effects = f"UPDATE {self._ks}.lists SET l = l + ? {clause}", [("list<int>", [value])], [Effect((*path, value), value)]
        elif draw < 0.65:
            kind = "list prepend"
            text, values, effects = f"UPDATE {self._ks}.lists SET l = ? + l {clause}", [("list<int>", [value])], [Effect((*path, value), value)]
        elif draw < 0.75:
            kind = "list overwrite"
            more = self._value()
            text, values = f"UPDATE {self._ks}.lists SET l = ? {clause}", [("list<int>", [value, more])]
            effects = [Effect((*path, value), value), Effect((*path, more), more), Effect(path)]
        elif draw < 0.85:
            kind = "list remove"
            known = [cell[-1] for cell in self._load.history.cells_beneath(path)]
            gone = self._rng.choice(known) if known else value
            text, values, effects = f"UPDATE {self._ks}.lists SET l = l - ? {clause}", [("list<int>", [gone])], [Effect((*path, gone))]
        elif draw < 0.93:
            # Which element that hits depends on what is there; none there is an error.
            kind, timed = "list index", False
            text, values = f"DELETE l[?] FROM {self._ks}.lists {clause}", [("int", 0)]
            effects = [Effect(path, maybe=True)]
        else:
            kind = "list delete"
            text, values, effects = f"DELETE FROM {self._ks}.lists {clause}", [], [Effect(("lists", ident))]
        self._do(kind, self._request(Statement(text, values + where), timed=timed), effects)

    def _count(self) -> None:
        ident = SHARED + self._rng.randrange(2) if self._rng.random() < 0.4 else self._own + self._rng.randrange(3)
        change = self._rng.choice((1, 2, 5, -1, 1000))
        if self._load.count_to:
            # So many requests as a round has, and the end is near.
            change = self._rng.randrange(1, max(2, self._load.count_to // 600))
            if not self._load.may_count(change):
                self._load.stopping.wait(0.2)
                return
        column = self._rng.choice("nm")
        statement = Statement(f"UPDATE {self._ks}.counts SET {column} = {column} + ? WHERE {TENANT} = ? AND id = ?",
                              [("counter", change), *self._key(("int", ident))])
        request = self._request(statement, timed=False)
        if self._rng.random() < 0.2:
            request.batch = COUNTER
        self._do("counter", request, [Effect(("counts", ident, None, column), change)])

    def _conditional(self) -> None:
        ident, value = self._own + self._rng.randrange(3), self._value()
        register = self._registers.setdefault(ident, Register())
        expected = self._rng.choice(sorted(register.states, key=str)) if self._rng.random() < 0.85 else value - 1
        where, clause = self._key(("int", ident)), f"WHERE {TENANT} = ? AND id = ?"
        new: int | None = value
        if expected is None:
            statement = Statement(f"INSERT INTO {self._ks}.cas ({TENANT}, id, v) VALUES (?, ?, ?) IF NOT EXISTS",
                                  where + [("int", value)])
        elif self._rng.random() < 0.1:
            new = None
            statement = Statement(f"DELETE FROM {self._ks}.cas {clause} IF v = ?", where + [("int", expected)])
        else:
            statement = Statement(f"UPDATE {self._ks}.cas SET v = ? {clause} IF v = ?",
                                  [("int", value), *where, ("int", expected)])
        request = self._request(statement, timed=False)
        request.serial = LOCAL_SERIAL
        op, rows = self._do("conditional", request, [Effect(("cas", ident, None, "v"), maybe=True)])
        if op.outcome == OK:
            applied = bool(rows and rows[0][0] == b"\1")
            wrong = register.applied(expected, new) if applied else register.refused(expected)
            if wrong:
                self._load.complain(f"request {op.number}, {op.text}: {wrong}")
        elif op.outcome == UNKNOWN:
            register.unknown(expected, new)

    def _made(self) -> None:
        ident = self._own + self._rng.randrange(4)
        row = ("made", ident, None)
        note = self._text()
        forms = [
            (f"INSERT INTO {self._ks}.made ({TENANT}, id, u, t, note) VALUES (?, ?, uuid(), now(), ?)",
             self._key(("int", ident), ("text", note)),
             [Effect((*row, "u"), ANY), Effect((*row, "t"), ANY), Effect((*row, "note"), note)]),
            (f"UPDATE {self._ks}.made SET t = now() WHERE {TENANT} = ? AND id = ?", self._key(("int", ident)),
             [Effect((*row, "t"), ANY)])]
        text, values, effects = self._rng.choice(forms)
        self._do("made", self._request(Statement(text, values)), effects)

    # --- reads that must see what this client was told ---

    def _read(self) -> None:
        ident, c = self._id(), self._rng.randrange(4)
        asked = now_micros()
        rows = self._client.read(Statement(f"SELECT a, b, s FROM {self._ks}.plain WHERE {TENANT} = ? AND id = ? AND c = ?",
                                           self._key(("int", ident), ("int", c))))
        if rows is None:
            return
        row = rows[0] if rows else [None, None, None]
        answered = now_micros()
        for name, raw in zip("ab", row):
            seen = None if raw is None else decoded("int" if name == "a" else "text", raw)
            if wrong := self._load.history.wrong(("plain", ident, c, name), seen, asked, answered):
                self._load.complain(f"a read of plain id {ident} c {c} by client {self._number}: {name}: {wrong}")

    def _read_list(self) -> None:
        ident = self._own + self._rng.randrange(3)
        asked = now_micros()
        rows = self._client.read(Statement(f"SELECT l FROM {self._ks}.lists WHERE {TENANT} = ? AND id = ?",
                                           self._key(("int", ident))))
        if rows is None:
            return
        seen = decoded("list<int>", rows[0][0]) if rows and rows[0][0] is not None else []
        for wrong in wrong_list(self._load.history, ("lists", ident, None, "l"), seen, asked, now_micros()):
            self._load.complain(f"a read of list {ident} by client {self._number}: {wrong}")

    def _read_register(self) -> None:
        ident = self._own + self._rng.randrange(3)
        register = self._registers.setdefault(ident, Register())
        statement = Statement(f"SELECT v FROM {self._ks}.cas WHERE {TENANT} = ? AND id = ?", self._key(("int", ident)))
        try:
            rows = self._client.read(statement)
        finally:
            pass
        if rows is None or register.doubtful:   # A plain read may miss what a conditional one has not completed.
            return
        seen = decoded("int", rows[0][0]) if rows and rows[0][0] is not None else None
        if wrong := register.wrong(seen):
            self._load.complain(f"a read of cas {ident} by client {self._number}: {wrong}")

    def registers(self) -> dict[int, Register]:
        return self._registers


def decoded(kind: str, raw: bytes) -> Any:
    if kind == "int":
        return struct.unpack(">i", raw)[0]
    if kind == "text":
        return raw.decode()
    if kind == "list<int>":
        count = struct.unpack(">i", raw[:4])[0]
        return [struct.unpack(">i", raw[8 + 8 * i:12 + 8 * i])[0] for i in range(count)]
    raise ValueError(kind)


class Load:
    """All clients of a round."""

    def __init__(self, address: str, keyspace: str, tenant: uuid.UUID, rng: random.Random, *, clients: int, version: int,
                 patience: float, excused: Callable[[int, int], bool], pause: float, fat: int,
                 count_to: int = 0, lists: bool = True) -> None:
        self.keyspace, self.tenant, self.pause, self.fat = keyspace, tenant, pause, fat
        self.count_to = self._left_to_count = count_to
        self.lists = lists
        self.history = History()
        self.stopping = threading.Event()
        self.problems: list[str] = []
        self.waits_for: dict[int, Op | None] = {}
        self.counts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._serial = rng.randrange(1, 1000) * 1_000_000
        self._last_timestamp = 0
        self.writers = []
        for number in range(clients):
            client = Client(address, version, self.history, excused, self.complain, patience)
            self.writers.append(Writer(number + 1, client, self, random.Random(rng.random())))

    def unique(self) -> int:
        with self._lock:
            self._serial += 1
            return self._serial

    def own_timestamp(self, rng: random.Random) -> int:
        """As a client with a clock of its own gives them: mostly now, at times behind or a little ahead. Never twice.
        Behind by less than the second that docs/phases.md allows for ("shadow_since")."""
        shift = rng.choice((0, 0, 0, 0, -700_000, -300_000, 200_000))
        with self._lock:
            wanted = now_micros() + shift
            self._last_timestamp += 1
            # The last four digits make it unique.
            return wanted // 10_000 * 10_000 + self._last_timestamp % 10_000

    def may_count(self, change: int) -> bool:
        with self._lock:
            if change > self._left_to_count:
                return False
            self._left_to_count -= change
            return True

    def complain(self, problem: str) -> None:
        with self._lock:
            self.problems.append(problem)

    def answered(self, op: Op) -> None:
        with self._lock:
            self.counts[op.outcome or "none"] = self.counts.get(op.outcome or "none", 0) + 1

    def start(self) -> None:
        for writer in self.writers:
            writer.start()

    def stop(self, within: float) -> None:
        self.stopping.set()
        deadline = time.monotonic() + within
        for number, writer in enumerate(self.writers, 1):
            writer.join(max(0.1, deadline - time.monotonic()))
            if writer.is_alive():
                op = self.waits_for.get(number)
                self.complain(f"client {number} still waits for an answer" + (f" to request {op.number} ({op.kind})" if op else ""))
            if writer.error is not None:
                raise writer.error
