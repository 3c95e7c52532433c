"""The shim is what it says: the requests recorded on a real ScyllaDB 5.2.18, sent to it, get the recorded answers."""

from __future__ import annotations

import asyncio
import re
import sys
import tarfile
import uuid
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import support  # noqa: E402
from scylla_shim.expected import EXPECTED  # noqa: E402
from scylla_shim.replay import Step, replay  # noqa: E402
from scylla_shim.server import Manners, Shim  # noqa: E402
from support import CassandraCluster  # noqa: E402

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings" / "recordings.tar.xz"
RECORDED_AT = 1_795_344_604.0  # seconds: what was three days ahead then is so in the replay


def recording(scenario: str) -> list[str]:
    with tarfile.open(RECORDINGS) as archive:
        return archive.extractfile(f"scylla-5.2/{scenario}.jsonl").read().decode().splitlines()


async def _replayed(scenario: str, cluster: CassandraCluster) -> list[Step]:
    host, _, port = cluster.inside.rpartition(":")
    shim = Shim(Manners((host, int(port)), shard_aware_port=19042, shuffle=False, clock=lambda: RECORDED_AT))
    listening = await shim.listen("127.0.0.1", 0)
    try:
        return await replay(recording(scenario), "127.0.0.1", listening)
    finally:
        await shim.close()


@pytest.mark.parametrize("scenario", ["handshake", "connect", "prepared", "conditional", "errors"])
def test_it_answers_as_recorded(scenario: str, source: CassandraCluster) -> None:
    steps = asyncio.run(_replayed(scenario, source))
    assert len(steps) > 150
    rules = [(re.compile(rule), reason) for rule, reason in EXPECTED[scenario]]
    unexpected, used = [], set()
    # Whether a keyspace of an earlier run was there to be dropped says nothing.
    for step in (s for s in steps if s.differs and not s.cql.startswith("DROP KEYSPACE IF EXISTS")):
        line = f"{step.name} {step.cql} {step.note}"
        rule = next((r for r, _ in rules if r.search(line)), None)
        if rule is None:
            unexpected.append(f"{line}\n  recorded {step.recorded}\n  answered {step.answered}")
        used.add(rule)
    assert not unexpected, "\n".join(unexpected)
    assert not [rule.pattern for rule, _ in rules if rule not in used], "expected to differ, and did not"


def test_short_pages_empty_pages_and_any_order(source: CassandraCluster, keyspace: str) -> None:
    """The driver sees every row once, whatever the pages are."""
    with support.scylla_shim(source, support.SPARE_SHIM_ADDRESS, "--page-rows", "3", "--empty-pages", "2") as shown:
        session = support.connect(shown.contact_point)
        try:
            session.execute(f"CREATE KEYSPACE {keyspace} WITH replication = "
                            "{'class': 'SimpleStrategy', 'replication_factor': 1}", timeout=60)
            session.execute(f"CREATE TABLE {keyspace}.t (k int, c int, PRIMARY KEY (k, c))", timeout=60)
            insert = session.prepare(f"INSERT INTO {keyspace}.t (k, c) VALUES (?, ?)")
            for pending in [session.execute_async(insert, (n % 3, n)) for n in range(50)]:
                pending.result()
            select = session.prepare(f"SELECT c FROM {keyspace}.t")
            select.fetch_size = 10
            pages = []
            result = session.execute(select)
            while True:
                pages.append([row.c for row in result.current_rows])
                if not result.has_more_pages:
                    break
                result.fetch_next_page()
            assert sorted(c for page in pages for c in page) == list(range(50))
            assert max(map(len, pages)) == 3 and [] in pages[:-1]
        finally:
            session.cluster.shutdown()


def test_a_counter_shard_counts_once(source: CassandraCluster, keyspace: str) -> None:
    with support.scylla_shim(source, support.SPARE_SHIM_ADDRESS) as shown:
        session = support.connect(shown.contact_point)
        try:
            session.execute(f"CREATE KEYSPACE {keyspace} WITH replication = "
                            "{'class': 'SimpleStrategy', 'replication_factor': 1}", timeout=60)
            session.execute(f"CREATE TABLE {keyspace}.visits (id int PRIMARY KEY, n counter)", timeout=60)
            session.execute(f"UPDATE {keyspace}.visits SET n = n + 2 WHERE id = 1")
            add = session.prepare(f"UPDATE {keyspace}.visits SET n = SCYLLA_COUNTER_SHARD_LIST(?) WHERE id = ?")
            first, second = uuid.uuid4(), uuid.uuid4()
            for shard, value in ((first, 5), (first, 5), (second, -1)):
                session.execute(add, ([(ord("g"), shard, 1, value)], 1))
            assert session.execute(f"SELECT n FROM {keyspace}.visits WHERE id = 1").one().n == 2 + 5 - 1
        finally:
            session.cluster.shutdown()
