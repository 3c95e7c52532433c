"""What the integration tests stand on: real clusters, a real penumbra process, and the stock driver.

Addresses, all their own so that tests and the demo (127.0.0.x) run side by side on one machine:
    127.0.21.1      the source, Cassandra 4.1          127.0.21.9   penumbra: CQL on 9042, admin on 8080
    127.0.21.2      the target, Cassandra 5.0          127.0.21.8   penumbra, shared by the tests of a file
    127.0.21.3, .4  source, target as a "ScyllaDB" (tests/scylla_shim in front of them), when the options say so
    127.0.21.31-33  the three nodes of test_nodes.py   127.0.21.11  and up: clusters that a test makes for itself
    127.0.31.1, .2  clusters that want TLS             127.0.31.8, .9  penumbra before them (test_tls.py)

PENUMBRA_TEST_NET=127.0.61 puts all of the first kind on 127.0.61.x, with cluster names of their own: two runs side by side.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import FallthroughRetryPolicy, WhiteListRoundRobinPolicy

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "cluster"

NET = os.environ.get("PENUMBRA_TEST_NET", "127.0.21")
PREFIX = "test" if NET == "127.0.21" else "test-" + NET.rpartition(".")[2]    # of the names of clusters

SOURCE_NAME, TARGET_NAME = f"{PREFIX}-source", f"{PREFIX}-target"
SOURCE_ADDRESS = f"{NET}.1"
TARGET_ADDRESS = f"{NET}.2"
SOURCE_SHIM_ADDRESS = f"{NET}.3"
TARGET_SHIM_ADDRESS = f"{NET}.4"
SPARE_SHIM_ADDRESS = f"{NET}.5"
PEER_PENUMBRA_ADDRESS = f"{NET}.7"
SHARED_PENUMBRA_ADDRESS = f"{NET}.8"
PENUMBRA_ADDRESS = f"{NET}.9"
SPARE_NAME, SPARE_ADDRESS = f"{PREFIX}-spare", f"{NET}.11"
NODES_NAME, NODES_ADDRESS = f"{PREFIX}-nodes", f"{NET}.31"


NEEDS_V5 = pytest.mark.cassandra_only("ScyllaDB speaks v4 at most")


def keeps_clusters() -> bool:
    return bool(os.environ.get("PENUMBRA_KEEP_CLUSTERS"))


def run_tool(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """tools/cluster, as a person would call it."""
    done = subprocess.run([TOOL, *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"tools/cluster {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    return done


@dataclass(frozen=True)
class CassandraCluster:
    """A running cluster of tools/cluster."""

    name: str
    version: str
    contact_point: str
    auth: dict | None = None
    tls: dict | None = None
    behind: str | None = None  # the Cassandra's own contact point, when contact_point is that of a "ScyllaDB" before it

    @property
    def is_scylla(self) -> bool:
        return self.behind is not None

    @property
    def inside(self) -> str:
        """Where every cell can be read with its time: a ScyllaDB 5.2 shows none within a collection."""
        return self.behind or self.contact_point

    @staticmethod
    def up(name: str, *arguments: str) -> CassandraCluster:
        told = json.loads(run_tool("up", name, *arguments, "-o", "json").stdout)
        return CassandraCluster(told["name"], told["version"], told["contact_point"], told["auth"], told["tls"])

    def status(self) -> dict:
        return json.loads(run_tool("status", self.name, "-o", "json").stdout)

    def do(self, verb: str, *arguments: str) -> None:
        """kill, restart, pause, resume, stop: `cluster.do("pause", "--node", "1")`."""
        run_tool(verb, self.name, *arguments)

    def down(self) -> None:
        run_tool("down", self.name)


@contextlib.contextmanager
def scylla_shim(cluster: CassandraCluster, address: str, *flags: str) -> Iterator[CassandraCluster]:
    """The cluster with the manners of ScyllaDB 5.2: two shards, short pages and empty ones, answers in any order."""
    chosen = flags or ("--shards", "2", "--shard-aware-port", "19042", "--page-rows", "97", "--empty-pages", "7")
    process = subprocess.Popen(
        [sys.executable, "-m", "scylla_shim", "--listen", f"{address}:9042", "--backend", cluster.inside, *chosen],
        cwd=ROOT / "tests", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if not process.stdout.readline().startswith("listening"):
            raise AssertionError(f"scylla_shim did not start on {address}")
        yield dataclasses.replace(cluster, contact_point=f"{address}:9042", behind=cluster.inside)
    finally:
        process.terminate()
        process.wait(10)


def connect(contact_point: str, *, timestamp_generator: Callable[[], int] | None = None,
            consistency: int = ConsistencyLevel.LOCAL_QUORUM, timeout: float = 30.0, **options: Any) -> Session:
    """The stock driver on one address. Nothing is retried: a failure must show."""
    host, _, port = contact_point.rpartition(":")
    profile = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy([host]), request_timeout=timeout,
                               retry_policy=FallthroughRetryPolicy(), consistency_level=consistency)
    if timestamp_generator is not None:
        options["timestamp_generator"] = timestamp_generator
    cluster = Cluster([host], port=int(port), execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                      connect_timeout=timeout, control_connection_timeout=timeout, **options)
    try:
        return cluster.connect()
    except BaseException:
        cluster.shutdown()
        raise


def eventually(condition: Callable[[], Any], what: str, within: float = 30.0) -> Any:
    """Waits until `condition` gives something true, and returns that. Says what it waited for, and what it last saw."""
    deadline = time.monotonic() + within
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:.0f} s: {what} (last seen: {seen!r})")
        time.sleep(0.05)


def known_tables(session: Session, keyspace: str) -> set[str]:
    """What this session's driver has heard of so far."""
    known = session.cluster.metadata.keyspaces.get(keyspace)
    return set(known.tables) if known else set()


