"""What an answer says, decoded to the last byte, and whether two of them say the same."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from . import wire

VOID, ROWS, SET_KEYSPACE, PREPARED, SCHEMA_CHANGE = 1, 2, 3, 4, 5
UNPREPARED = 0x2500
_GLOBAL, _MORE, _NO_METADATA, _CHANGED = 1, 2, 4, 8


class Malformed(Exception):
    """The answer does not follow the protocol."""


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise Malformed(f"{count} bytes wanted at {self.at} of {len(self.data)}")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, code: str) -> int:
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def short(self) -> int:
        return self.number(">H")

    def int(self) -> int:
        return self.number(">i")

    def text(self) -> str:
        return self.take(self.short()).decode("utf-8", "backslashreplace")

    def short_bytes(self) -> bytes:
        return self.take(self.short())

    def bytes(self) -> bytes | None:
        size = self.int()
        return None if size < 0 else self.take(size)

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)


@dataclass
class Answer:
    """`shown` is compared and printed; the rest is for going on."""

    shown: dict[str, Any]
    paging_state: bytes | None = None
    id: bytes = b""
    metadata_id: bytes = b""
    columns: list[tuple] | None = None       # of the result, for answers without metadata
    known: list[tuple] | None = None         # what the asker knew of them before
    no_metadata: bool = False
    rows: list[list[bytes | None]] = field(default_factory=list)

    @property
    def code(self) -> int | None:
        return self.shown.get("code")

    @property
    def is_error(self) -> bool:
        return "code" in self.shown

    @property
    def applied(self) -> bool:
        return not self.is_error


def _type(reader: Reader) -> Any:
    code = reader.short()
    if code == 0x00:
        return ["custom", reader.text()]
    if code in (0x20, 0x22):
        return [code, _type(reader)]
    if code == 0x21:
        return [code, _type(reader), _type(reader)]
    if code == 0x30:
        return ["udt", reader.text(), reader.text(), [[reader.text(), _type(reader)] for _ in range(reader.short())]]
    if code == 0x31:
        return ["tuple"] + [_type(reader) for _ in range(reader.short())]
    return code


def _columns(reader: Reader, flags: int, count: int) -> list[tuple]:
    table = (reader.text(), reader.text()) if flags & _GLOBAL else None
    columns = []
    for _ in range(count):
        where = table or (reader.text(), reader.text())
        columns.append((*where, reader.text(), _type(reader)))
    return columns


@dataclass
class _Metadata:
    flags: int
    count: int
    columns: list[tuple] | None
    paging_state: bytes | None
    changed_id: bytes | None


def _metadata(reader: Reader) -> _Metadata:
    flags, count = reader.int(), reader.int()
    paging_state = reader.bytes() if flags & _MORE else None
    changed = reader.short_bytes() if flags & _CHANGED else None
    columns = None if flags & _NO_METADATA else _columns(reader, flags, count)
    return _Metadata(flags, count, columns, paging_state, changed)


def decode(frame: wire.Frame, version: int, known: list[tuple] | None = None) -> Answer:
    """`known`: the columns that a prepared statement was announced with, for rows that come without."""
    reader = Reader(frame.body)
    shown: dict[str, Any] = {"opcode": frame.opcode}
    if frame.flags & wire.TRACING:
        reader.take(16)
        shown["traced"] = True
    if frame.flags & wire.WARNING:
        shown["warnings"] = [reader.text() for _ in range(reader.short())]
    if frame.flags & wire.PAYLOAD:
        shown["payload"] = {reader.text(): reader.bytes() for _ in range(reader.short())}
    answer = Answer(shown, known=known)
    if frame.opcode == wire.ERROR:
        shown["code"], shown["message"] = reader.int(), reader.text()
        if shown["code"] == UNPREPARED:
            answer.id = reader.short_bytes()
            shown["message"] = shown["message"].split(" with ID")[0]
        shown["more"] = reader.rest().hex()
    elif frame.opcode == wire.RESULT:
        _result(reader, answer, version, known)
    else:
        shown["body"] = reader.rest().hex()
    if reader.at != len(reader.data):
        shown["trailing"] = reader.rest().hex()
    return answer


def _result(reader: Reader, answer: Answer, version: int, known: list[tuple] | None) -> None:
    shown = answer.shown
    kind = reader.int()
    shown["kind"] = kind
    if kind == ROWS:
        metadata = _metadata(reader)
        answer.paging_state = metadata.paging_state
        answer.no_metadata = bool(metadata.flags & _NO_METADATA)
        answer.columns = metadata.columns
        if metadata.changed_id is not None:
            answer.metadata_id = metadata.changed_id
        shown.update(more_pages=bool(metadata.flags & _MORE), metadata_changed=metadata.changed_id is not None,
                     no_metadata=answer.no_metadata, columns=metadata.columns, column_count=metadata.count)
        if answer.no_metadata and known is not None and len(known) != metadata.count:
            # What a driver would make nonsense of: it has kept another number of columns than now come.
            shown["unreadable"] = f"{metadata.count} columns without metadata, {len(known)} were announced"
        answer.rows = [[reader.bytes() for _ in range(metadata.count)] for _ in range(reader.int())]
        shown["rows"] = answer.rows
    elif kind == SET_KEYSPACE:
        shown["keyspace"] = reader.text()
    elif kind == PREPARED:
        answer.id = reader.short_bytes()
        if version >= 5:
            answer.metadata_id = reader.short_bytes()
        flags, count = reader.int(), reader.int()
        key = [reader.short() for _ in range(reader.int())] if version >= 4 else []
        shown.update(key=key, markers=_columns(reader, flags, count))
        result = _metadata(reader)
        shown.update(result=result.columns, result_count=result.count)
        answer.columns = result.columns or []
    elif kind == SCHEMA_CHANGE:
        shown["change"] = [reader.text(), reader.text(), reader.rest().hex()]


# --- comparing -------------------------------------------------------------------------------------------------------

def differences(ours: Answer, theirs: Answer, loose: dict[str, str]) -> list[str]:
    """Where they differ, in words; nothing where they say the same. `ours` came through the proxy."""
    if loose.get("all"):
        return [] if _shape(ours) == _shape(theirs) else [f"shape: proxied {_shape(ours)} | direct {_shape(theirs)}"]
    found = []
    for name in sorted(ours.shown.keys() | theirs.shown.keys()):
        one, other = ours.shown.get(name), theirs.shown.get(name)
        if name == "rows" and loose:
            one, other = _blurred(one, loose), _blurred(other, loose)
            if one is not None and other is not None and _near(one, other, loose):
                continue
        if one != other:
            if name == "rows" and one is not None and other is not None:
                one, other = _only_here(one, other), _only_here(other, one)
            found.append(f"{name}: proxied {_text(one)} | direct {_text(other)}")
    return found


def _only_here(rows: list, others: list) -> list:
    """What there is to see of two long answers. All rows, where only their order differs."""
    return [row for row in rows if row not in others] or (rows if all(row in rows for row in others) else [])


def _shape(answer: Answer) -> list:
    shown = answer.shown
    return [shown.get(name) for name in ("opcode", "kind", "code", "columns", "warnings", "more_pages")] + [len(answer.rows)]


def _blurred(rows: list | None, loose: dict[str, str]) -> list | None:
    if rows is None:
        return None
    whole = loose.get("*")
    return [[cell if (how := loose.get(str(n), whole)) is None or cell is None or how == "near" else b"(any)"
             for n, cell in enumerate(row)] for row in rows]


def _near(ours: list, theirs: list, loose: dict[str, str]) -> bool:
    """Equal but for what is counted in seconds that passed."""
    if len(ours) != len(theirs):
        return False
    for one, other in zip(ours, theirs):
        for number, (a, b) in enumerate(zip(one, other)):
            if a == b:
                continue
            if loose.get(str(number)) != "near" or a is None or b is None or len(a) != 4 or len(b) != 4:
                return False
            if abs(struct.unpack(">i", a)[0] - struct.unpack(">i", b)[0]) > 30:
                return False
    return True


def _text(value: Any) -> str:
    def plain(part: Any) -> Any:
        if isinstance(part, bytes):
            return part.hex() or "(empty)"
        if isinstance(part, (list, tuple)):
            return [plain(one) for one in part]
        return part
    shown = str(plain(value))
    return shown if len(shown) <= 700 else shown[:500] + f"… ({len(shown)} characters) …" + shown[-150:]
