"""What the shadow refuses for good is set aside, and an operator gets it there all the same: on real servers, through the
command line."""

from __future__ import annotations

import json
import subprocess

import pytest

import support
from support import CommandFailed, Penumbra


def rows_of(session, keyspace: str) -> list[tuple]:
    return sorted(tuple(row) for row in session.execute(f"SELECT k, v, writetime(v) FROM {keyspace}.t"))


def offline(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(support.binary()), "journal", *arguments], capture_output=True, text=True, timeout=60)


def set_aside(process: Penumbra) -> list[dict]:
    return process.cli("set-aside", "list", "-o", "json")["set_aside"]


@pytest.fixture
def without_table(penumbra, both, keyspace, connect) -> Penumbra:
    """In shadow_async, with three rows whose table the target has not."""
    source, _ = both
    source.execute("CREATE TABLE t (k int PRIMARY KEY, v text)", timeout=60)
    # An order whose table the shadow lacks waits for a schema change that may be under way, then it is set aside.
    process = penumbra("--phase", "shadow_async", "--schema-timeout", "1s")
    client = connect(process)
    client.set_keyspace(keyspace)
    insert = client.prepare("INSERT INTO t (k, v) VALUES (?, ?)")
    client.execute(insert, (1, "it's"))
    client.execute(insert, (2, None))
    client.execute("UPDATE t SET v = 'drei' WHERE k = 3")
    support.eventually(lambda: len(set_aside(process)) == 3, "all three are set aside", within=120)
    return process


def test_retry_after_the_table_was_made(without_table: Penumbra, both, keyspace) -> None:
    process, (source, target) = without_table, both
    for one in set_aside(process):
        assert one["where"].startswith(f"{keyspace}.t k=") and one["cluster"] == "target" and one["migration"] is None
        assert "t" in one["reason"] and one["written_at"].startswith("20")
    # The CQL that it would have been, with its own write time; an order to read the row back where the shadow had
    # refused the text before it was owed.
    script = process.cli("set-aside", "export")
    assert script.count("-- entry") == 3
    for part in script.split("-- entry")[1:]:
        assert f"a resync of {keyspace}.t k=" in part or "USING TIMESTAMP" in part
    status = process.status()
    assert status["journal"]["set_aside"] == 3
    assert process.http("GET", "/v1/journal")[1]["clusters"][1]["set_aside"] == 3
    metrics = process.http("GET", "/metrics")[1]
    assert "penumbra_journal_set_aside 3" in (metrics if isinstance(metrics, str) else metrics.decode())

    target.execute("CREATE TABLE t (k int PRIMARY KEY, v text)", timeout=60)
    report = process.cli("set-aside", "retry", "-o", "json")
    assert len(report["done"]) == 3 and not report["failed"]
    process.settled()
    assert set_aside(process) == []
    # Equal, write times included (of row 2 there is nothing but its key).
    assert rows_of(source, keyspace) == rows_of(target, keyspace)
    assert len(rows_of(target, keyspace)) == 3


def test_survives_kill_9_resync_and_drop(without_table: Penumbra, both, keyspace) -> None:
    process, (source, target) = without_table, both
    before = [(one["entry"], one["reason"]) for one in set_aside(process)]
    process.kill9()
    # What the files of the dead process say, without changing them.
    state = str(process.state)
    looked = offline("status", "--state", state, "-o", "json")
    assert looked.returncode == 0, looked.stderr
    assert json.loads(looked.stdout)["migrations"][0]["set_aside"] == 3
    assert offline("verify", "--state", state).returncode == 0
    dumped = [json.loads(line) for line in offline("dump", "--state", state).stdout.splitlines()]
    assert [one["entry"] for one in dumped if one["state"] == "set_aside"] == [entry for entry, _ in before]
    process.restart()
    assert [(one["entry"], one["reason"]) for one in set_aside(process)] == before

    target.execute("CREATE TABLE t (k int PRIMARY KEY, v text)", timeout=60)
    first, second, third = (entry for entry, _ in before)
    with pytest.raises(CommandFailed):
        process.cli("set-aside", "drop", "--entry", str(third), "--confirm", "acme")
    process.cli("set-aside", "drop", "--entry", str(third), "--confirm", "all migrations", "--reason", "a test")
    report = process.cli("set-aside", "resync", "--entry", str(first), "--entry", str(second), "-o", "json")
    assert report["done"] == [first, second] and report["left"] == 0
    process.settled()
    assert rows_of(target, keyspace) == [row for row in rows_of(source, keyspace) if row[0] != 3]
    process.restart()
    assert set_aside(process) == [], "what was dropped stays dropped"


def test_replay_without_serving(without_table: Penumbra, both, keyspace) -> None:
    process, (source, target) = without_table, both
    target.execute("CREATE TABLE t (k int PRIMARY KEY, v text)", timeout=60)
    process.cli("set-aside", "retry")
    process.kill9()
    ran = subprocess.run([str(support.binary()), "journal", "replay", *process.serve_flags()], capture_output=True,
                         text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert "nothing is owed any more" in ran.stdout
    assert rows_of(source, keyspace) == rows_of(target, keyspace)
