"""One connection to the Cassandra behind, always in v4 and never compressed, and what all connections know together."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

from . import wire
from .columns import TABLES
from .lwt import Table, TableColumn
from .wire import In, Options, Rows

ANY_ANSWER_LIMIT = 1 << 28  # bytes: a frame that claims more than any server sends


class BackendGone(Exception):
    """The connection to the Cassandra behind ended."""


class Answer:
    """A response from behind, without the prefixes that its header announces."""

    __slots__ = ("opcode", "message", "tracing")

    def __init__(self, flags: int, opcode: int, body: bytes) -> None:
        self.opcode, self.tracing = opcode, b""
        at = 0
        if flags & wire.TRACING:
            self.tracing, at = body[:16], 16
        if flags & wire.WARNING:
            count = int.from_bytes(body[at:at + 2], "big")
            at += 2
            for _ in range(count):
                at += 2 + int.from_bytes(body[at:at + 2], "big")
        if flags & wire.PAYLOAD:
            count = int.from_bytes(body[at:at + 2], "big")
            at += 2
            for _ in range(count):
                at += 2 + int.from_bytes(body[at:at + 2], "big")
                at += 4 + max(0, int.from_bytes(body[at:at + 4], "big", signed=True))
        self.message = body[at:]

    @property
    def kind(self) -> int:
        """The kind of a RESULT, 0 for other messages."""
        return int.from_bytes(self.message[:4], "big") if self.opcode == wire.RESULT else 0

    @property
    def error(self) -> int | None:
        return int.from_bytes(self.message[:4], "big") if self.opcode == wire.ERROR else None


class Backend:
    """Requests may overlap; each gets the answer of its own stream. `on_event` gets what was not asked for."""

    def __init__(self, on_event: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self._on_event, self._on_end = on_event, on_end
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._next = 0
        self._ended = False
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._task: asyncio.Task[None] | None = None

    async def open(self, host: str, port: int) -> None:
        self._reader, self._writer = await asyncio.open_connection(host, port)
        self._task = asyncio.create_task(self._read())

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._writer.close()

    def ask(self, opcode: int, body: bytes, flags: int = 0) -> asyncio.Future[Answer]:
        """Written before this returns, so requests leave in the order of the calls."""
        if self._ended:
            raise BackendGone
        while self._next in self._waiting:
            self._next = (self._next + 1) % 32768
        stream = self._next
        self._next = (self._next + 1) % 32768
        future = asyncio.get_running_loop().create_future()
        self._waiting[stream] = future
        self._writer.write(wire.frame(4, flags, stream, opcode, body))
        return future

    async def query(self, text: str, options: Options | None = None) -> Answer:
        return await self.ask(wire.QUERY, wire.long_string(text) + (options or Options()).write())

    async def _read(self) -> None:
        try:
            while True:
                head = await self._reader.readexactly(9)
                flags, stream, opcode, length = struct.unpack(">BhBi", head[1:])
                if not 0 <= length <= ANY_ANSWER_LIMIT:
                    break
                body = await self._reader.readexactly(length)
                if stream < 0:
                    self._on_event(body)
                    continue
                future = self._waiting.pop(stream, None)
                if future is not None and not future.done():
                    future.set_result(Answer(flags, opcode, body))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._ended = True
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(BackendGone())
                    future.exception()  # whoever waited may have gone first
            self._on_end()


class Catalog:
    """The schema of the Cassandra behind, table by table as it is asked for; forgotten at every schema change."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, str], Table | None] = {}
        self._system: dict[str, set[str]] = {}
        self._changes = 0

    def forget(self) -> None:
        self._tables.clear()
        self._changes += 1

    async def table(self, backend: Backend, keyspace: str | None, name: str) -> Table | None:
        if not keyspace:
            return None
        key = (keyspace, name)
        if key in self._tables:
            return self._tables[key]
        changes = self._changes
        prepared = await backend.ask(wire.PREPARE, wire.long_string(
            f'SELECT * FROM "{keyspace}"."{name}"'))
        found = await backend.query(
            "SELECT column_name, kind, type FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?",
            Options(values=[keyspace.encode(), name.encode()]))
        table = None
        if prepared.kind == wire.PREPARED and found.kind == wire.ROWS:
            columns = wire.PreparedAnswer.read(prepared.message).result or []
            known = {row[0].decode(): (row[1].decode(), row[2].decode())  # type: ignore[union-attr]
                     for row in Rows.read(found.message).decoded()}
            if all(c.name in known for c in columns):
                table = Table(keyspace, name, [TableColumn(c.name, *known[c.name], c) for c in columns])
        if changes == self._changes:
            self._tables[key] = table
        return table

    async def system_columns(self, backend: Backend, table: str) -> set[str]:
        """The columns that a system table has behind."""
        if table not in self._system:
            keyspace, _, name = table.partition(".")
            if table not in TABLES:
                return set()
            found = await backend.query(
                "SELECT column_name FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?",
                Options(values=[keyspace.encode(), name.encode()]))
            self._system[table] = {row[0].decode() for row in Rows.read(found.message).decoded()} if \
                found.kind == wire.ROWS else set()
        return self._system[table]


async def start(backend: Backend) -> Answer:
    """STARTUP; the answer is READY, AUTHENTICATE or an ERROR."""
    options = {"CQL_VERSION": "3.0.0"}
    return await backend.ask(wire.STARTUP, struct.pack(">H", len(options)) + b"".join(
        wire.string(k) + wire.string(v) for k, v in options.items()))
