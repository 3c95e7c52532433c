"""The processes under measurement: two null servers, nginx before one of them, Penumbra before both; and the load."""
import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
NGINX_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"

PHASES = ["source_only", "shadow_async", "shadow_sync", "target_primary", "target_only"]
TENANTS = 1000  # in as many parts as there are phases


class CannotMeasure(Exception):
    pass


class Pinning:
    """Cores for the proxy under test, and for everything else."""

    def __init__(self) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self.proxy = cores[-1:] if len(cores) > 1 else []
        self.others = cores[:-1] if len(cores) > 1 else []

    def command(self, cores: list[int], command: list[str]) -> list[str]:
        if not cores or not shutil.which("taskset"):
            return command
        return ["taskset", "--cpu-list", ",".join(map(str, cores)), *command]

    def cores(self) -> list[int]:
        return [*self.proxy, *self.others]

    def __str__(self) -> str:
        if not self.proxy:
            return "one core for everything"
        return f"proxy on core {self.proxy[0]}, the rest on {','.join(map(str, self.others))}"


class Processes:
    """What was started here; ended in reverse order, by its id."""

    PRIORITY = 10  # of SCHED_FIFO, the same for all

    def __init__(self, pinning: Pinning, directory: Path) -> None:
        self.pinning = pinning
        self.directory = directory
        self.running: list[subprocess.Popen] = []
        self.named: dict[str, subprocess.Popen] = {}
        self.have_precedence = False

    def command(self, cores: list[int], command: list[str]) -> list[str]:
        pinned = self.pinning.command(cores, command)
        return ["chrt", "--fifo", str(self.PRIORITY), *pinned] if self.have_precedence else pinned

    @contextlib.contextmanager
    def precedence(self):
        """Everything that runs here, and is started meanwhile, gets its core when it has something to do and keeps it
        until it waits (SCHED_FIFO, one priority). Several of them share a core, and the fair scheduler lets each wait
        for the other's slice of some milliseconds: that would be the slowest answers, whoever stands between. Gives
        what to say of it; where it is not permitted, nothing changes."""
        try:
            self._schedule(self.running, os.SCHED_FIFO, self.PRIORITY)
            self.have_precedence = shutil.which("chrt") is not None
            if not self.have_precedence:
                raise PermissionError("no chrt")
        except PermissionError:
            self._schedule(self.running, os.SCHED_OTHER, 0)
            yield "fair scheduling, SCHED_FIFO not being permitted: the slowest answers are the scheduler's"
            return
        try:
            yield f"SCHED_FIFO {self.PRIORITY} for all"
        finally:
            self.have_precedence = False
            self._schedule(self.running, os.SCHED_OTHER, 0)

    def put_behind(self, name: str) -> None:
        """That process leaves its core to the others while they have something to do, if they have precedence."""
        if self.have_precedence:
            self._schedule([self.named[name]], os.SCHED_FIFO, self.PRIORITY - 1)

    @staticmethod
    def _schedule(processes: list[subprocess.Popen], policy: int, priority: int) -> None:
        for process in processes:
            if process.poll() is not None:
                continue
            for pid in (process.pid, *children_of(process.pid)):
                for thread in Path(f"/proc/{pid}/task").iterdir():
                    with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                        os.sched_setscheduler(int(thread.name), policy, os.sched_param(priority))

    def start(self, name: str, command: list[str], cores: list[int]) -> subprocess.Popen:
        log = open(self.log_of(name), "wb")
        process = subprocess.Popen(self.command(cores, command), stdout=log, stderr=subprocess.STDOUT)
        log.close()
        self.running.append(process)
        self.named[name] = process
        return process

    def log_of(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def until(self, name: str, process: subprocess.Popen, ready) -> None:
        deadline = time.monotonic() + 30
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                log = self.log_of(name).read_text(errors="replace")
                raise CannotMeasure(f"{name} did not start:\n{log}")
            time.sleep(0.05)

    def stop(self) -> None:
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.running):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def program(name: str) -> str:
    path = BUILD / name
    if not path.exists():
        raise CannotMeasure(f"{path} is not there: tools/build release bench")
    return str(path)


