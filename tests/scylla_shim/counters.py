"""SCYLLA_COUNTER_SHARD_LIST, before a server whose counter shards nobody can set: a shard becomes an increment by its
value, once for each id, and nothing when it comes again."""

from __future__ import annotations

import re

from .wire import INVALID, In, Refused

_FORM = re.compile(r'("(?:[^"]|"")+"|\w+)\s*=\s*SCYLLA_COUNTER_SHARD_LIST\s*\(\s*\?\s*\)', re.IGNORECASE)
# list<tuple<int, uuid, bigint, bigint>>
SHARD_LIST = bytes.fromhex("0020" "0031" "0004" "0009" "000c" "0002" "0002")
_LOCAL = ord("l")

Shard = tuple[str, int, bytes]  # statement, marker, id


def behind(text: str) -> tuple[str, list[int]]:
    """The text for Cassandra, and which of its markers are shards."""
    markers = [text.count("?", 0, found.start()) for found in _FORM.finditer(text)]
    return _FORM.sub(r"\1 = \1 + ?", text), markers


def increments(text: str, markers: list[int], values: list[bytes | int | None],
               known: set[Shard]) -> tuple[list[bytes | int | None], set[Shard]]:
    """The values for Cassandra, and the shards that are there when it has taken them."""
    values, fresh = list(values), set()
    for marker in markers:
        given = values[marker]
        if not isinstance(given, bytes):
            raise Refused(INVALID, "Invalid list literal for counter shards")
        read, total = In(given), 0
        for _ in range(read.i32()):
            fields = In(read.take(read.i32()))
            kind, shard, _clock, value = (fields.take(fields.i32()) for _ in range(4))
            if int.from_bytes(kind, "big") == _LOCAL:
                raise Refused(INVALID, "Encountered a local shard in a counter list")
            if (text, marker, shard) not in known:
                fresh.add((text, marker, shard))
                total += int.from_bytes(value, "big", signed=True)
        values[marker] = total.to_bytes(8, "big", signed=True)
    return values, fresh
