"""The fault proxy does what its modes say."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from faults.tcp import TcpProxy
from support import eventually


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Echo:
    """A server that answers each line and remembers it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.heard: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                peer = self._listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            while data := peer.recv(100):
                self.heard.append(data)
                peer.sendall(data.upper())
        except OSError:
            pass

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[TcpProxy]:
    made = TcpProxy(f"127.0.0.1:{free_port()}", echo.address).start()
    yield made
    made.stop()


def connected(proxy: TcpProxy) -> socket.socket:
    host, _, port = proxy.listen.rpartition(":")
    client = socket.create_connection((host, int(port)), 5)
    client.settimeout(0.3)
    return client


def asked(client: socket.socket, line: bytes) -> bytes | None:
    """The answer; nothing when none came in time."""
    client.sendall(line)
    try:
        return client.recv(100)
    except TimeoutError:
        return None


def ended(peer: Callable[[], socket.socket]) -> bool:
    """A reset may come while it is still connecting."""
    try:
        client = peer()
        client.settimeout(5)
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


def test_open(proxy: TcpProxy) -> None:
    assert asked(connected(proxy), b"one") == b"ONE"


def test_stalled_bytes_arrive_later(proxy: TcpProxy, echo: Echo) -> None:
    client = connected(proxy)
    assert asked(client, b"one") == b"ONE"
    proxy.set("stall")
    assert asked(client, b"two") is None
    assert echo.heard == [b"one"]
    proxy.set("open")
    client.settimeout(5)
    assert client.recv(100) == b"TWO"


@pytest.mark.parametrize(("mode", "arrives"), [("mute", True), ("deaf", False)])
def test_half_open(proxy: TcpProxy, echo: Echo, mode: str, arrives: bool) -> None:
    client = connected(proxy)
    assert asked(client, b"one") == b"ONE"
    proxy.set(mode)
    assert asked(client, b"two") is None
    if arrives:
        eventually(lambda: b"two" in echo.heard, "the request arrives", 5)
    else:
        assert b"two" not in echo.heard
    proxy.set("open")
    client.settimeout(5)
    with pytest.raises(ConnectionResetError):
        if client.recv(100) == b"":
            raise ConnectionResetError
    assert asked(connected(proxy), b"three") == b"THREE"


def test_cut(proxy: TcpProxy) -> None:
    client = connected(proxy)
    assert asked(client, b"one") == b"ONE"
    proxy.set("cut")
    assert ended(lambda: client)
    assert ended(lambda: connected(proxy))
    proxy.set("open")
    assert asked(connected(proxy), b"two") == b"TWO"
