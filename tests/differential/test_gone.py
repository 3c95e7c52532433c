"""A cluster that ends during a run, which says nothing of the proxy. Servers of a few lines stand for the clusters."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

import main
from differ import wire
from differ.lane import Endpoint, Gone, Lane

_KEYSPACE = "df_abcdef_001d"


class Server:
    """Answers every request with a result without rows, and ends after `most` of them: as a process does, with all its
    connections and its port."""

    def __init__(self, most: int = 10**9) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._left, self._open = most, [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def end(self) -> None:
        with self._lock:
            for one in self._open:
                try:
                    one.shutdown(socket.SHUT_RDWR)   # Wakes whoever waits on it.
                except OSError:
                    pass
                one.close()
            self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if not self._open:
                    client.close()
                    return
                self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client.makefile("rb") as stream:
                while head := stream.read(9):
                    version, _, number, opcode, length = struct.unpack(">BBhBi", head)
                    stream.read(length)
                    started = opcode == wire.STARTUP
                    with self._lock:
                        self._left -= not started
                        spent = self._left < 0
                    if spent:
                        return self.end()
                    body = b"" if started else struct.pack(">i", 1)
                    client.sendall(struct.pack(">BBhBi", version | 0x80, 0, number, wire.READY if started else wire.RESULT, len(body)) + body)
        except OSError:
            return


@pytest.fixture
def proxy() -> Iterator[Server]:
    server = Server()
    yield server
    server.end()


def lane_of(proxy: Server, direct: Server) -> Lane:
    return Lane(Endpoint("proxy", proxy.address, _KEYSPACE, 4, None),
                {"source": Endpoint("direct source", direct.address, _KEYSPACE, 4, None)})


def test_a_judge_that_is_gone_is_no_difference(proxy: Server) -> None:
    lane = lane_of(proxy, Server(most=2))
    for text in ("one", "two"):
        assert lane.run({"kind": "query", "text": text}, "source") is None
    with pytest.raises(Gone, match="direct source at 127.0.0.1:.* is gone"):
        lane.run({"kind": "query", "text": "three"}, "source")
    assert lane.last_sent("direct source")[-1] == "{'kind': 'query', 'text': 'three'}   (not answered)"
    assert len(lane.last_sent("direct source")) == 3


def test_a_proxy_that_is_gone_is_known_as_such() -> None:
    direct = Server()
    with pytest.raises(Gone) as caught:
        lane_of(Server(most=0), direct).run({"kind": "query", "text": "one"}, "source")
    assert caught.value.is_proxy
    direct.end()


def test_an_answer_that_is_lost_is_a_difference_while_others_are_given(proxy: Server) -> None:
    lane = lane_of(proxy, proxy)
    assert lane.run({"kind": "query", "text": "one"}, "source") is None
    lane.direct["source"]._connection._socket.shutdown(socket.SHUT_RDWR)
    failure = lane.run({"kind": "query", "text": "two"}, "source")
    assert failure and "direct source" in failure.found[0]
    assert lane.run({"kind": "query", "text": "three"}, "source") is None


def test_the_run_ends_with_status_two_and_names_what_was_sent_last(proxy: Server, capsys: pytest.CaptureFixture[str]) -> None:
    direct = Server(most=300)
    status = main.main(["--proxy", proxy.address, "--direct", direct.address, "--seed", "3", "--statements", "2000"])
    told = capsys.readouterr().err
    assert status == 2
    assert f"direct source at {direct.address} is gone" in told and "Nothing more can be said of the proxy" in told
    lines = [line for line in told.splitlines() if line.startswith("  lane ")]
    assert {line.split(":")[0] for line in lines} == {f"  lane {number}" for number in range(4)}
    assert any(line.endswith("(not answered)") for line in lines)


def test_the_run_with_a_proxy_that_ends_fails(capsys: pytest.CaptureFixture[str]) -> None:
    direct, proxy = Server(), Server(most=300)
    status = main.main(["--proxy", proxy.address, "--direct", direct.address, "--seed", "3", "--statements", "2000"])
    assert status == 1 and f"proxy at {proxy.address} is gone" in capsys.readouterr().out
    direct.end()
