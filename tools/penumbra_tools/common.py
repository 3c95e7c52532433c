"""Directories, locks, errors and sockets, the same way for every tool."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path


class ToolError(Exception):
    """Something a user can act on. The text names the thing and the remedy; no traceback is shown for it."""


def cache_dir() -> Path:
    """Outside the tree, so that a clean checkout does not download Cassandra again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penumbra"


def state_dir() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "penumbra"


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Waits until no other process holds `path`. The kernel releases it when the holder dies, however it dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


# --- who listens where -----------------------------------------------------------------------------------------------

def _listening_inodes(port: int) -> dict[str, str]:
    """Socket inode -> hexadecimal local address, of everything on this machine that listens on `port`."""
    found: dict[str, str] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                field = line.split()
                address, _, hex_port = field[1].rpartition(":")
                if field[3] == "0A" and int(hex_port, 16) == port:
                    found[field[9]] = address
    return found


def owner_of_port(address: str, port: int) -> str:
    """Names the process that listens on address:port, as well as /proc lets us see it."""
    packed = socket.inet_aton(address)[::-1].hex().upper()
    wanted = {inode for inode, local in _listening_inodes(port).items()
              if local == packed or set(local) == {"0"} or local.endswith(packed)}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            for fd in (entry / "fd").iterdir():
                with contextlib.suppress(OSError):
                    link = os.readlink(fd)
                    if link.startswith("socket:[") and link[8:-1] in wanted:
                        return f"process {entry.name} ({describe_process(int(entry.name))})"
    return "a process of another user" if wanted else "a socket that is about to close"


def describe_process(pid: int) -> str:
    try:
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "gone"
    words = [word.decode(errors="replace") for word in argv if word]
    if not words:
        return "unknown"
    for word in words:
        if word.startswith("-Dpenumbra.node="):
            return "a node of tools/cluster in " + word.split("=", 1)[1]
    text = " ".join([os.path.basename(words[0]), *words[1:]])
    return text if len(text) <= 80 else text[:77] + "..."


def require_free(address: str, port: int, what: str, remedy: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a connection in TIME_WAIT does not keep the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ToolError(f"{address}:{port}, needed for {what}, is taken by {owner_of_port(address, port)}: "
                                f"{remedy}") from None
            if error.errno == errno.EADDRNOTAVAIL:
                raise ToolError(f"{address} is not an address of this machine: choose one of 127.0.0.0/8, or add it "
                                f"to the loopback interface first") from None
            raise ToolError(f"cannot listen on {address}:{port} for {what}: {error.strerror}") from None


def free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def address_after(address: str, steps: int) -> str:
    """127.0.0.1 and 2 steps give 127.0.0.3."""
    try:
        number = int.from_bytes(socket.inet_aton(address), "big") + steps
    except OSError:
        raise ToolError(f"'{address}' is not an IPv4 address: give one such as 127.0.0.1") from None
    if not re.fullmatch(r"\d+\.\d+\.\d+\.\d+", address):
        raise ToolError(f"'{address}' is not an IPv4 address: give one such as 127.0.0.1")
    return socket.inet_ntoa(number.to_bytes(4, "big"))
