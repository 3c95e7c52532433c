"""Frames, bodies and metadata of the native protocol, versions 3 and 4, as far as the shim reads or rewrites them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

ERROR, STARTUP, READY, AUTHENTICATE, OPTIONS, SUPPORTED, QUERY, RESULT, PREPARE, EXECUTE, REGISTER, EVENT, BATCH = (
    0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13)
AUTH_CHALLENGE, AUTH_RESPONSE, AUTH_SUCCESS = 14, 15, 16

# Header flags.
COMPRESSED, TRACING, PAYLOAD, WARNING = 1, 2, 4, 8
# Flags of QUERY, EXECUTE and BATCH.
VALUES, SKIP_METADATA, PAGE_SIZE, PAGING_STATE, SERIAL, TIMESTAMP, NAMES, KEYSPACE = 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80
# Flags of a result's metadata.
GLOBAL_SPEC, HAS_MORE, NO_METADATA = 1, 2, 4
# Kinds of RESULT.
VOID, ROWS, SET_KEYSPACE, PREPARED, SCHEMA_CHANGE = 1, 2, 3, 4, 5

SERVER_ERROR, PROTOCOL_ERROR, SYNTAX_ERROR, UNAUTHORIZED, INVALID, CONFIG_ERROR, ALREADY_EXISTS, UNPREPARED = (
    0x0000, 0x000A, 0x2000, 0x2100, 0x2200, 0x2300, 0x2400, 0x2500)


class Refused(Exception):
    """What ScyllaDB says no to: becomes an ERROR, after which the connection may be closed."""

    def __init__(self, code: int, text: str, more: bytes = b"", *, close: bool = False) -> None:
        super().__init__(text)
        self.code, self.text, self.more, self.close = code, text, more, close

    def body(self) -> bytes:
        return struct.pack(">i", self.code) + string(self.text) + self.more


# --- writing ---------------------------------------------------------------------------------------------------------

def string(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def short_bytes(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def long_string(text: str | bytes) -> bytes:
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">i", len(data)) + data


def value(data: bytes | int | None) -> bytes:
    """A [value]: bytes, None for null, or a bare negative length as it came (-2 is unset)."""
    if data is None:
        return b"\xff\xff\xff\xff"
    if isinstance(data, int):
        return struct.pack(">i", data)
    return struct.pack(">i", len(data)) + data


def string_multimap(items: dict[str, list[str]]) -> bytes:
    return struct.pack(">H", len(items)) + b"".join(
        string(k) + struct.pack(">H", len(v)) + b"".join(map(string, v)) for k, v in items.items())


def frame(version: int, flags: int, stream: int, opcode: int, body: bytes) -> bytes:
    return struct.pack(">BBhBi", version, flags, stream, opcode, len(body)) + body


# --- reading ---------------------------------------------------------------------------------------------------------

class In:
    """Reads a body from front to back. Past the end it refuses as ScyllaDB does."""

    __slots__ = ("data", "at")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def take(self, count: int) -> bytes:
        end = self.at + count
        if count < 0 or end > len(self.data):
            raise Refused(PROTOCOL_ERROR, f"truncated frame: expected {count} bytes, length is {len(self.data) - self.at}")
        got = self.data[self.at:end]
        self.at = end
        return got

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def i32(self) -> int:
        return int.from_bytes(self.take(4), "big", signed=True)

    def i64(self) -> int:
        return int.from_bytes(self.take(8), "big", signed=True)

    def string(self) -> str:
        return self.take(self.u16()).decode(errors="replace")

    def long_string(self) -> bytes:
        return self.take(self.i32())

    def short_bytes(self) -> bytes:
        return self.take(self.u16())

    def value(self) -> bytes | int | None:
        length = self.i32()
        if length >= 0:
            return self.take(length)
        if length < -2:
            raise Refused(PROTOCOL_ERROR, f"invalid value length: {length}")
        return None if length == -1 else length

    def rest(self) -> bytes:
        return self.data[self.at:]


# --- the part of QUERY and EXECUTE behind the statement ----------------------------------------------------------------

@dataclass
class Options:
    """Consistency, values, paging and timestamp of a request, taken apart and put together again."""

    consistency: int = 1
    flags: int = 0
    values: list[bytes | int | None] = field(default_factory=list)
    names: list[str] | None = None
    page_size: int | None = None
    paging_state: bytes | None = None
    serial: int | None = None
    timestamp: int | None = None

    @staticmethod
    def read(body: In) -> Options:
        out = Options(consistency=body.u16(), flags=body.u8())
        if out.consistency > 10:
            raise Refused(PROTOCOL_ERROR, f"Unknown code {out.consistency} for a consistency level")
        if out.flags & KEYSPACE:
            raise Refused(SERVER_ERROR, "Bit mask contains invalid enumeration indices.")
        if out.flags & VALUES:
            count = body.u16()
            if out.flags & NAMES:
                out.names = []
            for _ in range(count):
                if out.names is not None:
                    out.names.append(body.string())
                out.values.append(body.value())
        if out.flags & PAGE_SIZE:
            out.page_size = body.i32()
        if out.flags & PAGING_STATE:
            state = body.value()
            out.paging_state = state if isinstance(state, bytes) else b""
        if out.flags & SERIAL:
            out.serial = body.u16()
        if out.flags & TIMESTAMP:
            out.timestamp = body.i64()
            if out.timestamp == -(1 << 63):
                raise Refused(PROTOCOL_ERROR, "Out of bound timestamp, must be in [-9223372036854775807, "
                                              "9223372036854775807]")
        return out

    def write(self) -> bytes:
        flags = self.flags & SKIP_METADATA
        parts = []
        if self.values:
            flags |= VALUES | (NAMES if self.names else 0)
            parts.append(struct.pack(">H", len(self.values)))
            for i, each in enumerate(self.values):
                if self.names:
                    parts.append(string(self.names[i]))
                parts.append(value(each))
        if self.page_size is not None and self.page_size > 0:  # 0 means unpaged to ScyllaDB, an error to Cassandra
            flags |= PAGE_SIZE
            parts.append(struct.pack(">i", self.page_size))
        if self.paging_state is not None:
            flags |= PAGING_STATE
            parts.append(value(self.paging_state))
        if self.serial is not None:
            flags |= SERIAL
            parts.append(struct.pack(">H", self.serial))
        if self.timestamp is not None:
            flags |= TIMESTAMP
            parts.append(struct.pack(">q", self.timestamp))
        return struct.pack(">HB", self.consistency, flags) + b"".join(parts)

    def by_name(self, order: list[str]) -> list[bytes | int | None]:
        """The values in the order of the markers' names, or as they came when they carry none."""
        if self.names is None:
            return self.values
        given = dict(zip(self.names, self.values))
        return [given.get(name) for name in order]


