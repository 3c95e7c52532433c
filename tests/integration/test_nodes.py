"""A source of three nodes: requests go to replicas, a node dies and comes back, the shadow dies and comes back.

Its clusters cost minutes to start: ./test --only nodes, not in the default suites."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import threading
import time
from collections.abc import Iterator

import pytest
from cassandra import ConsistencyLevel, ReadTimeout, WriteTimeout
from cassandra.cluster import Session
from cassandra.metadata import Murmur3Token
from cassandra.policies import HostStateListener
from cassandra.query import PreparedStatement

import support
import test_phases as phases
from load import Load
from support import CassandraCluster, eventually
from test_phases import made, tenants  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.timeout(600), pytest.mark.cassandra_only("it counts Cassandra's own nodes")]

VICTIM = 2


@pytest.fixture(scope="module")
def source() -> Iterator[CassandraCluster]:
    cluster = CassandraCluster.up(support.NODES_NAME, "--version", "5.0", "--nodes", "3", "--address", support.NODES_ADDRESS)
    yield cluster
    if not support.keeps_clusters():
        cluster.down()


def node_address(cluster: CassandraCluster, number: int) -> str:
    return next(node["address"] for node in cluster.status()["nodes"] if node["node"] == number)


def endpoints_by_token(cluster: CassandraCluster, keyspace: str) -> list[tuple[int, int, set[str]]]:
    """(after, up to, replicas) of each range, as the server itself counts them."""
    told = support.run_tool("nodetool", cluster.name, "describering", keyspace).stdout
    found = re.findall(r"TokenRange\(start_token:(-?\d+), end_token:(-?\d+), endpoints:\[([^\]]*)\]", told)
    assert found, told
    return [(int(start), int(end), set(nodes.split(", "))) for start, end, nodes in found]


def replicas_of(ranges: list[tuple[int, int, set[str]]], key: int) -> set[str]:
    token = Murmur3Token.from_key(key.to_bytes(4, "big", signed=True)).value
    holding = [nodes for start, end, nodes in ranges
               if (start < token <= end if start < end else token > start or token <= end)]
    assert len(holding) == 1, (token, holding)
    return holding[0]


def coordinator(session: Session, statement: PreparedStatement | str, values: tuple = ()) -> str:
    result = session.execute(statement, values or None, trace=True)
    return str(result.get_query_trace(max_wait_sec=30).coordinator)


def prepare(session: Session, text: str) -> PreparedStatement:
    statement = session.prepare(text)
    statement.consistency_level = ConsistencyLevel.ONE
    statement.is_idempotent = True
    return statement


def make_table(session: Session, keyspace: str, replication: str) -> tuple[PreparedStatement, PreparedStatement]:
    """A table there; its read and its write by key."""
    session.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {replication}", timeout=120)
    # With every read asked of all replicas, a coordinator never waits for one that died: what fails is ours to explain.
    session.execute(f"CREATE TABLE {keyspace}.k (id int PRIMARY KEY, v int) WITH speculative_retry = 'ALWAYS'", timeout=120)
    return (prepare(session, f"SELECT v FROM {keyspace}.k WHERE id = ?"),
            prepare(session, f"INSERT INTO {keyspace}.k (id, v) VALUES (?, ?)"))


def assert_requests_reach_replicas(session, source, keyspace, read, write) -> None:
    # Without a token nodes take turns: once each has coordinated, there are connections to all.
    nodes = {node["address"] for node in source.status()["nodes"]}
    seen: set[str] = set()
    eventually(lambda: seen.add(coordinator(session, f"SELECT id FROM {keyspace}.k")) or seen == nodes,
               f"requests without a key reach all of {nodes}", 60)
    ranges = endpoints_by_token(source, keyspace)
    for key in range(20):
        replicas = replicas_of(ranges, key)
        assert coordinator(session, write, (key, key)) in replicas, f"write of {key}"
        assert coordinator(session, read, (key,)) in replicas, f"read of {key}"


# --- replicas --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("replication", ["{'class': 'SimpleStrategy', 'replication_factor': 2}",
                                         "{'class': 'NetworkTopologyStrategy', 'datacenter1': 2}",
                                         "{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}"],
                         ids=["simple-2", "topology-2", "topology-1"])
def test_prepared_requests_are_coordinated_by_a_replica(penumbra, connect, source, keyspace, replication) -> None:
    session = connect(penumbra("--request-timeout", "1m"))
    read, write = make_table(session, keyspace, replication)
    assert_requests_reach_replicas(session, source, keyspace, read, write)


def test_three_nodes_with_the_manners_of_scylla(penumbra, connect, source, keyspace) -> None:
    """Each node behind a shim of its own, which shows the others at theirs."""
    nodes = sorted(node["address"] for node in source.status()["nodes"])
    shown = {node: f"{support.NET}.{41 + at}" for at, node in enumerate(nodes)}
    peers = [flag for node, address in shown.items() for flag in ("--peer", f"{node}={address}")]
    with contextlib.ExitStack() as stack:
        shims = [stack.enter_context(support.scylla_shim(
            dataclasses.replace(source, contact_point=f"{node}:9042"), address, "--shards", "2", "--shard-aware-port", "19042", *peers))
            for node, address in shown.items()]
        process = penumbra("--request-timeout", "1m", source=shims[0])
        session = connect(process)
        read, write = make_table(session, keyspace, "{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}")
        assert_requests_reach_replicas(session, source, keyspace, read, write)
        _, metrics = process.http("GET", "/metrics")
        assert 'penumbra_cluster_nodes{cluster="source"} 3' in metrics



# --- a node dies -----------------------------------------------------------------------------------------------------

class _Notices(HostStateListener):
    """What a driver is told about its contact points."""

    def __init__(self) -> None:
        self.down: list[str] = []

    def on_down(self, host: object) -> None:
        self.down.append(str(host))

    def on_up(self, host: object) -> None: ...

    def on_add(self, host: object) -> None: ...

    def on_remove(self, host: object) -> None: ...


class _Client(threading.Thread):
    """One request at a time, reads and writes in turns; remembers when each failed one began."""

    def __init__(self, number: int, session: Session, read: PreparedStatement, write: PreparedStatement) -> None:
        super().__init__(daemon=True, name=f"client {number}")
        self._number, self._session, self._read, self._write = number, session, read, write
        self.stopping = threading.Event()
        self.requests = 0
        self.failures: list[tuple[float, Exception]] = []

    def run(self) -> None:
        while not self.stopping.is_set():
            key, began = self._number * 1000 + self.requests % 50, time.monotonic()
            try:
                if self.requests % 2:
                    self._session.execute(self._read, (key,))
                else:
                    self._session.execute(self._write, (key, self.requests))
            except Exception as error:  # noqa: BLE001  (every failure is judged below)
                self.failures.append((began, error))
            self.requests += 1


def test_a_node_dies_under_load_and_comes_back(penumbra, connect, source, keyspace) -> None:
    process = penumbra("--shards", "1", "--request-timeout", "1m")
    session = connect(process)
    notices = _Notices()
    session.cluster.register_listener(notices)
    read, write = make_table(session, keyspace, "{'class': 'SimpleStrategy', 'replication_factor': 2}")
    ranges = endpoints_by_token(source, keyspace)
    victim = node_address(source, VICTIM)
    held = next(key for key in range(1000) if victim in replicas_of(ranges, key))
    eventually(lambda: coordinator(session, read, (held,)) == victim, f"{victim} coordinates", 60)

    clients = [_Client(number, session, read, write) for number in range(8)]

    def more(count: int) -> None:
        goals = [client.requests + count for client in clients]
        eventually(lambda: all(client.requests >= goal for client, goal in zip(clients, goals)),
                   f"each client makes {count} requests", 120)
    for client in clients:
        client.start()
    try:
        more(100)
        source.do("kill", "--node", str(VICTIM))
        died = time.monotonic()
        more(200)
        # The rule: a request may fail, as one whose outcome is unknown, only if it was in flight on the node that died.
        # A client has one in flight at a time: at most one failure each, of a request begun before the node was gone.
        for client in clients:
            assert len(client.failures) <= 1, client.failures
            for began, error in client.failures:
                assert isinstance(error, ReadTimeout | WriteTimeout), error
                assert began < died, error
        source.do("restart", "--node", str(VICTIM))
        failed = [len(client.failures) for client in clients]
        eventually(lambda: coordinator(session, read, (held,)) == victim, f"{victim} coordinates again", 120)
        more(100)
        assert [len(client.failures) for client in clients] == failed, [client.failures for client in clients]
    finally:
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join(90)
    assert not notices.down, "a client connection was lost"
    assert all(host.is_up for host in session.cluster.metadata.all_hosts())


# --- the shadow dies -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("phase", ["shadow_async", "shadow_sync"])
def test_the_shadow_dies_and_nobody_notices(penumbra, connect, both, made, tenants, source, target, phase) -> None:  # noqa: F811
    process = penumbra("--phase", phase)
    session = connect(process)
    notices = _Notices()
    session.cluster.register_listener(notices)
    tenant = tenants[0]
    with Load(session, made, [tenant], threads=4) as load:
        load.more(100)
        before = time.monotonic()
        with phases.missing(target, "kill", "restart"):
            gone = time.monotonic()
            load.more(200, within=120)
            assert process.status()["journal"]["owed"] > 0
        load.more(50)
    assert not load.errors, load.errors
    load.write_again_lost(before, gone)
    assert not notices.down, "a client connection was lost"
    process.settled(within=120)
    phases.assert_equal(process, source, target, made, tenant)
    assert not load.wrong_on(connect(source), tenant) and not load.wrong_on(connect(target), tenant)
