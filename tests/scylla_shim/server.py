"""The listener: connections, versions, SUPPORTED, and everything that is the same for all clients."""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from . import wire
from .backend import Backend, BackendGone, Catalog, start
from .requests import Prepared, Session
from .wire import (EVENT, OPTIONS, PROTOCOL_ERROR, READY, STARTUP, SUPPORTED, In, Refused)

_FIRST_FRAME_LIMIT = 100_000     # bytes, as on ScyllaDB
_FRAME_LIMIT = 64 << 20          # bytes; ScyllaDB's is a part of its memory
_PREPARED_LIMIT = 10_000         # statements; the one used longest ago goes
_EVENTS = ("TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE")


@dataclass
class Manners:
    """What can be chosen."""

    backend: tuple[str, int]
    shards: int = 1
    shard_aware_port: int | None = None
    page_rows: int | None = None         # pages end after so many rows, whatever the client asked for
    empty_pages: int = 0                 # every so many pages, one without rows and with more to come
    shuffle: bool = True                 # answers that are ready together leave in any order
    seed: int = 1
    addresses: dict[str, str] = field(default_factory=dict)  # node behind -> the address that stands for it
    clock: Callable[[], float] = time.time                   # seconds


class Shim:
    """One node. All its connections share prepared statements and schema, as the shards of a ScyllaDB node do."""

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self.catalog = Catalog()
        self.prepared: OrderedDict[bytes, Prepared] = OrderedDict()
        self.partitions: dict[tuple[object, ...], asyncio.Lock] = {}
        self.random = random.Random(manners.seed)
        self.pages = 0
        self.shards: set[tuple[str, int, bytes]] = set()  # of counters, that are there
        self._servers: list[asyncio.Server] = []
        self._clients: set[Client] = set()
        self._accepted = 0
        self._watch: asyncio.Task[None] | None = None

    async def listen(self, host: str, port: int) -> int:
        """Returns the port; several calls make several listeners."""
        server = await asyncio.start_server(lambda r, w: self._serve(r, w, port), host, port, backlog=512)
        self._servers.append(server)
        if self._watch is None:
            self._watch = asyncio.create_task(self._watch_schema())
        return server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        if self._watch is not None:
            self._watch.cancel()
        for client in list(self._clients):
            client.close()

    def shard_of(self, port: int, source_port: int) -> int:
        if port == self.manners.shard_aware_port:
            return source_port % self.manners.shards
        self._accepted += 1
        return self._accepted % self.manners.shards

    def remember(self, one: Prepared) -> None:
        self.prepared[one.id] = one
        self.prepared.move_to_end(one.id)
        if len(self.prepared) > _PREPARED_LIMIT:
            self.prepared.popitem(last=False)

    def supported(self, shard: int) -> bytes:
        said = {
            "COMPRESSION": ["lz4", "snappy"], "CQL_VERSION": ["3.3.1"],
            "SCYLLA_LWT_ADD_METADATA_MARK": ["LWT_OPTIMIZATION_META_BIT_MASK=2147483648"],
            "SCYLLA_NR_SHARDS": [str(self.manners.shards)],
            "SCYLLA_PARTITIONER": ["org.apache.cassandra.dht.Murmur3Partitioner"],
            "SCYLLA_RATE_LIMIT_ERROR": ["ERROR_CODE=61440"], "SCYLLA_SHARD": [str(shard)],
            "SCYLLA_SHARDING_ALGORITHM": ["biased-token-round-robin"], "SCYLLA_SHARDING_IGNORE_MSB": ["12"]}
        if self.manners.shard_aware_port is not None:
            said["SCYLLA_SHARD_AWARE_PORT"] = [str(self.manners.shard_aware_port)]
        return wire.string_multimap(said)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        shard = self.shard_of(port, writer.get_extra_info("peername")[1])
        client = Client(self, reader, writer, shard)
        self._clients.add(client)
        try:
            await client.run()
        except asyncio.CancelledError:
            pass  # the end of the shim; this task is the stream's own, and nobody waits for it
        finally:
            self._clients.discard(client)

    async def _watch_schema(self) -> None:
        """A connection of the shim's own: schema changes of others, and the end of the node, make it forget."""
        while True:
            ended = asyncio.Event()
            backend = Backend(lambda _: self.catalog.forget(), ended.set)
            try:
                await backend.open(*self.manners.backend)
                if (await start(backend)).opcode == READY:
                    await backend.ask(wire.REGISTER, struct.pack(">H", 1) + wire.string("SCHEMA_CHANGE"))
                self.catalog.forget()
                await ended.wait()
            except (OSError, BackendGone):
                pass
            backend.close()
            # A ScyllaDB that was restarted has forgotten what was prepared (a Cassandra has not).
            self.prepared.clear()
            self.catalog.forget()
            await asyncio.sleep(0.2)


