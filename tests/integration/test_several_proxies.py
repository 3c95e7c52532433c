"""Several proxies that stand for one cluster: what drivers see of them, what they tell of each other, one schema through all."""

from __future__ import annotations

import socket
import struct

import pytest
from cassandra.query import SimpleStatement

import support
from authority import Authority, trusting
from support import Penumbra, eventually

ONE, TWO = support.PENUMBRA_ADDRESS, support.PEER_PENUMBRA_ADDRESS


class Listener:
    """A bare CQL v4 connection that registered for STATUS_CHANGE, and keeps the events."""

    def __init__(self, contact_point: str) -> None:
        host, _, port = contact_point.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        for opcode, body in ((1, b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0"), (11, b"\x00\x01\x00\x0dSTATUS_CHANGE")):
            self._socket.sendall(struct.pack(">BBhBi", 4, 0, 1, opcode, len(body)) + body)
            assert self.next()[0] == 2

    def next(self) -> tuple[int, bytes]:
        head = self._exactly(9)
        return head[4], self._exactly(struct.unpack(">i", head[5:])[0])

    def event(self, within: float = 30.0) -> tuple[str, str]:
        """(UP or DOWN, address)"""
        self._socket.settimeout(within)
        opcode, body = self.next()
        assert opcode == 12 and body[2:15] == b"STATUS_CHANGE", (opcode, body)
        size = struct.unpack(">h", body[15:17])[0]
        return body[17:17 + size].decode(), socket.inet_ntoa(body[18 + size:22 + size])

    def close(self) -> None:
        self._socket.close()

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self._socket.recv(count - len(data))
            assert part, "closed"
            data += part
        return data


def test_two_proxies_find_each_other(penumbra, connect, source) -> None:
    one_address, two_address = support.PENUMBRA_ADDRESS, support.PEER_PENUMBRA_ADDRESS
    flags = ("--proxies", f"{one_address};rack=r1,{two_address};rack=r2")
    one: Penumbra = penumbra(*flags)
    two: Penumbra = penumbra(*flags, address=two_address)
    session = connect(one)
    rows = eventually(lambda: session.execute("SELECT peer, rack, host_id, tokens, schema_version FROM system.peers").all(),
                      "the first proxy shows the second")
    local = connect(two).execute("SELECT rpc_address, rack, host_id, tokens, schema_version FROM system.local").one()
    assert [tuple(row) for row in rows] == [tuple(local)]
    if not source.is_scylla:
        page = session.execute(SimpleStatement("SELECT peer, native_port FROM system.peers_v2", fetch_size=1)).all()
        assert page == [(two_address, 9042)]
    hosts = connect(one).cluster.metadata
    assert sorted(host.address for host in hosts.all_hosts()) == [two_address, one_address]
    assert len(hosts.token_map.ring) == 32

    events = Listener(one.contact_point)
    two.kill9()
    assert events.event() == ("DOWN", two_address)
    assert session.execute("SELECT count(*) FROM system.peers").one()[0] == 0
    two.start()
    assert events.event() == ("UP", two_address)
    assert session.execute("SELECT count(*) FROM system.peers").one()[0] == 1
    events.close()


def test_the_schema_agrees_through_all_of_them(penumbra, connect, source, keyspace) -> None:
    """As drivers and migration tools ask: one version in system.local and in every row of the peers, by any proxy."""
    tables = ("local", "peers") if source.is_scylla else ("local", "peers", "peers_v2")
    flags = ("--proxies", f"{ONE},{TWO}")
    processes: list[Penumbra] = [penumbra(*flags), penumbra(*flags, address=TWO)]
    sessions = [connect(process) for process in processes]
    for session in sessions:
        eventually(lambda session=session: session.execute("SELECT count(*) FROM system.peers").one()[0] == 1, "they know each other")

    def versions() -> set:
        return {row.schema_version for session in sessions for table in tables
                for row in session.execute(f"SELECT schema_version FROM system.{table}")}

    one, two = sessions
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    one.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {replication}", timeout=60)
    for i, (maker, user) in enumerate(((one, two), (two, one), (one, two))):
        before = maker.execute("SELECT schema_version FROM system.local").one()
        made = maker.execute_async(f"CREATE TABLE {keyspace}.t{i} (k int PRIMARY KEY, v text)")
        made.result()
        assert made.is_schema_agreed, "the driver polled system.local and system.peers of the proxy"
        assert maker.execute("SELECT schema_version FROM system.local").one() != before
        # The other proxy hears of it by an event. Until then a statement on the table has it look by itself.
        user.execute(f"INSERT INTO {keyspace}.t{i} (k, v) VALUES (1, 'x')")
        assert maker.execute(f"SELECT v FROM {keyspace}.t{i} WHERE k = 1").one().v == "x"
        eventually(lambda: len(versions()) == 1, "both tell one version")
        eventually(lambda user=user, i=i: f"t{i}" in support.known_tables(user, keyspace), "a client of the other one is told")
    assert two.cluster.control_connection.wait_for_schema_agreement()


@pytest.mark.parametrize("client_auth", ["none", "required"])
def test_proxies_that_speak_tls_find_each_other(penumbra, connect, tmp_path, client_auth) -> None:
    authority = Authority(tmp_path / "tls", "The applications' authority")
    authority.issue("penumbra", "DNS:db.example")
    app = authority.issue("app")
    flags = ("--proxies", f"{ONE},{TWO}", "--listen-tls.cert", str(authority.home / "penumbra.pem"),
             "--listen-tls.key", str(authority.home / "penumbra.key"),
             *(("--listen-tls.client-auth", client_auth, "--listen-tls.client-ca", str(authority.ca)) if client_auth != "none" else ()))
    one: Penumbra = penumbra(*flags)
    two: Penumbra = penumbra(*flags, address=TWO)
    context = trusting(authority.ca, app, names=False)
    session = connect(one, ssl_context=context)
    eventually(lambda: [row.peer for row in session.execute("SELECT peer FROM system.peers")] == [TWO], "the second is shown")
    # The driver may have been there first: UP of a proxy that it did not know has it read the peers again.
    eventually(lambda: len(session.cluster.metadata.token_map.ring) == 32, "the driver knows both")
    two.kill9()
    eventually(lambda: not session.execute("SELECT peer FROM system.peers").all(), "it is shown no more")
    assert "a proxy is down" in one.log_tail()


def test_a_proxy_that_cannot_be_asked_says_why(penumbra, tmp_path) -> None:
    authority, stranger = Authority(tmp_path / "ours", "Ours"), Authority(tmp_path / "theirs", "Theirs")
    authority.issue("penumbra", f"IP:{ONE}")
    tls = ("--listen-tls.cert", str(authority.home / "penumbra.pem"), "--listen-tls.key", str(authority.home / "penumbra.key"))
    penumbra("--proxies", f"{ONE},{TWO}", *tls)
    two: Penumbra = penumbra("--proxies", f"{ONE},{TWO}", "--proxies-tls.ca", str(stranger.ca), *tls, address=TWO)
    eventually(lambda: "put the CA that signed it into --proxies-tls.ca" in two.log_tail(), "the log names setting and remedy")
