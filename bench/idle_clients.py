"""Clients that connect, ask a few things, and then stay idle: what they cost a proxy in memory."""
import select
import socket
import struct
from pathlib import Path

HEADER = struct.Struct(">BBhBi")
STARTUP, QUERY = 1, 7


def frame(opcode: int, body: bytes) -> bytes:
    return HEADER.pack(4, 0, 0, opcode, len(body)) + body


def startup() -> bytes:
    def text(value: str) -> bytes:
        return struct.pack(">H", len(value)) + value.encode()
    return frame(STARTUP, struct.pack(">H", 1) + text("CQL_VERSION") + text("3.0.0"))


def query(text: str) -> bytes:
    return frame(QUERY, struct.pack(">i", len(text)) + text.encode() + struct.pack(">HB", 1, 0))


def resident_mib(pid: int, what: str = "VmRSS") -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) / 1024
    return 0.0


class IdleClients:
    """`count` connections to one address, each after its STARTUP. Connects a few hundred at a time, so that nobody's
    backlog overflows."""

    AT_ONCE = 200

    def __init__(self, address: str, count: int) -> None:
        host, port = address.rsplit(":", 1)
        self.sockets: list[socket.socket] = []
        for done in range(0, count, self.AT_ONCE):
            fresh = [socket.create_connection((host, int(port)), timeout=30)
                     for _ in range(min(self.AT_ONCE, count - done))]
            self.sockets += fresh
            self.converse(fresh, startup(), 1)

    @staticmethod
    def converse(sockets: list[socket.socket], request: bytes, answers: int) -> None:
        """Sends the same to each of them, and reads so many answers from each."""
        left = {}
        poll = select.epoll()
        for one in sockets:
            one.sendall(request)
            left[one.fileno()] = [one, answers, b""]
            poll.register(one, select.EPOLLIN)
        while left:
            ready = poll.poll(30)
            if not ready:
                raise TimeoutError(f"{len(left)} idle clients wait for an answer")
            for fd, _ in ready:
                one, due, data = left[fd]
                got = one.recv(1 << 20)
                if not got:
                    raise ConnectionError("an idle client was turned away")
                data += got
                while len(data) >= HEADER.size and len(data) >= HEADER.size + HEADER.unpack_from(data)[4]:
                    data = data[HEADER.size + HEADER.unpack_from(data)[4]:]
                    due -= 1
                left[fd][1:] = [due, data]
                if due <= 0:
                    poll.unregister(fd)
                    del left[fd]

    def ask(self, text: str, times: int) -> None:
        """Each client asks so often at once, and has all its answers when this returns."""
        for done in range(0, len(self.sockets), self.AT_ONCE):
            self.converse(self.sockets[done:done + self.AT_ONCE], query(text) * times, times)

    def close(self) -> None:
        for one in self.sockets:
            one.close()
