"""Fixtures. Clusters are shared by all tests of a run, keyspaces are each test's own.

PENUMBRA_BIN            the program under test (build/release/penumbra)
PENUMBRA_KEEP_CLUSTERS  if set, source and target stay up after the run; the next one finds them in a second

--source-kind scylla, --target-kind scylla    that cluster has the manners of ScyllaDB 5.2 (tests/scylla_shim); also as
                                              PENUMBRA_SOURCE_KIND, PENUMBRA_TARGET_KIND
"""

from __future__ import annotations

import logging
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cassandra.cluster import Session

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "demo"))

import support  # noqa: E402
from support import CassandraCluster, Penumbra  # noqa: E402

# What the driver logs, it also raises; its log would bury what a failed test has to say.
logging.getLogger("cassandra").setLevel(logging.CRITICAL)

_PROCESSES = pytest.StashKey[list[Penumbra]]()
_KINDS = ("cassandra", "scylla")


def pytest_addoption(parser: pytest.Parser) -> None:
    for side in ("source", "target"):
        parser.addoption(f"--{side}-kind", choices=_KINDS,
                         default=os.environ.get(f"PENUMBRA_{side.upper()}_KIND", "cassandra"),
                         help=f"what the {side} cluster is, or has the manners of")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cassandra_only(reason): says nothing about a cluster that is no Cassandra")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kinds = {config.getoption("--source-kind"), config.getoption("--target-kind")}
    for item in items:
        for mark in item.iter_markers("cassandra_only"):
            if kinds != {"cassandra"}:
                item.add_marker(pytest.mark.skip(reason=mark.args[0]))


def _shared(name: str, version: str, address: str, kind: str, shim_address: str) -> Iterator[CassandraCluster]:
    cluster = CassandraCluster.up(name, "--version", version, "--address", address)
    if kind == "scylla":
        with support.scylla_shim(cluster, shim_address) as shown:
            yield shown
    else:
        yield cluster
    if not support.keeps_clusters():
        cluster.down()


@pytest.fixture(scope="session")
def source(request: pytest.FixtureRequest) -> Iterator[CassandraCluster]:
    yield from _shared(support.SOURCE_NAME, "4.1", support.SOURCE_ADDRESS, request.config.getoption("--source-kind"),
                       support.SOURCE_SHIM_ADDRESS)


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> Iterator[CassandraCluster]:
    yield from _shared(support.TARGET_NAME, "5.0", support.TARGET_ADDRESS, request.config.getoption("--target-kind"),
                       support.TARGET_SHIM_ADDRESS)


@pytest.fixture
def connect() -> Iterator[Callable[..., Session]]:
    """connect(source), connect(penumbra) or connect("host:port", …): sessions of the stock driver, closed after."""
    sessions: list[Session] = []

    def made(where: CassandraCluster | Penumbra | str, **options: object) -> Session:
        contact_point = where if isinstance(where, str) else where.contact_point
        sessions.append(support.connect(contact_point, **options))
        return sessions[-1]
    yield made
    for session in sessions:
        session.cluster.shutdown()


@pytest.fixture
def keyspace(source: CassandraCluster, target: CassandraCluster, connect: Callable[..., Session]) -> Iterator[str]:
    """A name of this test's own; the keyspace is dropped at the end on both clusters, if it is there."""
    name = "t_" + uuid.uuid4().hex[:12]
    yield name
    for cluster in (source, target):
        connect(cluster).execute(f"DROP KEYSPACE IF EXISTS {name}", timeout=60)


@pytest.fixture
def both(source: CassandraCluster, target: CassandraCluster, keyspace: str,
         connect: Callable[..., Session]) -> tuple[Session, Session]:
    """Sessions of source and target, with the test's keyspace made on each."""
    sessions = (connect(source), connect(target))
    for session in sessions:
        session.execute(f"CREATE KEYSPACE {keyspace} WITH replication = "
                        f"{{'class': 'SimpleStrategy', 'replication_factor': 1}}", timeout=60)
        session.set_keyspace(keyspace)
    return sessions


@pytest.fixture
def penumbra(request: pytest.FixtureRequest, tmp_path: Path, source: CassandraCluster,
             target: CassandraCluster) -> Iterator[Callable[..., Penumbra]]:
    """penumbra("--phase", "shadow_async"): a running process between source and target. Stopped at the end, gracefully;
    its log is shown when the test fails."""
    made: list[Penumbra] = request.node.stash.setdefault(_PROCESSES, [])

    def start(*flags: str, start: bool = True, source: CassandraCluster = source, target: CassandraCluster = target,
              **options: object) -> Penumbra:
        process = Penumbra(tmp_path / f"penumbra{len(made)}", source.contact_point, target.contact_point, flags,
                           **options)
        made.append(process)
        return process.start() if start else process
    yield start
    for process in made:
        process.stop()


@pytest.fixture(scope="module")
def _shared_process(tmp_path_factory: pytest.TempPathFactory, source: CassandraCluster,
                    target: CassandraCluster) -> Iterator[Penumbra]:
    process = Penumbra(tmp_path_factory.mktemp("shared-penumbra"), source.contact_point, target.contact_point,
                       ("--phase", "shadow_sync"), address=support.SHARED_PENUMBRA_ADDRESS)
    process.start()
    yield process
    process.stop()


@pytest.fixture
def front(request: pytest.FixtureRequest, _shared_process: Penumbra) -> Penumbra:
    """One process for all tests of a file, with everything in shadow_sync: for tests that leave it as it was."""
    request.node.stash.setdefault(_PROCESSES, []).append(_shared_process)
    return _shared_process


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for process in item.stash.get(_PROCESSES, []):
            report.sections.append((f"log of penumbra, {process.log}", process.log_tail(120)))
