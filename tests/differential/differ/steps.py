"""One request of the stream, independent of who is asked: plain data, so that a failure can be stored and run again.

A step is a dict:
    kind     query, prepare, execute, batch or raw
    text     of a query or prepare;  slot  the prepared statement's name within the lane
    values   list of hex strings, None (null) or "unset";  names  of the same length, for named values
    children of a batch: {text or slot, values};  type  0 logged, 1 unlogged, 2 counter
    opcode, body   of raw, in hex
and the options of the request: consistency, skip_metadata, page_size, serial, timestamp (a number or "now"), tracing,
payload, pages. What may differ in its answer: `loose`, {column index or "*": "any" | "near"}; `tables` it touches.
"""

from __future__ import annotations

import struct
import time
from typing import Any

from . import wire
from .schema import KEYSPACE
from .wire import long_text, text

Step = dict[str, Any]


class NotPrepared(Exception):
    """The step executes what this connection could not prepare: nothing is sent."""


def values_of(values: list[str | None], version: int, names: list[str] | None = None) -> bytes:
    out = struct.pack(">H", len(values))
    for number, value in enumerate(values):
        if names:
            out += text(names[number])
        if value is None:
            out += struct.pack(">i", -1)
        elif value == "unset":
            out += struct.pack(">i", -2)
        else:
            raw = bytes.fromhex(value)
            out += struct.pack(">i", len(raw)) + raw
    return out


def options_of(step: Step, version: int, paging_state: bytes | None, metadata_kept: bool) -> bytes:
    """From the consistency on, as QUERY and EXECUTE have it."""
    flags, tail = 0, b""
    if step.get("values") is not None:
        flags |= 0x01
        tail += values_of(step["values"], version, step.get("names"))
        if step.get("names"):
            flags |= 0x40
    if step.get("skip_metadata") and metadata_kept:
        flags |= 0x02
    if "page_size" in step:
        flags |= 0x04
        tail += struct.pack(">i", step["page_size"])
    if paging_state is not None:
        flags |= 0x08
        tail += struct.pack(">i", len(paging_state)) + paging_state
    return struct.pack(">H", step.get("consistency", 1)) + _with_tail(step, version, flags, tail)


def _with_tail(step: Step, version: int, flags: int, tail: bytes) -> bytes:
    if "serial" in step:
        flags |= 0x10
        tail += struct.pack(">H", step["serial"])
    if "timestamp" in step:
        flags |= 0x20
        tail += struct.pack(">q", step["timestamp"])
    if version >= 5:
        if "keyspace" in step:
            flags |= 0x80
            tail += text(step["keyspace"])
        if "now_in_seconds" in step:
            flags |= 0x100
            tail += struct.pack(">i", step["now_in_seconds"])
    return (struct.pack(">i", flags) if version >= 5 else struct.pack(">B", flags)) + tail


def resolved(step: Step) -> Step:
    """With what only the moment of sending knows; the same for all who are asked."""
    return {**step, "timestamp": time.time_ns() // 1000} if step.get("timestamp") == "now" else step


def encode(step: Step, version: int, ids: dict[str, Any], paging_state: bytes | None = None) -> tuple[int, bytes, int]:
    """Opcode, body and header flags. `ids` has what was prepared on this connection, by slot."""
    flags, prefix = 0, b""
    if step.get("tracing"):
        flags |= wire.TRACING
    if step.get("payload") and version >= 4:
        flags |= wire.PAYLOAD
        prefix = struct.pack(">H", 1) + text("custom") + struct.pack(">i", 3) + b"abc"
    kind = step["kind"]
    if kind == "raw":
        return step["opcode"], bytes.fromhex(step["body"]), flags
    if kind == "query":
        return wire.QUERY, prefix + long_text(step["text"]) + options_of(step, version, paging_state, True), flags
    if kind == "prepare":
        return wire.PREPARE, prefix + long_text(step["text"]) + (struct.pack(">i", 0) if version >= 5 else b""), flags
    if kind == "execute":
        prepared = _prepared(ids, step["slot"])
        body = struct.pack(">H", len(prepared.id)) + prepared.id
        if version >= 5:
            body += struct.pack(">H", len(prepared.metadata_id)) + prepared.metadata_id
        return wire.EXECUTE, prefix + body + options_of(step, version, paging_state, bool(prepared.columns)), flags
    body = struct.pack(">BH", step["type"], len(step["children"]))
    for child in step["children"]:
        if "slot" in child:
            prepared = _prepared(ids, child["slot"])
            body += b"\1" + struct.pack(">H", len(prepared.id)) + prepared.id
        else:
            body += b"\0" + long_text(child["text"])
        body += values_of(child.get("values") or [], version)
    body += struct.pack(">H", step.get("consistency", 1)) + _with_tail(step, version, 0, b"")
    return wire.BATCH, prefix + body, flags


def _prepared(ids: dict[str, Any], slot: str) -> Any:
    if slot not in ids:
        raise NotPrepared(slot)
    return ids[slot]


def mapped(data: bytes, keyspace: str) -> bytes:
    assert len(keyspace) == len(KEYSPACE)
    return data.replace(KEYSPACE.encode(), keyspace.encode())


def slots_used(step: Step) -> set[str]:
    used = {child["slot"] for child in step.get("children", ()) if "slot" in child}
    return used | ({step["slot"]} if step["kind"] == "execute" else set())
