"""Sends a recording's requests to a server and says where its answers are not those of the recording.

Answers are compared decoded: kind, columns with types, rows, ids, error codes. Not compared are the words of errors, what
a clock or a node makes (uuids, write times, addresses, the rows of system tables) and the length of paging states.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
from dataclasses import dataclass
from typing import Any

from . import wire
from .backend import Answer
from .wire import In, PreparedAnswer, Rows

_SAME = re.compile(r"same connection|^then STARTUP|still usable|^usable|^second STARTUP|after that")
_FRESH = re.compile(r"first frame|before STARTUP|^an HTTP")
_ELIDED = object()
_PATIENCE = 60.0  # seconds for one answer: a schema change on a busy machine


@dataclass
class Step:
    name: str
    cql: str
    note: str
    recorded: Any
    answered: Any

    @property
    def differs(self) -> bool:
        return self.recorded is not _ELIDED and self.answered is not _ELIDED and self.recorded != self.answered


class Socket:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer, self.codec = reader, writer, None
        self.started = False
        self.stuck = False  # announced a body that never came

    async def frame(self, timeout: float) -> bytes | None:
        try:
            async with asyncio.timeout(timeout):
                head = await self.reader.readexactly(9)
                return head + await self.reader.readexactly(struct.unpack(">i", head[5:])[0])
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            return None


def decode(frame: bytes, codec: str) -> Any:
    """A response as something to compare."""
    version, flags, stream, opcode = struct.unpack(">BBhB", frame[:5])
    body = frame[9:]
    if flags & wire.COMPRESSED and codec:
        body = wire.CODECS[codec][1](body)
    answer = Answer(flags & ~wire.COMPRESSED, opcode, body)
    head = (version & 0x7F, stream, opcode)
    message = answer.message
    if opcode == wire.ERROR:
        read = In(message)
        code = read.i32()
        read.string()
        return (*head, "ERROR", hex(code), read.rest().hex() if code == wire.UNPREPARED else "")
    if opcode == wire.SUPPORTED:
        read = In(message)
        keys = []
        for _ in range(read.u16()):
            keys.append((read.string(), [read.string() for _ in range(read.u16())]))
        return (*head, sorted(keys))
    if answer.kind == wire.ROWS:
        return (*head, _rows(Rows.read(message)))
    if answer.kind == wire.PREPARED:
        if version & 0x7F < 4:  # without key columns: put an empty list in
            cut = 4 + 2 + int.from_bytes(message[4:6], "big") + 8
            message = message[:cut] + b"\0\0\0\0" + message[cut:]
        prepared = PreparedAnswer.read(message)
        return (*head, prepared.id.hex(), prepared.keys, _specs(prepared.binds), _specs(prepared.result))
    return (*head, message.hex())


def _specs(columns: list[wire.Column] | None) -> list[tuple[str, ...]] | None:
    return None if columns is None else [(c.keyspace, c.table, c.name, c.type.hex()) for c in columns]


def _cell(type_code: bytes | None, cell: Any) -> Any:
    if not isinstance(cell, bytes):
        return cell
    if type_code in (b"\0\x0b", b"\0\x0c", b"\0\x0f", b"\0\x10") and cell:
        return "#"
    if type_code == b"\0\x02" and len(cell) == 8 and 1_000_000_000_000_000 < int.from_bytes(cell, "big", signed=True) < 3e15:
        return "#"
    return cell.hex()


def _rows(rows: Rows) -> Any:
    types = [c.type for c in rows.columns] if rows.columns is not None else [None] * rows.count
    own = rows.columns is not None and any(c.keyspace.startswith("system") for c in rows.columns)
    shown = None if own else [[_cell(t, cell) for t, cell in zip(types, row)] for row in rows.decoded()]
    return ("rows", rows.paging_state is not None, _specs(rows.columns), shown)


def _whole(recorded: Any) -> bytes | None:
    return bytes.fromhex(recorded) if isinstance(recorded, str) else None


async def replay(recording: list[str], host: str, port: int) -> list[Step]:
    sockets: dict[str, Socket] = {}
    closed: set[str] = set()
    states: dict[bytes, bytes] = {}
    steps: list[Step] = []
    for line in map(json.loads, recording):
        name, note = line["conn"], line.get("note", "")
        request = _whole(line["request"])
        if request is None or not request:
            continue
        if "[not sent" in note:
            closed.add(name)
            continue
        startup = len(request) > 4 and request[4] == wire.STARTUP and request[0] < 5
        fresh = name not in sockets or name in closed or bool(_FRESH.search(note)) or (
            startup and (sockets[name].started or sockets[name].stuck))
        if fresh and not (_SAME.search(note) and name in sockets and name not in closed):
            if name in sockets:
                sockets[name].writer.close()
            sockets[name] = Socket(*await asyncio.open_connection(host, port))
            closed.discard(name)
        socket = sockets[name]
        codec = next((c for c in wire.CODECS if c in (name if not startup else "")), "")
        if name == "startup" or startup:
            codec = "lz4" if b"lz4" in request.lower() and b"COMPRESSION" in request else \
                "snappy" if b"snappy" in request.lower() and b"COMPRESSION" in request else codec
            if startup:
                socket.codec = codec or None
        codec = codec or socket.codec or ""
        recorded = line["response"] if isinstance(line["response"], list) else [line["response"]] if line["response"] else []
        wanted = [_whole(r) for r in recorded]
        answers = [w for w in wanted if w is None or w[4] != wire.EVENT or w[2:4] != b"\xff\xff"]
        socket.stuck = "as the first frame" in note
        socket.writer.write(_live(request, states))
        got: list[bytes] = []
        while len(got) < len(answers):
            one = await socket.frame(_PATIENCE)
            if one is None:
                break
            if one[4] != wire.EVENT:
                got.append(one)
        if line.get("closed"):
            closed.add(name)
        if startup and got and got[-1][4] == wire.READY:
            socket.started = True
        for was, now in zip(answers, got):
            _remember(was, now, states)
        key = lambda d: d if d is _ELIDED else d[:3]  # noqa: E731
        was = sorted((decode(w, codec) for w in answers if w is not None), key=key) if None not in answers else _ELIDED
        now = sorted((decode(g, codec) for g in got), key=key) if was is not _ELIDED else _ELIDED
        steps.append(Step(line["step"], line.get("cql", ""), note, was, now))
    for socket in sockets.values():
        socket.writer.close()
    return steps


def _state_of(frame: bytes) -> bytes | None:
    if frame[1] & wire.COMPRESSED:
        return None
    answer = Answer(frame[1], frame[4], frame[9:])
    return Rows.read(answer.message).paging_state if answer.kind == wire.ROWS else None


def _remember(was: bytes | None, now: bytes, states: dict[bytes, bytes]) -> None:
    before, after = _state_of(was) if was else None, _state_of(now)
    if before and after:
        states[before] = after


def _live(request: bytes, states: dict[bytes, bytes]) -> bytes:
    """The request with paging states that this server gave instead of those recorded."""
    for before, after in states.items():
        if len(before) > 8 and struct.pack(">i", len(before)) + before in request:
            body = request[9:].replace(wire.value(before), wire.value(after))
            return request[:5] + struct.pack(">i", len(body)) + body
    return request
