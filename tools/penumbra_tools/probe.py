"""A CQL client of two dozen lines: says whether a node really answers, without any driver installed.

An open port proves nothing: Cassandra listens before it can log anybody in, and a paused node still accepts.
"""

from __future__ import annotations

import socket
import ssl
import struct

_ERROR, _STARTUP, _READY, _AUTHENTICATE, _QUERY, _RESULT, _AUTH_RESPONSE, _AUTH_SUCCESS = (
    0x00, 0x01, 0x02, 0x03, 0x07, 0x08, 0x0F, 0x10)

_CONSISTENCY_ONE = 1


class NotReady(Exception):
    """Why the node cannot be used yet."""


class Probe:
    """One connection, one request at a time, protocol v4."""

    def __init__(self, address: str, port: int, timeout: float, tls: ssl.SSLContext | None = None) -> None:
        try:
            self._socket = socket.create_connection((address, port), timeout)
            if tls is not None:
                self._socket = tls.wrap_socket(self._socket)
        except OSError as error:
            raise NotReady(f"{address}:{port} does not accept connections ({error})") from None

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def start(self, user: str | None = None, password: str | None = None) -> None:
        """STARTUP to READY, with the login where the node asks for one."""
        opcode, body = self._ask(_STARTUP, struct.pack(">H", 1) + _string("CQL_VERSION") + _string("3.0.0"))
        if opcode == _READY:
            return
        if opcode != _AUTHENTICATE:
            raise NotReady(_refusal("STARTUP", opcode, body))
        if user is None:
            return  # It asks for a login: it answers, which is all that was asked.
        token = b"\0" + user.encode() + b"\0" + (password or "").encode()
        opcode, body = self._ask(_AUTH_RESPONSE, struct.pack(">i", len(token)) + token)
        if opcode != _AUTH_SUCCESS:
            raise NotReady(_refusal(f"the login of {user}", opcode, body))

    def query(self, text: str) -> None:
        encoded = text.encode()
        opcode, body = self._ask(_QUERY,
                                 struct.pack(">i", len(encoded)) + encoded + struct.pack(">HB", _CONSISTENCY_ONE, 0))
        if opcode != _RESULT:
            raise NotReady(_refusal(text, opcode, body))

    def _ask(self, opcode: int, body: bytes) -> tuple[int, bytes]:
        try:
            self._socket.sendall(struct.pack(">BBhBi", 4, 0, 0, opcode, len(body)) + body)
            _, _, _, answer, length = struct.unpack(">BBhBi", self._read(9))
            return answer, self._read(length)
        except OSError as error:
            raise NotReady(f"the connection gave no answer ({error})") from None

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise NotReady("the node closed the connection")
            data += part
        return data


def _string(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


def _refusal(what: str, opcode: int, body: bytes) -> str:
    if opcode != _ERROR:
        return f"{what} was answered with opcode {opcode:#x}"
    length = struct.unpack(">H", body[4:6])[0]
    return f"{what} was refused: {body[6:6 + length].decode(errors='replace')}"