# --- metadata --------------------------------------------------------------------------------------------------------

# What Cassandra sends as a class name because the client's version has no code for it; ScyllaDB always has one.
_NATIVE = {"SimpleDateType": 0x11, "TimeType": 0x12, "ShortType": 0x13, "ByteType": 0x14, "DurationType": 0x15}
NAMED_TYPES = {"ascii": 1, "bigint": 2, "blob": 3, "boolean": 4, "double": 7, "float": 8, "int": 9, "timestamp": 0xB,
               "uuid": 0xC, "text": 0xD, "inet": 0x10, "duration": 0x15}


def type_code(name: str) -> bytes:
    """The [option] of a type given by name, as far as system tables need it: `text`, `map<text,blob>`."""
    head, _, inner = name.partition("<")
    if not inner:
        return struct.pack(">H", NAMED_TYPES[head])
    parts = inner[:-1].split(",")
    return struct.pack(">H", {"list": 0x20, "map": 0x21, "set": 0x22}[head]) + b"".join(map(type_code, parts))


def read_type(body: In) -> bytes:
    """The [option] of a type, with ScyllaDB's native codes for those that Cassandra names by class."""
    code = body.u16()
    head = struct.pack(">H", code)
    if code == 0:
        name = body.string()
        native = _NATIVE.get(name.removeprefix("org.apache.cassandra.db.marshal."))
        return struct.pack(">H", native) if native else head + string(name)
    if code in (0x20, 0x22):
        return head + read_type(body)
    if code == 0x21:
        return head + read_type(body) + read_type(body)
    if code == 0x30:
        out = head + string(body.string()) + string(body.string())
        count = body.u16()
        return out + struct.pack(">H", count) + b"".join(string(body.string()) + read_type(body) for _ in range(count))
    if code == 0x31:
        count = body.u16()
        return head + struct.pack(">H", count) + b"".join(read_type(body) for _ in range(count))
    return head


