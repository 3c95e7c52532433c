"""The tool itself: what it sends is what it says, it sees differences, it makes failures short. Needs no cluster."""

from __future__ import annotations

import json
import struct
from random import Random

import pytest

from differ import answers, known, steps, values, wire
from differ.answers import Answer
from differ.moving import keyspace_name
from differ.schema import KEYSPACE
from differ.shrink import relevant, shrink
from differ.stream import Stream


def taken(seed: int, count: int, version: int = 4) -> list[steps.Step]:
    stream = Stream(seed, version)
    made = stream.beginning() + [stream.next() for _ in range(count)]
    return made + stream.sweep()


def test_the_same_seed_gives_the_same_statements() -> None:
    assert taken(7, 500) == taken(7, 500)
    assert taken(7, 500) != taken(8, 500)


def test_steps_survive_being_stored() -> None:
    made = taken(3, 500)
    assert json.loads(json.dumps(made)) == made


@pytest.mark.parametrize("version", [3, 4, 5])
def test_every_step_can_be_sent(version: int) -> None:
    class Known(dict):
        def __missing__(self, slot: str) -> object:
            return type("Prepared", (), {"id": b"i" * 16, "metadata_id": b"m" * 16, "columns": []})

        def __contains__(self, slot: object) -> bool:
            return True
    kinds = set()
    for step in taken(1, 1500, version):
        opcode, body, flags = steps.encode(steps.resolved(step), version, Known())
        kinds.add(step["kind"])
        ours = steps.mapped(body, keyspace_name("abcdef", 1, "p"))
        theirs = steps.mapped(body, keyspace_name("abcdef", 1, "d"))
        assert len(ours) == len(theirs) == len(body)
    assert kinds == {"query", "prepare", "execute", "batch", "raw"}


def test_every_kind_of_statement_comes() -> None:
    texts = " ".join(step.get("text", "") for seed in range(20) for step in taken(seed, 800))
    for part in ("INSERT", " JSON ", "IF NOT EXISTS", "IF EXISTS", "UPDATE", "DELETE", "BEGIN BATCH", "BEGIN UNLOGGED BATCH",
                 "BEGIN COUNTER BATCH", "USING TTL", "TIMESTAMP", "GROUP BY", "ORDER BY", "PER PARTITION LIMIT", "LIMIT",
                 "ALLOW FILTERING", "CONTAINS KEY", "token(", "WRITETIME", "TTL(", "DISTINCT", "CAST(", "ALTER TABLE", "CREATE INDEX",
                 "TRUNCATE", "USE ", "now()", "uuid()", " IN (", "count(*)", "CREATE TYPE"):
        assert part in texts, part


def test_no_traced_write_meets_a_user_type_of_many_cells() -> None:
    seen = 0
    for seed in range(30):
        stream = Stream(seed, 4, without_changes=True)
        stream.beginning()
        ending = {table.name for table in stream.tables for column in table.columns if column.type.cql.startswith("udt")}
        for step in (stream.next() for _ in range(400)):
            if step.get("tracing"):
                seen += 1
                assert step.get("reads") or not ending.intersection(step.get("tables", ())), step
    assert seen > 50


# --- values ---

def test_vints_are_those_of_the_protocol() -> None:
    for number, shown in ((0, "00"), (127, "7f"), (128, "8080"), (16384, "c04000"), (2 ** 56, "ff0100000000000000")):
        assert values.unsigned_vint(number).hex() == shown
    assert [values.signed_vint(n).hex() for n in (0, -1, 1, -2)] == ["00", "01", "02", "03"]


def test_integers_are_as_short_as_they_can_be() -> None:
    assert [values.varint(n).hex() for n in (0, 127, 128, -128, -129)] == ["00", "7f", "0080", "80", "ff7f"]


def test_every_type_makes_values() -> None:
    rng = Random(1)
    maker = values.TypeMaker(rng, vectors=True)
    seen = set()
    for _ in range(5000):
        made = maker.any()
        seen.add(made.name)
        value = made.make(rng)
        assert isinstance(value.raw, bytes) and value.literal
        json.loads(value.json.replace("NaN", "0").replace("Infinity", "0"))
    assert {"list", "set", "map", "tuple", "vector", *values.SCALARS} <= seen


# --- the wire ---

def test_segments_carry_the_checksums_of_the_protocol() -> None:
    segment = wire.Connection._segmented(b"")
    assert segment == b""
    segment = wire.Connection._segmented(b"abc")
    header = (3 | 1 << 17).to_bytes(3, "little")
    assert segment[:3] == header and int.from_bytes(segment[3:6], "little") == wire.crc24(header)
    assert int.from_bytes(segment[-4:], "little") == wire.crc32(b"abc") and len(segment) == 3 + 3 + 3 + 4


def test_a_long_envelope_is_split() -> None:
    segments = wire.Connection._segmented(b"x" * (wire.SEGMENT_PAYLOAD + 1))
    assert len(segments) == wire.SEGMENT_PAYLOAD + 1 + 2 * 10
    assert not int.from_bytes(segments[:3], "little") >> 17 & 1


# --- answers ---