class Client:
    """One client connection and the connection behind it."""

    def __init__(self, shim: Shim, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, shard: int) -> None:
        self.shim, self.shard = shim, shard
        self.version = 4
        self._reader, self._writer = reader, writer
        self._backend = Backend(self._event, self.close)
        self._session: Session | None = None
        self._started = False
        self._codec: wire.Codec | None = None
        self._ready: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        self._backend.close()
        self._writer.close()

    async def run(self) -> None:
        try:
            await self._backend.open(*self.shim.manners.backend)
            self._session = Session(self.shim, self._backend)
            await self._requests()
        except (asyncio.IncompleteReadError, OSError, BackendGone):
            pass
        finally:
            for task in self._tasks:
                task.cancel()
            self._flush()
            self.close()

    async def _requests(self) -> None:
        first = True
        while True:
            byte = (await self._reader.readexactly(1))[0]
            if first and byte not in (3, 4):
                self._fail(Refused(PROTOCOL_ERROR, f"Invalid or unsupported protocol version: {byte}"))
                return
            flags, stream, opcode, length = struct.unpack(">BhBi", await self._reader.readexactly(8))
            if first:
                self.version = byte
            elif byte != self.version:
                self._fail(Refused(PROTOCOL_ERROR, f"Invalid message version. Got {byte} but previous messages on this "
                                                   f"connection had version {self.version}"))
                return
            if first and (length > _FIRST_FRAME_LIMIT or length < 0):
                self._fail(Refused(PROTOCOL_ERROR, f"request size too large (frame size {length & 0xFFFFFFFF:d})"))
                return
            if length < 0 or length > _FRAME_LIMIT:
                self._send(stream, wire.ERROR, Refused(wire.INVALID, "request size too large").body())
                self._flush()
                return
            first = False
            body = await self._reader.readexactly(length)
            if flags & wire.COMPRESSED:
                try:
                    body = self._codec[1](body) if self._codec and body else body
                except Refused as error:
                    self._fail(error)
                    return
            self._take(flags, stream, opcode, body)

    def _take(self, flags: int, stream: int, opcode: int, body: bytes) -> None:
        try:
            if opcode == OPTIONS:
                self._send(stream, SUPPORTED, self.shim.supported(self.shard))
            elif not self._started and opcode not in (STARTUP, wire.AUTH_RESPONSE):
                raise Refused(PROTOCOL_ERROR, f"Unexpected message {opcode}, expecting STARTUP or OPTIONS")
            elif opcode == STARTUP and self._started:
                raise Refused(PROTOCOL_ERROR, "Unexpected message STARTUP, the connection is already initialized")
            elif opcode not in (STARTUP, wire.AUTH_RESPONSE, wire.QUERY, wire.PREPARE, wire.EXECUTE, wire.BATCH,
                                wire.REGISTER):
                raise Refused(PROTOCOL_ERROR, f"Unknown opcode {opcode}")
            else:
                # A task runs up to its first wait in the order of creation: requests reach the server in their order.
                task = asyncio.create_task(self._answer(flags, stream, opcode, body))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except Refused as error:
            self._send(stream, wire.ERROR, error.body())

    async def _answer(self, flags: int, stream: int, opcode: int, body: bytes) -> None:
        assert self._session is not None
        try:
            if opcode == STARTUP:
                await self._startup(stream, body)
                return
            if opcode == wire.AUTH_RESPONSE:
                answer = await self._backend.ask(opcode, body)
                self._started = self._started or answer.opcode == wire.AUTH_SUCCESS
                self._send(stream, answer.opcode, answer.message)
                return
            if opcode == wire.REGISTER:
                names = In(body)
                for _ in range(names.u16()):
                    name = names.string()
                    if name not in _EVENTS:
                        raise Refused(PROTOCOL_ERROR, f"Invalid value '{name}' for Event.Type")
                answer = await self._backend.ask(opcode, body)
                self._send(stream, answer.opcode, answer.message)
                return
            tracing, got_opcode, message = await self._session.request(
                opcode, body, flags & wire.TRACING, self.version)
            self._send(stream, got_opcode, tracing + message, wire.TRACING if tracing else 0)
        except Refused as error:
            self._send(stream, wire.ERROR, error.body())
        except (BackendGone, OSError):
            self.close()

    async def _startup(self, stream: int, body: bytes) -> None:
        read = In(body)
        options = {}
        for _ in range(read.u16()):
            key = read.string()
            options[key] = read.string()
        codec = None
        if "COMPRESSION" in options:
            codec = wire.CODECS.get(options["COMPRESSION"].lower())
            if codec is None:
                raise Refused(PROTOCOL_ERROR, f"Unknown compression algorithm: {options['COMPRESSION']}")
        answer = await start(self._backend)
        self._codec = codec
        self._started = answer.opcode == READY
        assert self._session is not None
        self._session.marks_lwt = "SCYLLA_LWT_ADD_METADATA_MARK" in options
        self._send(stream, answer.opcode, answer.message)

    # --- what leaves ---

    def _event(self, body: bytes) -> None:
        self.shim.catalog.forget()
        self._writer.write(self._frame(-1, EVENT, body, 0))

    def _fail(self, error: Refused) -> None:
        """On stream 0, in v4 whatever the client speaks, never compressed; the connection ends."""
        self._flush()
        self._writer.write(wire.frame(0x84 if self.version == 4 else 0x80 | self.version, 0, 0, wire.ERROR, error.body()))

    def _frame(self, stream: int, opcode: int, body: bytes, flags: int) -> bytes:
        if self._codec is not None:
            body, flags = self._codec[0](body), flags | wire.COMPRESSED
        return wire.frame(0x80 | self.version, flags, stream, opcode, body)

    def _send(self, stream: int, opcode: int, body: bytes, flags: int = 0) -> None:
        """With the others that are ready in this turn of the loop, in any order."""
        if not self._ready:
            asyncio.get_running_loop().call_soon(self._flush)
        self._ready.append(self._frame(stream, opcode, body, flags))

    def _flush(self) -> None:
        if len(self._ready) > 1 and self.shim.manners.shuffle:
            self.shim.random.shuffle(self._ready)
        ready, self._ready = self._ready, []
        if not self._writer.is_closing():
            self._writer.writelines(ready)
