"""Users and permissions: an application logs in to the primary, through Penumbra, and is there what it would be without:
the same answers to a wrong password and to what it may not do, before a switch and after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cassandra import Unauthorized
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import NoHostAvailable

import support
from support import CassandraCluster

SUPERUSER = PlainTextAuthProvider("cassandra", "cassandra")
KEYSPACE = "logins"
FLAGS = ("--source-user", "cassandra", "--source-password", "cassandra",
         "--target-user", "cassandra", "--target-password", "cassandra")


def as_user(name: str, password: str) -> PlainTextAuthProvider:
    return PlainTextAuthProvider(name, password)


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[CassandraCluster, CassandraCluster]]:
    """Two clusters that check passwords and permissions; reader may read, writer may write too; on the target writer is
    called scribe."""
    clusters = []
    try:
        for name, version, address in ((f"{support.PREFIX}-auth-source", "4.1", f"{support.NET}.21"),
                                       (f"{support.PREFIX}-auth-target", "5.0", f"{support.NET}.22")):
            clusters.append(CassandraCluster.up(name, "--version", version, "--address", address, "--auth"))
        for cluster, writer in zip(clusters, ("writer", "scribe"), strict=True):
            session = support.connect(cluster.contact_point, auth_provider=SUPERUSER)
            for statement in (
                f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
                f"CREATE TABLE {KEYSPACE}.t (k int PRIMARY KEY, v text)",
                "CREATE ROLE reader WITH PASSWORD = 'r' AND LOGIN = true",
                f"CREATE ROLE {writer} WITH PASSWORD = 'w' AND LOGIN = true",
                f"GRANT SELECT ON KEYSPACE {KEYSPACE} TO reader",
                f"GRANT SELECT ON KEYSPACE {KEYSPACE} TO {writer}",
                f"GRANT MODIFY ON KEYSPACE {KEYSPACE} TO {writer}",
            ):
                session.execute(statement, timeout=60)
            session.cluster.shutdown()
        yield clusters[0], clusters[1]
    finally:
        for cluster in clusters:
            cluster.down()


@pytest.fixture
def logins(tmp_path: Path) -> Path:
    file = tmp_path / "logins.yaml"
    file.write_text("target:\n  writer: {username: scribe, password: w}\n")
    return file


def refusal(contact_point: str, name: str, password: str) -> str:
    with pytest.raises(NoHostAvailable) as refused:
        support.connect(contact_point, auth_provider=as_user(name, password))
    (error,) = refused.value.errors.values()
    return str(error).replace(contact_point, "HERE").replace(contact_point.split(":")[0], "HERE")


def unauthorized(contact_point: str, statement: str) -> str:
    session = support.connect(contact_point, auth_provider=as_user("reader", "r"))
    try:
        with pytest.raises(Unauthorized) as refused:
            session.execute(statement)
        return str(refused.value)
    finally:
        session.cluster.shutdown()


MAY_NOT = [
    f"INSERT INTO {KEYSPACE}.t (k, v) VALUES (1, 'no')",
    f"TRUNCATE {KEYSPACE}.t",
    f"ALTER TABLE {KEYSPACE}.t ADD more int",
    f"DROP TABLE {KEYSPACE}.t",
    "CREATE ROLE another",
]


@pytest.mark.parametrize("phase", ["shadow_sync", "target_primary"])
@pytest.mark.parametrize("kind", ["cassandra", "scylla"])
def test_a_user_is_what_it_is_on_the_primary(penumbra, guarded, logins, kind, phase) -> None:
    source, target = guarded
    if kind == "cassandra":
        _is_itself(penumbra, source, target, logins, phase)
        return
    with support.scylla_shim(target, support.SPARE_SHIM_ADDRESS) as shown:
        _is_itself(penumbra, source, shown, logins, phase)


def _is_itself(penumbra, source: CassandraCluster, target: CassandraCluster, logins: Path, phase: str) -> None:
    primary = source if phase == "shadow_sync" else target
    writer = "writer" if primary is source else "scribe"
    process = penumbra("--phase", phase, "--login-map", str(logins), *FLAGS, source=source, target=target)
    assert refusal(process.contact_point, "reader", "wrong") == refusal(primary.contact_point, "reader", "wrong")
    assert refusal(process.contact_point, "nobody", "x") == refusal(primary.contact_point, "nobody", "x")
    for statement in MAY_NOT:
        assert unauthorized(process.contact_point, statement) == unauthorized(primary.contact_point, statement)

    session = support.connect(process.contact_point, auth_provider=as_user(writer, "w"))
    insert = session.prepare(f"INSERT INTO {KEYSPACE}.t (k, v) VALUES (?, ?)")
    session.execute(insert, (7, phase))
    # What a user may not do it does not get done on connections that another's statements use.
    reader = support.connect(process.contact_point, auth_provider=as_user("reader", "r"))
    with pytest.raises(Unauthorized):
        reader.execute(insert, (7, "no"))
    assert reader.execute(f"SELECT v FROM {KEYSPACE}.t WHERE k = 7").one().v == phase
    for cluster in (source, target):      # The shadow has it too, written by the configured user.
        direct = support.connect(cluster.contact_point, auth_provider=SUPERUSER)
        assert direct.execute(f"SELECT v FROM {KEYSPACE}.t WHERE k = 7").one().v == phase
        direct.cluster.shutdown()
    for one in (session, reader):
        one.cluster.shutdown()


def test_writes_reach_the_shadow_as_the_client(penumbra, guarded, logins) -> None:
    source, target = guarded
    process = penumbra("--phase", "shadow_sync", "--shadow-login", "client", "--login-map", str(logins), *FLAGS,
                       source=source, target=target)
    session = support.connect(process.contact_point, auth_provider=as_user("writer", "w"))
    session.execute(f"INSERT INTO {KEYSPACE}.t (k, v) VALUES (8, 'scribe wrote it')")
    session.cluster.shutdown()
    direct = support.connect(target.contact_point, auth_provider=SUPERUSER)
    assert direct.execute(f"SELECT v FROM {KEYSPACE}.t WHERE k = 8").one().v == "scribe wrote it"
    direct.cluster.shutdown()


def test_a_wrong_password_of_ours_is_said(penumbra, guarded) -> None:
    source, target = guarded
    process = penumbra("--source-user", "cassandra", "--source-password", "wrong", "--start-timeout", "10s",
                       source=source, target=target, start=False)
    with pytest.raises(AssertionError) as ended:
        process.start()
    assert "Provided username cassandra and/or password are incorrect" in str(ended.value)