def rows_frame(cells: list[bytes | None], paging: bytes | None = None, metadata: bool = True) -> wire.Frame:
    flags = (1 if metadata else 4) | (2 if paging else 0)
    body = struct.pack(">iii", 2, flags, len(cells))
    if paging:
        body += struct.pack(">i", len(paging)) + paging
    if metadata:
        body += wire.text("k") + wire.text("t") + b"".join(wire.text(f"c{n}") + struct.pack(">H", 9) for n in range(len(cells)))
    body += struct.pack(">i", 1) + b"".join(values.sized(cell) for cell in cells)
    return wire.Frame(0, 1, wire.RESULT, body)


def test_equal_answers_are_equal_whatever_is_each_servers_own() -> None:
    one = answers.decode(rows_frame([b"\0\0\0\1", None], paging=b"mine"), 4)
    other = answers.decode(rows_frame([b"\0\0\0\1", None], paging=b"of another length"), 4)
    assert one.paging_state == b"mine" and not answers.differences(one, other, {})


def test_null_is_not_empty() -> None:
    one, other = (answers.decode(rows_frame([cell]), 4) for cell in (None, b""))
    assert answers.differences(one, other, {})


def test_times_that_pass_are_near_and_the_made_up_is_anything() -> None:
    one, other = (answers.decode(rows_frame([struct.pack(">i", n)]), 4) for n in (1000, 998))
    assert answers.differences(one, other, {}) and not answers.differences(one, other, {"0": "near"})
    one, other = (answers.decode(rows_frame([cell]), 4) for cell in (b"a", b"b"))
    assert answers.differences(one, other, {"0": "near"}) and not answers.differences(one, other, {"0": "any"})
    assert answers.differences(one, answers.decode(rows_frame([None]), 4), {"0": "any"})


def test_rows_that_a_driver_could_not_read_are_seen() -> None:
    ours = answers.decode(rows_frame([b"a", b"b"], metadata=False), 4, known=[("k", "t", "c0", 9)])
    assert "unreadable" in ours.shown


def test_bytes_that_are_left_over_are_seen() -> None:
    frame = wire.Frame(0, 1, wire.RESULT, struct.pack(">i", 1) + b"x")
    assert answers.decode(frame, 4).shown["trailing"] == "78"


def test_a_half_answer_is_malformed() -> None:
    with pytest.raises(answers.Malformed):
        answers.decode(wire.Frame(0, 1, wire.RESULT, rows_frame([b"abc"]).body[:-1]), 4)


def test_known_differences_explain_only_what_they_say() -> None:
    refused, result = Answer({"opcode": 0, "code": 0x2200, "message": "a"}), Answer({"opcode": 8, "kind": 1})
    assert known.reason({"kind": "execute"}, refused, result) is None
    assert known.reason({"kind": "query"}, result, refused) is None
    warned = Answer({"opcode": 8, "kind": 1, "warnings": ["`USE <keyspace>` with prepared statements is considered to be an anti-pattern …"]})
    assert known.reason({"kind": "prepare"}, warned, result) == "warning about USE"
    assert known.reason({"kind": "prepare"}, Answer({"opcode": 8, "kind": 1, "warnings": ["another"]}), result) is None
    old, new = [("k", "t", "c0", 9)], [("k", "t", "c0", 9), ("k", "t", "c1", 9)]
    read, rows = {"kind": "execute", "reads": True}, Answer({"opcode": 8, "kind": 2})
    of_cassandra = Answer({"opcode": 0, "code": 0x1200, "message": "Operation timed out - received only 0 responses."})
    of_ours = Answer({"opcode": 0, "code": 0x1200, "message": "the target cluster did not answer in time"})
    assert known.reason(read, of_cassandra, rows) == known.reason(read, rows, of_cassandra) == "Cassandra cannot read"
    assert known.reason(read, of_ours, rows) is None
    assert known.reason({"kind": "execute"}, of_cassandra, rows) is None
    ours, theirs = (answers.decode(rows_frame([b"a", b"b"], metadata=metadata), 4, known=columns)
                    for metadata, columns in ((True, old), (False, new)))
    assert known.reason({"kind": "execute"}, ours, theirs) == "columns said again"
    theirs.known = old   # It would make nonsense of the rows.
    assert known.reason({"kind": "execute"}, ours, theirs) is None
    assert all(entry.reason.endswith(".") and len(entry.reason) > 40 for entry in known.KNOWN)


# --- shrinking ---

def test_a_failure_becomes_as_short_as_it_can() -> None:
    sequence = [{"kind": "query", "text": f"s{n}"} for n in range(60)]
    needed = {"s3", "s41", "s59"}

    def fails(some: list[steps.Step]) -> bool:
        return needed <= {step["text"] for step in some}
    assert {step["text"] for step in shrink(sequence, fails)} == needed


def test_what_a_step_does_not_need_goes() -> None:
    last = {"kind": "query", "text": "x", "tracing": True, "page_size": 3}
    assert shrink([last], lambda some: "page_size" in some[-1]) == [{"kind": "query", "text": "x", "page_size": 3}]


def test_only_what_touches_the_table_is_relevant() -> None:
    made = [{"kind": "query", "text": f"CREATE KEYSPACE {KEYSPACE}", "ddl": True}, {"kind": "query", "text": "a", "tables": ["t1"]},
            {"kind": "query", "text": "b", "tables": ["t2"]}, {"kind": "query", "text": "c", "tables": ["t2"], "reads": True}]
    assert [step["text"] for step in relevant(made)] == [f"CREATE KEYSPACE {KEYSPACE}", "b", "c"]
