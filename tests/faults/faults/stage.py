"""The two clusters, the fault proxies before them, and one Penumbra process per round."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import support
from support import CassandraCluster, Penumbra, eventually

from .client import now_micros
from .tcp import TcpProxy

SIDES = ("source", "target")


class HarnessError(Exception):
    """The stage itself does not stand: says nothing about Penumbra."""


@dataclass
class Side:
    """One cluster. Without `cluster` it is somebody else's: its nodes are left alone, only the way there is disturbed."""

    name: str
    contact_point: str
    proxy: TcpProxy
    cluster: CassandraCluster | None = None
    _pids: list[int] = field(default_factory=list)

    def pids(self) -> list[int]:
        if not self._pids and self.cluster:
            self._pids = [node["pid"] for node in self.cluster.status()["nodes"] if node["pid"]]
        return self._pids

    def signal(self, what: signal.Signals) -> None:
        for pid in self.pids():
            os.kill(pid, what)

    def kill(self) -> None:
        assert self.cluster
        self.cluster.do("kill")
        self._pids = []

    def restart(self) -> None:
        """A busy machine may need longer for it than tools/cluster waits; that says nothing about Penumbra."""
        assert self.cluster
        for attempt in range(3):
            try:
                self.cluster.do("restart")
                break
            except AssertionError as error:
                if attempt == 2:
                    raise HarnessError(str(error)) from None
        self._pids = []