class Penumbra:
    """A running proxy."""

    def __init__(self, address: str, admin: str, pid: int) -> None:
        self.address, self.admin, self.pid = address, admin, pid

    def make_tenants(self) -> None:
        """As many migrations as there are phases, each with its part of the tenants, and each in its phase."""
        part = TENANTS // len(PHASES)
        for number, phase in enumerate(PHASES):
            tenants = [f"00000000-0000-4000-8000-{tenant:012x}" for tenant in range(number * part, (number + 1) * part)]
            self.ask("POST", "/v1/migrations", {"name": phase, "tenants": tenants, "tables": {"allow": ["bench.*"]}})
            for step in PHASES[1:number + 1]:
                # Nothing to copy or verify here: a null server has no rows.
                self.ask("POST", f"/v1/migrations/{phase}/switch", {"to": step, "force": True, "reason": "measuring"})
            reached = self.ask("GET", f"/v1/migrations/{phase}")["phase"]
            if reached != phase:
                raise CannotMeasure(f"migration {phase} is in {reached}")

    def metric(self, name: str) -> float:
        with urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=30) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f"{name} "):
                    return float(line.split()[1])
        raise CannotMeasure(f"there is no metric {name}")

    def ask(self, method: str, path: str, body: dict | None = None) -> dict:
        request = urllib.request.Request(f"http://{self.admin}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise CannotMeasure(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from error


class Bench:
    """The processes under measurement, by address: two null servers, nginx before the source, Penumbra before both."""

    def __init__(self, args: argparse.Namespace, processes: Processes) -> None:
        self.args = args
        self.processes = processes
        net = args.network
        self.source, self.target = f"{net}.1:{args.port}", f"{net}.2:{args.port}"
        self.nginx = f"{net}.3:{args.port}"
        self.penumbras: dict[str, Penumbra] = {}
        self.pids: dict[str, list[int]] = {}

    def start(self) -> None:
        for name, address in (("source", self.source), ("target", self.target)):
            self.start_null_server(name, address, self.args.value_size)
        self.start_nginx()
        self.start_penumbra("penumbra", 9, self.processes.directory / "state")

    def start_null_server(self, name: str, address: str, value_size: int) -> None:
        server = self.processes.start(
            name, [program("bench_null_server"), "--listen", address, "--value-size", str(value_size)],
            self.processes.pinning.others)
        self.processes.until(name, server, lambda: "listening" in self.processes.log_of(name).read_text())

    def start_nginx(self) -> None:
        nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not nginx or not Path(NGINX_MODULE).exists():
            raise CannotMeasure("nginx with its stream module is not there: tools/setup")
        directory = self.processes.directory
        config = directory / "nginx.conf"
        config.write_text(f"""\
load_module {NGINX_MODULE};
daemon off;
worker_processes 1;
worker_rlimit_nofile 65536;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 32768; }}
stream {{
    server {{
        listen {self.nginx} backlog=4096;
        proxy_pass {self.source};
        tcp_nodelay on;
    }}
}}
""")
        master = self.processes.start("nginx", [nginx, "-e", "stderr", "-p", str(directory), "-c", str(config)],
                                      self.processes.pinning.proxy)
        self.processes.until("nginx", master, lambda: bool(children_of(master.pid)))
        self.pids["nginx"] = children_of(master.pid)

    def start_penumbra(self, name: str, last_number: int, state: Path, *more: str, shards: int = 1,
                       cores: list[int] | None = None, source: str = "", target: str = "") -> "Penumbra":
        """One more Penumbra of that name, listening on the address with that last number, with its own state."""
        listen, admin = f"{self.args.network}.{last_number}:{self.args.port}", f"{self.args.network}.{last_number}:{self.args.port + 1}"
        process = self.processes.start(
            name,
            [program("penumbra"), "serve", "--source", source or self.source, "--target", target or self.target,
             "--listen", listen, "--admin", admin, "--state", str(state), "--shards", str(shards), *more],
            self.processes.pinning.proxy if cores is None else cores)
        self.processes.until(name, process, lambda: "serving" in self.processes.log_of(name).read_text())
        penumbra = Penumbra(listen, admin, process.pid)
        penumbra.make_tenants()
        self.penumbras[name] = penumbra
        return penumbra

    def load(self, path: str, operation: str, shape: str, **more) -> dict:
        """One run of the generator. `path` is direct, nginx, or a phase; `more` are rate, duration and which Penumbra."""
        return self.finish_load(self.start_load(path, operation, shape, **more))

    def start_load(self, path: str, operation: str, shape: str, rate: float = 0,
                   duration: float | None = None, penumbra: str = "penumbra",
                   value_size: int | None = None) -> subprocess.Popen:
        connections, in_flight = shape.split("x")
        part = TENANTS // len(PHASES)
        ours = self.penumbras[penumbra]
        address, pids, first = {"direct": (self.source, [], 0), "nginx": (self.nginx, self.pids["nginx"], 0)}.get(
            path, (ours.address, [ours.pid], PHASES.index(path) * part if path in PHASES else 0))
        command = [program("bench_load"), "--json", "--to", address, "--connections", connections, "--in-flight",
                   in_flight, "--reads", "1" if operation == "read" else "0", "--style", self.args.style, "--version",
                   self.args.version, "--value-size", str(value_size or self.args.value_size), "--first-tenant", str(first),
                   "--tenants", str(part), "--warmup", str(self.args.warmup), "--duration",
                   str(duration or self.args.duration)]
        if rate:
            command += ["--rate", str(int(rate))]
        if rate and self.processes.have_precedence:
            for core in self.processes.pinning.cores():
                command += ["--watch-core", str(core)]
        for pid in pids:
            command += ["--pid", str(pid)]
        return subprocess.Popen(self.processes.command(self.processes.pinning.others, command),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish_load(self, load: subprocess.Popen) -> dict:
        out, err = load.communicate()
        if not out:
            raise CannotMeasure(f"{' '.join(load.args)}: {err.strip() or 'no result'}")
        return json.loads(out)
