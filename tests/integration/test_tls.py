"""TLS on every leg, against clusters that want it: the source by a certificate of its own, the target by one of ours too.

Nothing here is mocked: certificates are made by openssl, the nodes are Cassandra's, and the client is the stock driver.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cassandra.cluster import NoHostAvailable, Session

import support
from authority import Authority, trusting
from support import CassandraCluster, Penumbra, binary, eventually

SOURCE_ADDRESS, TARGET_ADDRESS, ADDRESS, OTHER_ADDRESS = "127.0.31.1", "127.0.31.2", "127.0.31.9", "127.0.31.8"

pytestmark = pytest.mark.cassandra_only("the clusters of this file are its own")


@pytest.fixture(scope="module")
def clusters() -> Iterator[tuple[CassandraCluster, CassandraCluster]]:
    """Source and target. They start together: each waits for a JVM most of the time."""
    wanted = (("test-tls-source", "4.1", SOURCE_ADDRESS, "required"),
              ("test-tls-target", "5.0", TARGET_ADDRESS, "mutual"))
    with ThreadPoolExecutor() as pool:
        made = [pool.submit(CassandraCluster.up, name, "--version", version, "--address", address, "--tls", tls)
                for name, version, address, tls in wanted]
        source, target = (each.result() for each in made)
    yield source, target
    if not os.environ.get("PENUMBRA_KEEP_CLUSTERS"):
        source.down()
        target.down()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("tls") / "ours", "The applications' authority")
    made.issue("penumbra", f"IP:{ADDRESS},DNS:db.example")
    made.issue("app")
    return made


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("tls") / "strange", "A stranger")
    made.issue("app")
    return made


def cluster_flags(clusters: tuple[CassandraCluster, CassandraCluster]) -> tuple[str, ...]:
    source, target = clusters
    return ("--source-tls.ca", source.tls["ca"], "--target-tls.ca", target.tls["ca"],
            "--target-tls.cert", target.tls["cert"], "--target-tls.key", target.tls["key"])


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory, clusters: tuple[CassandraCluster, CassandraCluster],
            authority: Authority) -> Iterator[Penumbra]:
    """TLS on all three legs, with certificates of both sides where somebody can ask for them."""
    made = Penumbra(tmp_path_factory.mktemp("penumbra"), *(each.contact_point for each in clusters),
                    ("--phase", "shadow_sync", *cluster_flags(clusters),
                     "--listen-tls.cert", str(authority.home / "penumbra.pem"),
                     "--listen-tls.key", str(authority.home / "penumbra.key"),
                     "--listen-tls.client-ca", str(authority.ca), "--listen-tls.client-auth", "required"),
                    address=ADDRESS)
    made.start(60)
    yield made
    made.stop()


@pytest.fixture
def front(request: pytest.FixtureRequest, process: Penumbra) -> Penumbra:
    from conftest import _PROCESSES
    request.node.stash.setdefault(_PROCESSES, []).append(process)
    return process


def app(authority: Authority) -> tuple[Path, Path]:
    return authority.home / "app.pem", authority.home / "app.key"


Dial = Callable[..., Session]


@pytest.fixture
def dial(connect: Dial) -> Dial:
    """dial("host:port", context): the driver with TLS, verifying the address it connects to."""
    def made(contact_point: str, context: ssl.SSLContext) -> Session:
        host = contact_point.rpartition(":")[0]
        return connect(contact_point, ssl_context=context,
                       ssl_options={"server_hostname": host} if context.check_hostname else None)
    return made


def serial_shown(context: ssl.SSLContext) -> str:
    """Of the certificate that a new connection is shown."""
    with socket.create_connection((ADDRESS, 9042), 10) as plain, \
            context.wrap_socket(plain, server_hostname=ADDRESS) as secured:
        return secured.getpeercert()["serialNumber"]


def refused(home: Path, contact_points: tuple[str, str], *flags: str) -> str:
    """What `penumbra serve` says when it ends because of these settings."""
    command = [str(binary()), "serve", "--source", contact_points[0], "--target", contact_points[1], "--listen",
               f"{OTHER_ADDRESS}:9042", "--admin", f"{OTHER_ADDRESS}:8080", "--state", str(home / "state"), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    return done.stderr.strip().splitlines()[-1]


# --- what works ------------------------------------------------------------------------------------------------------

def test_all_three_legs(front: Penumbra, clusters: tuple[CassandraCluster, CassandraCluster], authority: Authority,
                        dial: Dial) -> None:
    session = dial(front.contact_point, trusting(authority.ca, app(authority)))
    keyspace = "t_" + uuid.uuid4().hex[:12]
    session.execute(f"CREATE KEYSPACE {keyspace} WITH replication = "
                    "{'class': 'SimpleStrategy', 'replication_factor': 1}", timeout=60)
    try:
        session.execute(f"CREATE TABLE {keyspace}.t (k int PRIMARY KEY, v text)", timeout=60)
        session.execute(f"INSERT INTO {keyspace}.t (k, v) VALUES (1, 'simple')")
        insert = session.prepare(f"INSERT INTO {keyspace}.t (k, v) VALUES (?, ?)")
        for pending in [session.execute_async(insert, (n, "x" * 20_000)) for n in range(2, 50)]:
            pending.result()  # longer than a TLS record
        select = session.prepare(f"SELECT v FROM {keyspace}.t WHERE k = ?")
        assert session.execute(select, (1,)).one().v == "simple"
        assert session.execute(select, (49,)).one().v == "x" * 20_000

        def rows(where: Session) -> list[Any]:
            return sorted(where.execute(f"SELECT k, v, writetime(v) FROM {keyspace}.t"))
        seen = []
        for each in clusters:
            pair = (each.tls["cert"], each.tls["key"])
            seen.append(rows(dial(each.contact_point, trusting(each.tls["ca"], pair))))
        assert len(seen[0]) == 49 and seen[0] == seen[1]
        assert rows(session) == seen[0]
        assert front.status()["journal"]["owed"] == 0
    finally:
        session.execute(f"DROP KEYSPACE {keyspace}", timeout=60)


def test_metrics_tell_when_certificates_expire(front: Penumbra, clusters: tuple[CassandraCluster, CassandraCluster],
                                               authority: Authority) -> None:
    _, text = front.http("GET", "/metrics")
    for leg, file in (("listen-tls", authority.home / "penumbra.pem"), ("target-tls", clusters[1].tls["cert"])):
        printed = subprocess.run(["openssl", "x509", "-in", str(file), "-noout", "-enddate"], capture_output=True,
                                 text=True, check=True).stdout.strip()
        expires = int(ssl.cert_time_to_seconds(printed.removeprefix("notAfter=")))
        assert f'penumbra_tls_certificate_not_after_seconds{{leg="{leg}"}} {expires}\n' in text
    assert 'leg="source-tls"' not in text  # we show it none


def test_rotation_while_a_client_runs(front: Penumbra, authority: Authority, dial: Dial) -> None:
    context = trusting(authority.ca, app(authority))
    session = dial(front.contact_point, context)
    first = serial_shown(context)
    authority.issue("penumbra", f"IP:{ADDRESS}")
    eventually(lambda: serial_shown(context) != first, "new connections see the new certificate by themselves", 15)
    second = serial_shown(context)
    authority.issue("penumbra", f"IP:{ADDRESS}")
    os.kill(front.pid, signal.SIGHUP)
    # Sooner than the look every five seconds.
    eventually(lambda: serial_shown(context) != second, "SIGHUP loads them at once", 4)
    # A pair that does not fit is refused, and what is in use stays.
    third = serial_shown(context)
    good = (authority.home / "penumbra.key").read_bytes()
    (authority.home / "penumbra.key").write_bytes((authority.home / "app.key").read_bytes())
    os.kill(front.pid, signal.SIGHUP)
    eventually(lambda: "cannot load certificates; new connections go on with those of before" in front.log.read_text(),
               "the error is logged")
    assert str(authority.home / "penumbra.key") in front.log.read_text()
    assert serial_shown(context) == third
    (authority.home / "penumbra.key").write_bytes(good)
    # The connection of before all this never noticed.
    assert session.execute("SELECT release_version FROM system.local").one()
    assert all(len(pool.get_connections()) == 1 and not pool.get_connections()[0].is_defunct
               for pool in session.get_pools())


# --- what does not, and what is said about it --------------------------------------------------------------------------

@pytest.mark.parametrize("who", ["nobody", "a stranger"])
def test_a_client_that_we_do_not_trust(front: Penumbra, authority: Authority, stranger: Authority, dial: Dial,
                                       who: str) -> None:
    said = {"nobody": "shows no client certificate, and --listen-tls.client-auth is required",
            "a stranger": f"is signed by nobody in {authority.ca}: put the CA that signed it into --listen-tls.client-ca"}

    def turned_away_and_told() -> bool:
        with pytest.raises(NoHostAvailable):
            dial(front.contact_point, trusting(authority.ca, app(stranger) if who == "a stranger" else None))
        return said[who] in front.log.read_text()
    eventually(turned_away_and_told, "the log says why; at most one such line a second")


def test_a_client_that_does_not_trust_us(front: Penumbra, authority: Authority, stranger: Authority,
                                         dial: Dial) -> None:
    with pytest.raises(NoHostAvailable, match="certificate verify failed"):
        dial(front.contact_point, trusting(stranger.ca, app(authority)))


def test_a_plain_client_at_the_tls_port(front: Penumbra) -> None:
    def turned_away_and_told() -> bool:
        with socket.create_connection((ADDRESS, 9042), 10) as plain:
            plain.sendall(b"\x04\x00\x00\x00\x05\x00\x00\x00\x00")  # OPTIONS
            assert plain.recv(100) == b""  # at once, not when some time is over
        return "does not speak TLS, and this port does not speak without" in front.log.read_text()
    eventually(turned_away_and_told, "the log says why; at most one such line a second")


def test_a_tls_client_at_a_plain_port(clusters: tuple[CassandraCluster, CassandraCluster], authority: Authority,
                                      tmp_path: Path, dial: Dial, connect: Dial) -> None:
    plain = Penumbra(tmp_path, *(each.contact_point for each in clusters), cluster_flags(clusters),
                     address=OTHER_ADDRESS)
    plain.start(60)
    try:
        with pytest.raises(NoHostAvailable, match="(?i)wrong.version.number"):
            dial(plain.contact_point, trusting(authority.ca))
        eventually(lambda: "wants TLS, and --listen speaks none: give --listen-tls.cert and --listen-tls.key"
                   in plain.log.read_text(), "the log says why")
        assert connect(plain).execute("SELECT release_version FROM system.local").one()
    finally:
        plain.stop()


def test_the_settings_of_a_cluster_that_are_wrong(clusters: tuple[CassandraCluster, CassandraCluster],
                                                  stranger: Authority, tmp_path: Path) -> None:
    source, target = clusters
    there = (source.contact_point, target.contact_point)
    assert refused(tmp_path, there).endswith(
        "if this port wants TLS, switch it on for this cluster (--source-tls.enabled, --target-tls.enabled)")
    assert refused(tmp_path, there, "--source-tls.ca", str(stranger.ca)).endswith(
        f"is signed by nobody in {stranger.ca}: put the CA that signed it into --source-tls.ca")
    missing = tmp_path / "nowhere.pem"
    said = refused(tmp_path, there, "--source-tls.ca", str(missing))
    assert "source-tls.ca" in said and str(missing) in said
    said = refused(tmp_path, there, "--source-tls.ca", source.tls["ca"], "--source-tls.server-name", "other.example")
    assert f"is for IP {SOURCE_ADDRESS}, DNS localhost, not for other.example" in said
    assert "--source-tls.server-name" in said and "--source-tls.verify ca" in said
    # The cluster that wants a certificate of ours: here as the primary, so that its error ends the start.
    said = refused(tmp_path, there, "--phase", "target_only", "--source-tls.ca", source.tls["ca"],
                   "--target-tls.ca", target.tls["ca"])
    assert "--target-tls.cert" in said and "--target-tls.key" in said
