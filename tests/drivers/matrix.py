"""What the matrix is made of: the drivers, the runs, and what comes of one run of one driver."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import venv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tools"))

from penumbra_tools.common import cache_dir, file_lock  # noqa: E402  (found beside us, not installed)

ALL = ("schema", "simple", "prepared", "batch", "lwt", "paging", "types", "errors", "evolution", "events", "extras", "restart")
WIRE = ("schema", "simple", "prepared", "batch", "lwt", "paging", "types", "extras")  # What a version or a codec could break.
MOVED = ("schema", "simple", "prepared", "batch", "lwt", "paging", "restart")
GUARDED = ("schema", "simple", "prepared", "batch", "paging", "errors", "events", "extras", "restart")
LOGIN = {"user": "cassandra", "password": "cassandra"}
SECURED = ("python", "java4", "gocql", "node")  # One of each stack: what logs in and encrypts is below what differs otherwise.
PROGRAM_TIMEOUT = 600.0
# Ids of prepared statements are the server's own, ours through the proxy; temporary names are never the same twice.
UNSTEADY = re.compile(r"\b[0-9a-f]{32}\b|/tmp/tmp\w+")


class MatrixError(Exception):
    """A toolchain or a program that failed; the text says how to look closer."""


# --- drivers ---------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Driver:
    """One driver and the program that uses it. `build(home)` runs once for a content of `sources`, in a directory outside the
    tree; the program is then started by `command(home)` with the run's options as its one argument."""

    name: str
    title: str
    version: str
    sources: tuple[str, ...]
    build: Callable[[Path], None]
    command: Callable[[Path], list[str]]
    protocols: tuple[int, ...] = (3, 4, 5)
    compressions: tuple[str, ...] = ()
    default: bool = True  # In the default suites; others by `--all` or by name.
    tool: str = "python3"

    def missing(self) -> str:
        """What this machine lacks to build it, or nothing. Debian's own go, node and cargo are too old for some of these drivers."""
        return "" if shutil.which(self.tool) else self.tool

    def prepared(self) -> Path:
        """The directory in which it was built. A changed source gets another one: nobody's running program is altered."""
        digest = hashlib.sha256(sys.version.encode())
        files = [file for source in self.sources for file in _files(HERE / source)]
        for file in files:
            digest.update(str(file.relative_to(HERE)).encode() + file.read_bytes())
        home = cache_dir() / "drivers" / f"{self.name}-{digest.hexdigest()[:12]}"
        with file_lock(home.with_suffix(".lock")):
            if not (home / "complete").exists():
                shutil.rmtree(home, ignore_errors=True)
                home.mkdir(parents=True)
                for source in self.sources:
                    if (HERE / source).is_dir():
                        shutil.copytree(HERE / source, home, dirs_exist_ok=True)
                    else:
                        shutil.copy(HERE / source, home)
                self.build(home)
                (home / "complete").touch()
        return home


def _files(path: Path) -> list[Path]:
    return sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]


def _do(home: Path, *command: str, **environment: str) -> None:
    done = subprocess.run(command, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})
    if done.returncode != 0:
        tail = "\n".join("    " + line for line in (done.stdout + done.stderr).strip().splitlines()[-25:])
        raise MatrixError(f"{' '.join(command)} in {home} ended with {done.returncode}:\n{tail}")