# --- penumbra --------------------------------------------------------------------------------------------------------

class CommandFailed(AssertionError):
    """A verb of the command line ended with another status than 0."""

    def __init__(self, command: list[str], code: int, out: str, err: str) -> None:
        super().__init__(f"{' '.join(command)} ended with {code}\nstandard output:\n{out}\nstandard error:\n{err}")
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> dict:
        return json.loads(self.out)


def binary() -> Path:
    path = Path(os.environ.get("PENUMBRA_BIN") or ROOT / "build" / "release" / "penumbra")
    if not path.exists():
        raise AssertionError(f"{path} is not there: build it with tools/build release, or set PENUMBRA_BIN")
    return path


class Penumbra:
    """One `penumbra serve` process, its state directory and its log."""

    def __init__(self, home: Path, source: str, target: str, flags: tuple[str, ...] = (),
                 address: str = PENUMBRA_ADDRESS, environment: dict[str, str] | None = None) -> None:
        self.home = home
        self.state = home / "state"
        self.log = home / "penumbra.log"
        self.contact_point = f"{address}:9042"
        self.admin = f"{address}:8080"
        self.flags = flags
        self._source, self._target = source, target
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        home.mkdir(parents=True, exist_ok=True)

    @property
    def pid(self) -> int:
        assert self._process is not None, "penumbra was not started"
        return self._process.pid

    def serve_flags(self) -> list[str]:
        return ["--source", self._source, "--target", self._target, "--listen", self.contact_point,
                "--admin", self.admin, "--state", str(self.state), *self.flags]

    def start(self, within: float = 30.0) -> Penumbra:
        """Returns when the admin address answers; a process that ends before that fails the test, with what it said."""
        command = [str(binary()), "serve", *self.serve_flags()]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                             env={**os.environ, **self._environment})

        def ready() -> bool:
            if self._process.poll() is not None:
                raise AssertionError(f"{' '.join(command)}\nended with {self._process.returncode}:\n{self.log_tail()}")
            try:
                return self.http("GET", "/v1/status")[0] == 200
            except OSError:
                return False
        try:
            eventually(ready, f"penumbra answers GET /v1/status on {self.admin}", within)
        except AssertionError as error:
            self.kill9()
            raise AssertionError(f"{error}\npenumbra's log:\n{self.log_tail()}") from None
        return self

    def stop(self, within: float = 30.0) -> None:
        """SIGTERM; it must end by itself, and well."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"penumbra did not end within {within:.0f} s of SIGTERM:\n{self.log_tail()}") from None
        assert code == 0, f"penumbra ended with {code} after SIGTERM:\n{self.log_tail()}"

    def kill9(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> Penumbra:
        self.stop()
        return self.start()

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log_tail(self, lines: int = 60) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    # --- asking it ---

    def cli(self, *arguments: str, timeout: float = 240.0) -> Any:
        """A verb of the command line. With `-o json` what it printed, decoded; otherwise as text."""
        command = [str(binary()), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout,
                              env={**os.environ, "PENUMBRA_ADMIN": self.admin})
        if done.returncode != 0:
            raise CommandFailed(command, done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout) if "json" in arguments else done.stdout

    def http(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """(status, decoded body) of the admin API; also for a refusal. OSError when it does not answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.admin}{path}", data=data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, _decoded(response)
        except urllib.error.HTTPError as error:
            return error.code, _decoded(error)

    def status(self) -> dict:
        return self.cli("status", "-o", "json")

    def settled(self, within: float = 60.0) -> None:
        """Waits until nothing is owed to the shadow."""
        eventually(lambda: self.status()["journal"]["owed"] == 0, "the journal is drained", within)


def _decoded(response: Any) -> Any:
    text = response.read().decode()
    return json.loads(text) if "json" in response.headers.get("Content-Type", "") else text
