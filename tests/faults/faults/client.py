"""One application: a connection that sends a request, knows what became of it, and connects again when it was cut off."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from differ import wire
from differ.answers import Reader
from differ.wire import Lost, long_text

from .history import FAILED, OK, UNKNOWN, History, Op

ONE, QUORUM, LOCAL_QUORUM, LOCAL_SERIAL = 1, 4, 6, 9
LOGGED, UNLOGGED, COUNTER = 0, 1, 2

SERVER_ERROR, UNAVAILABLE, OVERLOADED, UNPREPARED = 0x0000, 0x1000, 0x1001, 0x2500
# After these a server has done nothing.
REFUSALS = {0x000A: "protocol error", 0x2000: "syntax error", 0x2100: "unauthorized", 0x2200: "invalid", 0x2300: "config error"}


def now_micros() -> int:
    return time.time_ns() // 1000


# --- values: of a column type, as bytes and as text ------------------------------------------------------------------

def encoded(kind: str, value: Any) -> bytes:
    if kind == "int":
        return struct.pack(">i", value)
    if kind in ("bigint", "counter"):
        return struct.pack(">q", value)
    if kind == "text":
        return value.encode()
    if kind == "uuid":
        return value.bytes
    parts: list[bytes] = []
    if kind.startswith(("set<", "list<")):
        inner = kind[kind.index("<") + 1:-1]
        parts = [encoded(inner, each) for each in (sorted(value) if kind.startswith("set") else value)]
        count = len(parts)
    else:
        key, _, inner = kind[4:-1].partition(",")
        for name in sorted(value):
            parts += [encoded(key, name), encoded(inner, value[name])]
        count = len(value)
    return struct.pack(">i", count) + b"".join(struct.pack(">i", len(part)) + part for part in parts)


def literal(kind: str, value: Any) -> str:
    if kind == "text":
        return "'" + value.replace("'", "''") + "'"
    if kind.startswith("set<"):
        return "{" + ", ".join(literal(kind[4:-1], each) for each in sorted(value)) + "}"
    if kind.startswith("list<"):
        return "[" + ", ".join(literal(kind[5:-1], each) for each in value) + "]"
    if kind.startswith("map<"):
        key, _, inner = kind[4:-1].partition(",")
        return "{" + ", ".join(f"{literal(key, k)}: {literal(inner, value[k])}" for k in sorted(value)) + "}"
    return str(value)


@dataclass
class Statement:
    """Text with `?`, and the value of each."""

    text: str
    values: list[tuple[str, Any]] = field(default_factory=list)

    def with_literals(self) -> str:
        parts = self.text.split("?")
        return "".join(part + literal(*value) for part, value in zip(parts, self.values)) + parts[-1]

    def encoded(self) -> bytes:
        out = struct.pack(">H", len(self.values))
        for kind, value in self.values:
            raw = encoded(kind, value)
            out += struct.pack(">i", len(raw)) + raw
        return out


@dataclass
class Request:
    """What to send: one statement, or a batch of some."""

    statements: list[Statement]
    how: str = "prepared"            # prepared, bound (a QUERY with values), literal
    batch: int | None = None
    timestamp: int | None = None     # in the frame
    consistency: int = LOCAL_QUORUM
    serial: int | None = None


class Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code:#06x} {message}")
        self.code = code


class Client:
    """Lives on one thread."""

    def __init__(self, address: str, version: int, history: History, excused: Callable[[int, int], bool],
                 complain: Callable[[str], None], patience: float) -> None:
        """`excused(began, ended)`: whether the proxy was stopped or frozen by us in between; `patience`: by then an
        answer must be there."""
        self._address, self._version, self._history = address, version, history
        self._excused, self._complain, self._patience = excused, complain, patience
        self._connection: wire.Connection | None = None
        self._prepared: dict[str, tuple[bytes, bytes]] = {}
        self.longest = 0.0

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None
        self._prepared = {}

    def connected(self, within: float) -> bool:
        """Connects if need be; the proxy may be dead at the moment."""
        deadline = time.monotonic() + within
        while self._connection is None:
            try:
                self._connection = wire.Connection(self._address, self._version, timeout=self._patience)
            except Lost:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.05)
        return True

    def send(self, request: Request, op: Op) -> list[list[bytes | None]] | None:
        """Sends, and notes in `op` what became of it. Rows, if it answered with some."""
        self._history.add(op)
        rows = None
        try:
            rows = self._ask(request)
            op.outcome = OK
        except Refused as refusal:
            op.detail = str(refusal)
            op.outcome = _fate(refusal.code, request)
        except Lost as lost:
            op.detail = str(lost)
            op.outcome, op.lost = UNKNOWN, True
            self._lost(op, lost)
        op.ended = now_micros()
        self.longest = max(self.longest, (op.ended - op.began) / 1e6)
        return rows

    def read(self, statement: Statement) -> list[list[bytes | None]] | None:
        """Rows, or nothing when the read failed."""
        try:
            return self._ask(Request([statement]))
        except Refused:
            return None
        except Lost as lost:
            self._lost(Op(-1, -1, "read", statement.text, [], now_micros()), lost)
            return None

    def _lost(self, op: Op, lost: Lost) -> None:
        self.close()
        if not self._excused(op.began, now_micros()):
            self._complain(f"request {op.number} ({op.kind}) got no answer, though the proxy was there all the time: {lost}")

    # --- bytes ---

    def _ask(self, request: Request) -> list[list[bytes | None]] | None:
        for attempt in range(4):
            opcode, body = self._encode(request)
            assert self._connection is not None
            try:
                return _result(self._connection.ask(opcode, body))
            except Refused as refusal:
                if refusal.code != UNPREPARED or attempt == 3:
                    raise
                self._prepared.clear()    # Nothing was done: that is what the error says.
        raise AssertionError("not reached")

    def _encode(self, request: Request) -> tuple[int, bytes]:
        first = request.statements[0]
        if request.batch is not None:
            body = struct.pack(">BH", request.batch, len(request.statements))
            for number, each in enumerate(request.statements):
                if request.how == "prepared" and number % 3 != 2:
                    identity = self._prepare(each.text)[0]
                    body += b"\1" + struct.pack(">H", len(identity)) + identity + each.encoded()
                else:
                    body += b"\0" + long_text(each.text) + each.encoded()
            return wire.BATCH, body + struct.pack(">H", request.consistency) + self._options(request, 0, b"")
        if request.how == "prepared":
            identity, metadata = self._prepare(first.text)
            body = struct.pack(">H", len(identity)) + identity
            if self._version >= 5:
                body += struct.pack(">H", len(metadata)) + metadata
            opcode, values = wire.EXECUTE, first.encoded()
        elif request.how == "bound":
            opcode, body, values = wire.QUERY, long_text(first.text), first.encoded()
        else:
            opcode, body, values = wire.QUERY, long_text(first.with_literals()), b""
        return opcode, body + struct.pack(">H", request.consistency) + self._options(request, 1 if values else 0, values)

    def _options(self, request: Request, flags: int, tail: bytes) -> bytes:
        if request.serial is not None:
            flags |= 0x10
            tail += struct.pack(">H", request.serial)
        if request.timestamp is not None:
            flags |= 0x20
            tail += struct.pack(">q", request.timestamp)
        return (struct.pack(">i", flags) if self._version >= 5 else struct.pack(">B", flags)) + tail

    def _prepare(self, text: str) -> tuple[bytes, bytes]:
        if text not in self._prepared:
            assert self._connection is not None
            frame = self._connection.ask(wire.PREPARE, long_text(text) + (struct.pack(">i", 0) if self._version >= 5 else b""))
            reader = _opened(frame)
            reader.int()
            identity = reader.short_bytes()
            self._prepared[text] = (identity, reader.short_bytes() if self._version >= 5 else b"")
        return self._prepared[text]


def _opened(frame: wire.Frame) -> Reader:
    reader = Reader(frame.body)
    if frame.flags & wire.WARNING:
        for _ in range(reader.short()):
            reader.text()
    if frame.opcode == wire.ERROR:
        raise Refused(reader.int(), reader.text())
    return reader


def _result(frame: wire.Frame) -> list[list[bytes | None]] | None:
    reader = _opened(frame)
    if reader.int() != 2:   # not rows
        return None
    flags, columns = reader.int(), reader.int()
    if flags & 2:
        reader.bytes()
    if flags & 8:
        reader.short_bytes()
    if not flags & 4:
        if flags & 1:
            reader.text(), reader.text()
        for _ in range(columns):
            if not flags & 1:
                reader.text(), reader.text()
            reader.text()
            _skip_type(reader)
    return [[reader.bytes() for _ in range(columns)] for _ in range(reader.int())]


def _skip_type(reader: Reader) -> None:
    kind = reader.short()
    if kind == 0:
        reader.text()
    elif kind in (0x20, 0x22):
        _skip_type(reader)
    elif kind == 0x21:
        _skip_type(reader), _skip_type(reader)
    elif kind == 0x30:
        reader.text(), reader.text()
        for _ in range(reader.short()):
            reader.text(), _skip_type(reader)
    elif kind == 0x31:
        for _ in range(reader.short()):
            _skip_type(reader)


def _fate(code: int, request: Request) -> str:
    if code in REFUSALS:
        return FAILED
    # Too few replicas: known before anything is written, but in a batch or a condition one step may have been taken.
    if code == UNAVAILABLE and request.batch is None and request.serial is None:
        return FAILED
    return UNKNOWN
