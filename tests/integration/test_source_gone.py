"""After the last tenant: everything is target_only, the source has been switched off, and nobody notices."""

from __future__ import annotations

import pytest

import support
from support import CassandraCluster, Penumbra, eventually

GONE = CassandraCluster("gone", "4.1", f"{support.SPARE_ADDRESS}:9042")
REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"


@pytest.fixture
def alone(penumbra) -> Penumbra:
    return penumbra("--phase", "target_only", "--cluster-name", "as it was", "--connect-timeout", "1s", source=GONE)


def test_schemas_change_and_are_told(alone, connect, target, keyspace) -> None:
    one, other, direct = connect(alone), connect(alone), connect(target)
    one.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {REPLICATION}", timeout=60)
    one.set_keyspace(keyspace)
    one.execute("CREATE TABLE t (k int PRIMARY KEY, v text)", timeout=60)
    one.execute(one.prepare("INSERT INTO t (k, v) VALUES (?, ?)"), (1, "x"))
    assert one.execute("SELECT v FROM t WHERE k = 1").one().v == "x"
    assert direct.execute(f"SELECT v FROM {keyspace}.t WHERE k = 1").one().v == "x"
    eventually(lambda: "t" in support.known_tables(other, keyspace), "another client is told of it")
    direct.execute(f"CREATE TABLE {keyspace}.past_us (k int PRIMARY KEY)", timeout=60)
    eventually(lambda: "past_us" in support.known_tables(other, keyspace), "and of what was made past us")
    report = alone.cli("schema", "report", "-o", "json")
    assert report["total"] == 0, "nothing was to be made on the source"


def test_only_the_target_counts(alone, connect, target) -> None:
    asked = "SELECT cql_version, native_protocol_version, release_version FROM system.local"
    assert connect(alone).execute(asked).one() == connect(target).execute(asked).one()
    assert connect(alone).execute("SELECT cluster_name FROM system.local").one().cluster_name == "as it was"
    assert connect(alone).cluster.protocol_version == connect(target).cluster.protocol_version
