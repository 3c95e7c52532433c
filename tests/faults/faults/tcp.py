"""A TCP proxy between Penumbra and one cluster that does what networks do to people.

Modes, from one moment to the next, for the connections there are and for new ones:
    open     bytes pass
    stall    nothing passes, nothing is closed; what was sent in the meantime arrives later
    mute     requests arrive, answers are lost: the connection is half open
    deaf     requests are lost, nothing comes back
    cut      all connections are reset and new ones refused
After mute and deaf the stream of bytes has a hole, so their connections are reset when the mode ends.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading

MODES = ("open", "stall", "mute", "deaf", "cut")


class TcpProxy:
    """Runs on a thread of its own. `listen` and `forward_to` are HOST:PORT."""

    def __init__(self, listen: str, forward_to: str) -> None:
        self.listen, self._to = listen, forward_to
        self._mode = "open"
        self._pairs: set[_Pair] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name=f"tcp {listen}")
        self._server: asyncio.AbstractServer | None = None

    def start(self) -> TcpProxy:
        self._thread.start()
        self._do(self._listen())
        return self

    def stop(self) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def set(self, mode: str) -> None:
        if mode not in MODES:
            raise ValueError(f"no mode '{mode}'; there are {', '.join(MODES)}")
        self._do(self._set(mode))

    def reset_some(self, every: int = 2) -> None:
        """Resets every second connection, as a firewall that forgets does."""
        self._do(self._reset(every))

    def connections(self) -> int:
        return len(self._pairs)

    # --- on the thread ---

    def _do(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    async def _listen(self) -> None:
        host, _, port = self.listen.rpartition(":")
        self._server = await asyncio.start_server(self._accepted, host, int(port))

    async def _stop(self) -> None:
        if self._server:
            self._server.close()
        for pair in list(self._pairs):
            pair.reset()

    async def _set(self, mode: str) -> None:
        was, self._mode = self._mode, mode
        if mode == "cut" or was in ("mute", "deaf"):
            for pair in list(self._pairs):
                pair.reset()
        for pair in self._pairs:
            pair.obey(mode)

    async def _reset(self, every: int) -> None:
        for number, pair in enumerate(list(self._pairs)):
            if number % every == 0:
                pair.reset()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode == "cut":
            _reset(writer)
            return
        host, _, port = self._to.rpartition(":")
        try:
            behind = await asyncio.open_connection(host, int(port))
        except OSError:
            _reset(writer)
            return
        pair = _Pair((reader, writer), behind)
        self._pairs.add(pair)
        pair.obey(self._mode)
        try:
            await pair.run()
        finally:
            self._pairs.discard(pair)


class _Pair:
    def __init__(self, client: tuple, server: tuple) -> None:
        self._client, self._server = client, server
        self._pass = [asyncio.Event(), asyncio.Event()]   # requests, answers: may go on
        self._drop = [False, False]
        self._tasks: list[asyncio.Task] = []

    def obey(self, mode: str) -> None:
        self._drop = [mode == "deaf", mode in ("mute", "deaf")]
        for event in self._pass:
            event.clear() if mode == "stall" else event.set()

    def reset(self) -> None:
        for _, writer in (self._client, self._server):
            _reset(writer)
        for task in self._tasks:
            task.cancel()

    async def run(self) -> None:
        self._tasks = [asyncio.ensure_future(self._pump(0, self._client[0], self._server[1])),
                       asyncio.ensure_future(self._pump(1, self._server[0], self._client[1]))]
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        self.reset()

    async def _pump(self, way: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._pass[way].wait()
                if not self._drop[way]:
                    writer.write(data)
                    await writer.drain()
        except (OSError, asyncio.CancelledError):
            pass


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
    writer.transport.abort()
