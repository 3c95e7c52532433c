"""Past the journal's quota the shadow is owed ranges of tokens: no client notices, and only what was written is read back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest
from cassandra.metadata import Murmur3Token

import support
from support import Penumbra, eventually

pytestmark = pytest.mark.timeout(400)

ROWS = 3000
SLICES = 1024


def slice_of(key: int) -> int:
    """Of the even pieces that the ring is cut into: (start, end], from -2^63 on."""
    token = Murmur3Token.from_key(key.to_bytes(4, "big", signed=True)).value
    return (token + 2**63 - 1) * SLICES >> 64


def extra_key(wanted) -> int:
    """A key that the application has not, in a slice that is as wanted."""
    return next(key for key in range(-1, -1_000_000, -1) if wanted(slice_of(key)))


def orders_of(process: Penumbra, table: str) -> list[str]:
    """What is owed of a table, in the words of the files: the tokens or keys."""
    dumped = subprocess.run([str(support.binary()), "journal", "dump", "--state", str(process.state)],
                            capture_output=True, text=True, timeout=60)
    assert dumped.returncode == 0, dumped.stderr
    entries = [json.loads(line) for line in dumped.stdout.splitlines()]
    return [place["key"] for one in entries if one["kind"] == "resync" and one["state"] == "owed"
            for place in one["places"] if place["table"] == table]


def fill_journal(process: Penumbra, write: Callable[[], object]) -> None:
    def is_full() -> bool:
        write()
        journal = process.http("GET", "/v1/journal")[1]
        return journal["bytes"] >= journal["quota_bytes"]
    eventually(is_full, "the journal is past its quota", 90)


def contents(session, table: str) -> dict[int, tuple]:
    return {row.k: (row.v, row.at) for row in session.execute(f"SELECT k, v, writetime(v) AS at FROM {table}")}


def test_only_ranges_that_were_written_are_read_back(penumbra, both, keyspace, connect, target) -> None:
    for session in both:
        session.execute("CREATE TABLE t (k int PRIMARY KEY, v text)", timeout=60)
        session.execute("CREATE TABLE filler (k int PRIMARY KEY, v blob)", timeout=60)
    process = penumbra("--phase", "shadow_sync", "--journal.quota", "1MiB", "--shadow-timeout", "300ms",
                       "--start-timeout", "2s")
    client = connect(process)
    client.set_keyspace(keyspace)
    insert = client.prepare("INSERT INTO t (k, v) VALUES (?, ?)")
    for start in range(0, ROWS, 100):
        for each in [client.execute_async(insert, (key, f"row {key}")) for key in range(start, start + 100)]:
            each.result()
    process.settled()

    written = [7, 77, 777, 1777, 2777]
    dirty = {slice_of(key) for key in written}
    # What nobody wrote through Penumbra shows where it looks: it deletes it there, and there only.
    looked_at, passed_over = extra_key(lambda at: at in dirty), extra_key(lambda at: at not in dirty)
    for key in (looked_at, passed_over):
        both[1].execute("INSERT INTO t (k, v) VALUES (%s, 'nobody wrote this')", (key,))

    target.do("pause")
    try:
        fill = client.prepare("INSERT INTO filler (k, v) VALUES (1, ?)")
        fill_journal(process, lambda: client.execute(fill, (b"x" * 60_000,)))
        update = client.prepare("UPDATE t SET v = ? WHERE k = ?")
        for again in range(20):
            for key in written:
                client.execute(update, (f"changed {again}", key))
        client.execute(f"UPDATE {keyspace}.t SET v = 'changed' WHERE k = {written[0]}")
        orders = orders_of(process, f"{keyspace}.t")
        assert len(orders) == len(dirty) and all(key.startswith("tokens (") for key in orders), orders
        journal = process.http("GET", "/v1/journal")[1]
        assert journal["bytes"] < 1.5 * journal["quota_bytes"]
        # They are on disk: the next process owes them, and nobody waits for it either.
        process.kill9()
        process.start()
        assert process.status()["journal"]["owed"] >= len(dirty)
        client = connect(process)
        client.set_keyspace(keyspace)
        client.execute("UPDATE t SET v = 'changed since' WHERE k = 77")
    finally:
        target.do("resume")
    process.settled(within=120)

    replay = process.http("GET", "/v1/journal")[1]["clusters"][1]["replay"]
    in_dirty = sum(slice_of(key) in dirty for key in range(ROWS))
    assert in_dirty <= replay["rows_read"] < ROWS / 10, replay
    assert replay["set_aside"] == 0
    here, there = contents(both[0], "t"), contents(both[1], "t")
    assert here[7][0] == "changed" and here[77][0] == "changed since" and here[777][0] == "changed 19"
    assert there.pop(passed_over)[0] == "nobody wrote this"
    assert looked_at not in there
    assert there == here


def test_a_write_that_does_not_say_its_partition_owes_the_table(penumbra, both, keyspace, connect, target) -> None:
    for session in both:
        session.execute("CREATE TABLE t (k int PRIMARY KEY, v text)", timeout=60)
        session.execute("CREATE TABLE filler (k int PRIMARY KEY, v blob)", timeout=60)
    process = penumbra("--phase", "shadow_async", "--journal.quota", "1MiB", "--shadow-timeout", "300ms")
    client = connect(process)
    client.set_keyspace(keyspace)
    for key in range(50):
        client.execute("INSERT INTO t (k, v) VALUES (%s, 'old')", (key,))
    process.settled()
    target.do("pause")
    try:
        fill = client.prepare("INSERT INTO filler (k, v) VALUES (1, ?)")
        fill_journal(process, lambda: client.execute(fill, (b"x" * 60_000,)))
        client.execute("UPDATE t SET v = 'new' WHERE k = 3")
        client.execute("DELETE FROM t WHERE k IN (4, 5, 6)")
        client.execute("UPDATE t SET v = 'new' WHERE k = 7")
        # The slice's own is settled by then, which files do not say.
        orders = orders_of(process, f"{keyspace}.t")
        assert len(orders) == 2 and orders[0].startswith("tokens (") and orders[1] == "", "that for all rows stands for k = 7"
    finally:
        target.do("resume")
    process.settled(within=120)
    assert process.http("GET", "/v1/journal")[1]["clusters"][1]["replay"]["resyncs"] == 1, "of t, once for all"
    assert contents(both[1], "t") == contents(both[0], "t")
    assert len(contents(both[1], "t")) == 47