@dataclass(frozen=True)
class Column:
    keyspace: str
    table: str
    name: str
    type: bytes

    def spec(self, with_table: bool) -> bytes:
        where = string(self.keyspace) + string(self.table) if with_table else b""
        return where + string(self.name) + self.type


def read_columns(body: In, count: int, is_global: int) -> list[Column]:
    where = (body.string(), body.string()) if is_global else None
    out = []
    for _ in range(count):
        keyspace, table = where or (body.string(), body.string())
        out.append(Column(keyspace, table, body.string(), read_type(body)))
    return out


@dataclass
class Rows:
    """A RESULT of kind Rows: metadata taken apart, rows as they came (`data` starts with their number)."""

    columns: list[Column] | None
    count: int
    paging_state: bytes | None
    data: bytes

    @staticmethod
    def read(message: bytes) -> Rows:
        body = In(message, 4)
        flags, count = body.i32(), body.i32()
        state = body.value() if flags & HAS_MORE else None
        columns = None if flags & NO_METADATA else read_columns(body, count, flags & GLOBAL_SPEC)
        return Rows(columns, count, state if isinstance(state, bytes) else None, body.rest())

    def decoded(self) -> list[list[bytes | None]]:
        body = In(self.data)
        return [[body.value() for _ in range(self.count)] for _ in range(body.i32())]

    def fill(self, rows: list[list[bytes | None]]) -> None:
        self.data = struct.pack(">i", len(rows)) + b"".join(value(cell) for row in rows for cell in row)

    def write(self, *, skip_metadata: bool = False) -> bytes:
        """Never with the global table spec: ScyllaDB repeats keyspace and table for each column."""
        columns = None if skip_metadata else self.columns
        flags = (HAS_MORE if self.paging_state is not None else 0) | (NO_METADATA if columns is None else 0)
        state = value(self.paging_state) if self.paging_state is not None else b""
        specs = b"".join(c.spec(True) for c in columns) if columns is not None else b""
        return struct.pack(">iii", ROWS, flags, self.count) + state + specs + self.data


@dataclass
class PreparedAnswer:
    """A RESULT of kind Prepared, as v4 has it."""

    id: bytes
    keys: list[int]
    binds: list[Column]
    result: list[Column] | None

    @staticmethod
    def read(message: bytes) -> PreparedAnswer:
        body = In(message, 4)
        id = body.short_bytes()
        flags, count = body.i32(), body.i32()
        keys = [body.u16() for _ in range(body.i32())]
        binds = read_columns(body, count, flags & GLOBAL_SPEC)
        flags, count = body.i32(), body.i32()
        return PreparedAnswer(id, keys, binds, None if flags & NO_METADATA else read_columns(body, count, flags & GLOBAL_SPEC))

    def write(self, version: int, marked: bool) -> bytes:
        same = len({(c.keyspace, c.table) for c in self.binds}) == 1
        flags = (GLOBAL_SPEC if same else 0) | (0x80000000 if marked else 0)
        out = struct.pack(">i", PREPARED) + short_bytes(self.id) + struct.pack(">Ii", flags, len(self.binds))
        if version >= 4:
            out += struct.pack(">i", len(self.keys)) + b"".join(struct.pack(">H", k) for k in self.keys)
        if same:
            out += string(self.binds[0].keyspace) + string(self.binds[0].table)
        out += b"".join(c.spec(not same) for c in self.binds)
        if self.result is None:
            return out + struct.pack(">ii", NO_METADATA, 0)
        return out + struct.pack(">ii", 0, len(self.result)) + b"".join(c.spec(True) for c in self.result)


