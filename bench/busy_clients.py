"""Clients that misbehave at a proxy's cost: that do not read their answers, or send frames that never end."""
import socket

from idle_clients import HEADER, QUERY, IdleClients, query


class BusyClients(IdleClients):
    def ask_and_not_read(self, text: str, times: int) -> None:
        """So many requests each, as far as the proxy takes them; nobody looks at the answers."""
        self._send_what_fits(query(text) * times)

    def begin_frames(self, size: int, sent: int) -> None:
        """A QUERY of `size` bytes each, of which `sent` come at most, and then nothing."""
        self._send_what_fits(HEADER.pack(4, 0, 0, QUERY, size) + b"x" * sent)

    def send_whole_frames(self, size: int) -> None:
        """A frame of `size` bytes from each, to its end. Whatever is answered is read and dropped."""
        piece = b"x" * (1 << 20)
        for one in self.sockets:
            one.settimeout(30)
            one.sendall(HEADER.pack(4, 0, 0, QUERY, size))
            left = size
            while left > 0:
                left -= one.send(piece[:min(left, len(piece))])

    def _send_what_fits(self, data: bytes) -> None:
        for one in self.sockets:
            one.setblocking(False)
            try:
                one.send(data)
            except BlockingIOError:
                pass