class Tmpfs:
    """A small file system of its own, which can be full. Needs the right to mount."""

    def __init__(self, where: Path, megabytes: int) -> None:
        where.mkdir(parents=True, exist_ok=True)
        self.where, self._bytes = where, megabytes << 20
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(where)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise HarnessError(f"cannot mount a tmpfs: {done.stderr.strip()}")

    def fill(self) -> None:
        with open(self.where / "ballast", "wb", buffering=0) as out:
            try:
                while True:
                    out.write(bytes(4096))
            except OSError:
                pass

    def free(self) -> None:
        (self.where / "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        subprocess.run(["umount", str(self.where)], capture_output=True, check=True)


def may_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("mount") is not None


class ClockShift:
    """A wall clock of its own for one process."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        library, self._file = home / "clock_shift.so", home / "clock_shift"
        done = subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(Path(__file__).parents[1] / "clock_shift.c"), "-ldl"],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise HarnessError(f"cannot build clock_shift.c: {done.stderr.strip()}")
        self.set(0)
        self.environment = {"LD_PRELOAD": str(library), "PENUMBRA_CLOCK_SHIFT": str(self._file)}

    def set(self, micros: int) -> None:
        raw = micros.to_bytes(8, sys.byteorder, signed=True)
        with open(self._file, "r+b" if self._file.exists() else "wb") as file:   # in place: it is mapped
            file.write(raw)


class Process:
    """Penumbra, and when it was not there: only then may a request stay without an answer."""

    def __init__(self, home: Path, stage: Stage, flags: tuple[str, ...], clock: ClockShift | None = None) -> None:
        self.clock = clock
        self._penumbra = Penumbra(home, stage.sides["source"].proxy.listen, stage.sides["target"].proxy.listen, flags,
                                  address=stage.address, environment=clock.environment if clock else None)
        self._gone: list[list[int | None]] = []    # from, to
        self._lock = threading.Lock()
        self.largest = 0                            # most memory that any process of this round had, bytes

    @property
    def contact_point(self) -> str:
        return self._penumbra.contact_point

    @property
    def log(self) -> Path:
        return self._penumbra.log

    def start(self) -> None:
        self._penumbra.start(within=60)
        self._back()

    def stop(self) -> None:
        self._measure()
        self._away()
        self._penumbra.stop(within=60)

    def kill9(self) -> None:
        self._measure()
        self._away()
        self._penumbra.kill9()

    def tear(self, rng: random.Random) -> int:
        """What a write leaves that was under way when the process died: some of it, or what the disk had there before.
        Behind all that was written, since what is before it may have been acknowledged. How many files."""
        torn = 0
        for stream in sorted((self._penumbra.state / "journal").glob("stream-*")):
            segments = sorted(stream.glob("*.segment"))
            if not segments:
                continue
            try:
                with open(segments[-1], "r+b") as file:
                    size = file.seek(0, os.SEEK_END)
                    file.seek(0)
                    copy = file.read(1 << 16)
                    start = rng.randrange(len(copy))
                    tail = rng.choice((bytes(rng.randrange(1, 5000)), rng.randbytes(rng.randrange(1, 5000)),
                                       copy[start:start + rng.randrange(1, 5000)], copy[64:64 + rng.randrange(1, 48)]))
                    file.seek(size)
                    file.write(tail)
                    torn += 1
            except OSError:     # no room: nothing is torn there
                pass
        return torn

    def freeze(self) -> None:
        self._away()
        os.kill(self._penumbra.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._penumbra.pid, signal.SIGCONT)
        self._back()

    def running(self) -> bool:
        return self._penumbra.running()

    def excuses(self, began: int, ended: int) -> bool:
        with self._lock:
            return any(away <= ended and (back is None or back >= began) for away, back in self._gone)

    def _away(self) -> None:
        with self._lock:
            self._gone.append([now_micros(), None])

    def _back(self) -> None:
        with self._lock:
            if self._gone and self._gone[-1][1] is None:
                self._gone[-1][1] = now_micros()

    def _measure(self) -> None:
        if self.running():
            for line in Path(f"/proc/{self._penumbra.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self.largest = max(self.largest, int(line.split()[1]) * 1024)

    # --- asking it ---

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return self._penumbra.http(method, path, body)

    def must(self, method: str, path: str, body: Any = None) -> Any:
        status, told = self.ask(method, path, body)
        if status >= 400:
            raise HarnessError(f"{method} {path}: {status} {json.dumps(told)}")
        return told

    def job(self, migration: str, verb: str, within: float = 120.0, **body: Any) -> dict:
        job = self.must("POST", f"/v1/migrations/{migration}/{verb}", body)
        return eventually(lambda: (lambda seen: seen if seen["state"] != "running" else None)(
            self.must("GET", f"/v1/jobs/{job['id']}")), f"{verb} ends", within)


class Stage:
    def __init__(self, sides: dict[str, Side], address: str, home: Path) -> None:
        self.sides, self.address, self.home = sides, address, home
        self.sessions = {name: support.connect(side.contact_point) for name, side in sides.items()}

    def close(self) -> None:
        for session in self.sessions.values():
            session.cluster.shutdown()
        for side in self.sides.values():
            side.proxy.stop()

    def execute(self, side: str, text: str, within: float = 90.0) -> Any:
        """Directly on a cluster; the driver needs a moment to find a node that was restarted."""
        deadline = time.monotonic() + within
        while True:
            try:
                return self.sessions[side].execute(text, timeout=60)
            except Exception:  # noqa: BLE001  (whatever the driver says of a node that is just coming back)
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.3)


@contextlib.contextmanager
def made_stage(options: argparse.Namespace) -> Iterator[Stage]:
    """On clusters of our own, or on those that the options name."""
    parts = options.addresses.split(",")
    sides: dict[str, Side] = {}
    own: list[CassandraCluster] = []
    try:
        for name, version, prefix, given in (("source", "4.1", parts[0], options.source), ("target", "5.0", parts[1], options.target)):
            cluster = None
            if given is None:
                # What a node acknowledged is on its disk, so that killing it is a fault that the cluster itself survives.
                cluster = CassandraCluster.up(f"{options.names}-{name}", "--version", version, "--address", f"{prefix}.1",
                                              "--set", "auto_snapshot=false", "--set", "commitlog_sync=batch",
                                              "--set", "commitlog_sync_period=0ms")
                own.append(cluster)
            contact = given or cluster.contact_point
            sides[name] = Side(name, contact, TcpProxy(f"{prefix}.9:9042", contact).start(), cluster)
        with tempfile.TemporaryDirectory(prefix="penumbra-faults-") as home:
            stage = Stage(sides, f"{parts[2]}.9", Path(home))
            try:
                yield stage
            finally:
                stage.close()
    finally:
        if not options.keep:
            for cluster in own:
                cluster.down()