def _venv(requirements: str) -> Callable[[Path], None]:
    def build(home: Path) -> None:
        venv.create(home / "venv", with_pip=True)
        _do(home, "venv/bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "-r", requirements)
    return build


def _maven(home: Path) -> None:
    _do(home, "mvn", "--quiet", "--batch-mode", "package")


def _npm(home: Path) -> None:
    _do(home, "npm", "ci", "--silent", "--no-audit", "--no-fund")


def _go(home: Path) -> None:
    _do(home, "go", "build", "-o", "scenario", ".")


def _cargo(home: Path) -> None:
    shared = cache_dir() / "drivers" / "cargo"  # Kept between sources: dependencies are compiled once.
    with file_lock(shared.with_suffix(".lock")):
        _do(home, "cargo", "build", "--quiet", "--locked", CARGO_TARGET_DIR=str(shared))
        shutil.copy(shared / "debug" / "scenario", home / "scenario")


def _java(home: Path) -> list[str]:
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-cp", f"{home}/target/classes:{home}/target/lib/*", "Scenario"]


DRIVERS = [
    Driver("python", "Python cassandra-driver", "3.30.1", ("python/scenario.py", "python/requirements-cassandra.txt"),
           _venv("requirements-cassandra.txt"), lambda home: [f"{home}/venv/bin/python", f"{home}/scenario.py"],
           compressions=("lz4", "snappy")),
    Driver("scylla-python", "Python scylla-driver", "3.29.12", ("python/scenario.py", "python/requirements-scylla.txt"),
           _venv("requirements-scylla.txt"), lambda home: [f"{home}/venv/bin/python", f"{home}/scenario.py"],
           compressions=("lz4",)),
    Driver("cqlsh", "cqlsh", "6.2.2", ("cqlsh",), _venv("requirements.txt"),
           lambda home: [f"{home}/venv/bin/python", f"{home}/scenario.py"], protocols=()),
    Driver("java4", "Java driver 4", "4.19.2", ("java4",), _maven, _java, compressions=("lz4", "snappy"), tool="mvn", default=False),
    Driver("java3", "Java driver 3", "3.11.5", ("java3",), _maven, _java, compressions=("lz4",), tool="mvn", default=False),
    Driver("gocql", "Apache gocql", "2.1.2", ("gocql",), _go, lambda home: [f"{home}/scenario"],
           compressions=("lz4", "snappy"), tool="go", default=False),
    Driver("node", "Node.js cassandra-driver", "4.10.0", ("node",), _npm, lambda home: ["node", f"{home}/scenario.js"],
           protocols=(3, 4), tool="npm", default=False),
    Driver("rust", "Rust scylla", "1.9.0", ("rust",), _cargo, lambda home: [f"{home}/scenario"], protocols=(4,),
           compressions=("lz4", "snappy"), tool="cargo", default=False),
]


# --- runs ------------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Run:
    """One way to run a driver's program: twice, direct and through the proxy."""

    name: str
    about: str
    phase: str = "source_only"
    options: dict[str, Any] = field(default_factory=dict)  # For the program.
    groups: tuple[str, ...] = ALL
    drivers: tuple[str, ...] = ()                          # None named: all that can.
    moves: bool = False                                    # A migration takes the keyspace along while the program runs.
    secured: bool = False                                  # On clusters that want a password.
    tls: bool = False                                      # TLS on each leg; the clusters are the secured ones.

    def suits(self, driver: Driver) -> bool:
        protocol, compression = self.options.get("protocol"), self.options.get("compression")
        return ((not self.drivers or driver.name in self.drivers) and (protocol is None or protocol in driver.protocols)
                and (compression is None or compression in driver.compressions))


RUNS = [
    Run("plain", "the driver's own defaults, nothing is moved"),
    Run("v3", "protocol v3 asked for", options={"protocol": 3}, groups=WIRE),
    Run("v4", "protocol v4 asked for", options={"protocol": 4}, groups=WIRE),
    Run("v5", "protocol v5 asked for", options={"protocol": 5}, groups=WIRE),
    Run("lz4", "LZ4 asked for", options={"compression": "lz4"}, groups=WIRE),
    Run("snappy", "Snappy asked for", options={"compression": "snappy", "protocol": 4}, groups=WIRE),
    Run("shadow_sync", "each write goes to both clusters", phase="shadow_sync"),
    Run("target_primary", "the target answers, compared with a direct run on the target", phase="target_primary"),
    Run("moving", "shadow_sync becomes target_primary between two pages", moves=True, groups=MOVED,
        drivers=("python", "java4", "gocql")),
    Run("password", "clusters with passwords", secured=True, options=LOGIN, groups=GUARDED, drivers=SECURED),
    Run("wrong_password", "the server's own refusal", secured=True, options={**LOGIN, "password": "wrong"}, groups=(), drivers=SECURED),
    Run("no_password", "a login that is asked for and not given", secured=True, groups=(), drivers=SECURED),
    Run("tls", "TLS on each leg, and passwords; the proxy's certificate is verified by its authority and, except by Rust, its address", secured=True, tls=True,
        options=LOGIN, groups=GUARDED, drivers=(*SECURED, "cqlsh", "java3", "rust")),
]


def run_program(driver: Driver, options: dict[str, Any], asked: Callable[[str], None], log: Path) -> dict[str, Any]:
    """Runs the program to its end. Returns step -> outcome, with the address it was told replaced in every text."""
    home = driver.prepared()
    log.parent.mkdir(parents=True, exist_ok=True)
    steps: dict[str, Any] = {}
    with open(log, "w") as errors:
        process = subprocess.Popen([*driver.command(home), json.dumps(options)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=errors, text=True, cwd=home)
        watchdog = threading.Timer(PROGRAM_TIMEOUT, process.kill)  # A program that hangs is an outcome, too.
        watchdog.start()
        try:
            for line in process.stdout:
                if not line.startswith("{"):
                    errors.write(line)
                    continue
                told = json.loads(UNSTEADY.sub("ID", line.replace(options["host"], "ADDRESS")))
                if "ask" in told:
                    asked(told["ask"])
                    process.stdin.write("done\n")
                    process.stdin.flush()
                else:
                    steps[told["step"]] = told["outcome"]
        finally:
            watchdog.cancel()
            if sys.exc_info()[0] is not None:
                process.kill()
            process.stdin.close()
            code = process.wait()
    if code != 0:
        steps["exit"] = {"code": code, "message": log.read_text(errors="replace").splitlines()[-12:]}
    return steps


def differences(direct: Any, proxy: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """(path, direct, proxy) of each value that is not the same on both ways."""
    if isinstance(direct, dict) and isinstance(proxy, dict):
        return [found for key in {**direct, **proxy}
                for found in differences(direct.get(key), proxy.get(key), f"{path}.{key}" if path else str(key))]
    if isinstance(direct, list) and isinstance(proxy, list) and len(direct) == len(proxy):
        return [found for i, pair in enumerate(zip(direct, proxy, strict=True))
                for found in differences(*pair, f"{path}[{i}]")]
    return [] if direct == proxy and type(direct) is type(proxy) else [(path, direct, proxy)]
