"""A CQL client that sees every byte: protocol v3 and v4 frames and v5 segments, one request at a time.

No driver, since a driver decodes, retries, prepares again and hides what this test is about.
"""

from __future__ import annotations

import socket
import struct
import zlib
from dataclasses import dataclass

ERROR, STARTUP, READY, AUTHENTICATE, OPTIONS, SUPPORTED = 0x00, 0x01, 0x02, 0x03, 0x05, 0x06
QUERY, RESULT, PREPARE, EXECUTE, REGISTER, EVENT, BATCH = 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D
AUTH_RESPONSE, AUTH_SUCCESS = 0x0F, 0x10
COMPRESSED, TRACING, PAYLOAD, WARNING = 0x01, 0x02, 0x04, 0x08

SEGMENT_PAYLOAD = 131071


class Lost(Exception):
    """The connection ended, or what came is no protocol: no answer to compare."""


@dataclass(frozen=True)
class Frame:
    flags: int
    stream: int
    opcode: int
    body: bytes


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack(">H", len(raw)) + raw


def long_text(value: str) -> bytes:
    raw = value.encode("utf-8", "surrogatepass")
    return struct.pack(">i", len(raw)) + raw


def text_map(values: dict[str, str]) -> bytes:
    return struct.pack(">H", len(values)) + b"".join(text(key) + text(value) for key, value in values.items())


def crc24(data: bytes) -> int:
    crc = 0x875060
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1974F0B
    return crc


def crc32(payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(b"\xfa\x2d\x55\xca"))


class Connection:
    def __init__(self, address: str, version: int = 4, timeout: float = 90.0,
                 login: tuple[str, str] | None = None) -> None:
        host, _, port = address.rpartition(":")
        self.version = version
        self._segments = False
        self._raw = bytearray()      # as received
        self._envelopes = bytearray()  # v5: what the segments carried
        self._stream = 0
        self._events: list[Frame] = []
        try:
            self._socket = socket.create_connection((host, int(port)), timeout)
        except OSError as error:
            raise Lost(f"{address}: {error}") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._start(login)

    def _start(self, login: tuple[str, str] | None) -> None:
        answer = self.ask(STARTUP, text_map({"CQL_VERSION": "3.0.0"}))
        if answer.opcode in (READY, AUTHENTICATE):
            self._segments = self.version >= 5
        if answer.opcode == AUTHENTICATE and login:
            token = f"\0{login[0]}\0{login[1]}".encode()
            answer = self.ask(AUTH_RESPONSE, struct.pack(">i", len(token)) + token)
        if answer.opcode not in (READY, AUTH_SUCCESS):
            raise Lost(f"STARTUP in v{self.version} was answered with opcode {answer.opcode}: {answer.body[:200]!r}")

    def close(self) -> None:
        self._socket.close()

    # --- requests ---

    def ask(self, opcode: int, body: bytes, flags: int = 0) -> Frame:
        self.send(opcode, body, flags)
        return self.receive()

    def send(self, opcode: int, body: bytes, flags: int = 0) -> None:
        self._stream = (self._stream + 1) & 0x7FFF
        envelope = struct.pack(">BBhBi", self.version, flags, self._stream, opcode, len(body)) + body
        try:
            self._socket.sendall(self._segmented(envelope) if self._segments else envelope)
        except OSError as error:
            raise Lost(str(error)) from error

    def receive(self) -> Frame:
        """The answer to the last request; events that come in between are kept aside."""
        while True:
            frame = self._frame()
            if frame.opcode == EVENT:
                self._events.append(frame)
                continue
            if frame.stream not in (self._stream, 0):
                raise Lost(f"an answer on stream {frame.stream}, asked on {self._stream}")
            return frame

    # --- bytes ---

    @staticmethod
    def _segmented(envelope: bytes) -> bytes:
        whole = len(envelope) <= SEGMENT_PAYLOAD
        out = bytearray()
        for at in range(0, len(envelope), SEGMENT_PAYLOAD):
            payload = envelope[at:at + SEGMENT_PAYLOAD]
            header = (len(payload) | (1 << 17 if whole else 0)).to_bytes(3, "little")
            out += header + crc24(header).to_bytes(3, "little") + payload + crc32(payload).to_bytes(4, "little")
        return bytes(out)

    def _read(self) -> None:
        try:
            data = self._socket.recv(262144)
        except OSError as error:
            raise Lost(f"no answer: {error}") from error
        if not data:
            raise Lost("the connection was closed")
        self._raw += data

    def _need(self, count: int) -> None:
        while len(self._raw) < count:
            self._read()

    def _frame(self) -> Frame:
        source = self._raw
        if self._segments:
            source = self._envelopes
        while True:
            if len(source) >= 9:
                version, flags, stream, opcode, length = struct.unpack_from(">BBhBi", source)
                if not version & 0x80 or length < 0:
                    raise Lost(f"this is no response: {bytes(source[:16]).hex()}")
                if len(source) >= 9 + length:
                    body = bytes(source[9:9 + length])
                    del source[:9 + length]
                    return Frame(flags, stream, opcode, body)
            if self._segments:
                self._segment()
            else:
                self._read()

    def _segment(self) -> None:
        self._need(6)
        header = bytes(self._raw[:3])
        if crc24(header) != int.from_bytes(self._raw[3:6], "little"):
            raise Lost("the header of a segment has a wrong checksum")
        length = int.from_bytes(header, "little") & 0x1FFFF
        self._need(6 + length + 4)
        payload = bytes(self._raw[6:6 + length])
        if crc32(payload) != int.from_bytes(self._raw[6 + length:10 + length], "little"):
            raise Lost("a segment has a wrong checksum")
        del self._raw[:10 + length]
        self._envelopes += payload