# --- values of system tables -------------------------------------------------------------------------------------------

def text_map(items: dict[str, str]) -> bytes:
    return struct.pack(">i", len(items)) + b"".join(value(k.encode()) + value(v.encode()) for k, v in items.items())


def read_text_map(data: bytes) -> dict[str, str]:
    body = In(data)
    return {body.long_string().decode(): body.long_string().decode() for _ in range(body.i32())}


# --- compression: what comes is read in full, what goes is literals only, which every decoder takes -------------------

def _lz4_unpack(body: bytes) -> bytes:
    if len(body) < 4:
        raise Refused(SERVER_ERROR, f"CQL frame truncated: expected to have at least 4 bytes, got {len(body)}", close=True)
    out, at, data = bytearray(), 4, body

    def length(n: int) -> int:
        nonlocal at
        more = 255 if n == 15 else 0
        while more == 255:
            more = data[at]
            n += more
            at += 1
        return n
    while at < len(data):
        token = data[at]
        at += 1
        n = length(token >> 4)
        out += data[at:at + n]
        at += n
        if at >= len(data):
            break
        back = data[at] | data[at + 1] << 8
        at += 2
        for _ in range(length(token & 15) + 4):
            out.append(out[-back])
    return bytes(out)


def _lz4_pack(body: bytes) -> bytes:
    n = len(body)
    head = bytes([min(n, 15) << 4])
    if n >= 15:
        more = n - 15
        head += b"\xff" * (more // 255) + bytes([more % 255])
    return struct.pack(">i", n) + head + body


def _snappy_unpack(body: bytes) -> bytes:
    out, at, shift, n = bytearray(), 0, 0, 0
    try:
        while True:
            n |= (body[at] & 127) << shift
            shift += 7
            at += 1
            if not body[at - 1] & 128:
                break
        while at < len(body):
            tag, size = body[at], body[at] >> 2
            at += 1
            if tag & 3 == 0:
                if size >= 60:
                    wide = size - 59
                    size = int.from_bytes(body[at:at + wide], "little")
                    at += wide
                out += body[at:at + size + 1]
                at += size + 1
                continue
            if tag & 3 == 1:
                size, back = (size & 7) + 4, (tag >> 5) << 8 | body[at]
                at += 1
            else:
                wide = 2 if tag & 3 == 2 else 4
                size, back = size + 1, int.from_bytes(body[at:at + wide], "little")
                at += wide
            for _ in range(size):
                out.append(out[-back])
    except IndexError:
        n = -1
    if n != len(out):
        raise Refused(SERVER_ERROR, "CQL frame Snappy uncompressed size is unknown", close=True)
    return bytes(out)


def _snappy_pack(body: bytes) -> bytes:
    out, n = bytearray(), len(body)
    while True:
        out.append(n & 127 | (128 if n > 127 else 0))
        n >>= 7
        if not n:
            break
    for at in range(0, len(body), 65536):
        part = body[at:at + 65536]
        out += b"\xf4" + struct.pack("<H", len(part) - 1) + part
    return bytes(out)


Codec = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]
CODECS: dict[str, Codec] = {"lz4": (_lz4_pack, _lz4_unpack), "snappy": (_snappy_pack, _snappy_unpack)}
