#!/usr/bin/env python3
"""Tenants of a running application move from Cassandra 4.1 to 5.0, and this tells how it goes.

Two real clusters, Penumbra between them, a sample application that knows nothing but Penumbra's address. One tenant
moves and stays moved, one moves and is taken back, one moves for good, the others stay where they are. In the end a
program that knows nothing of Penumbra compares both clusters cell by cell.

--once: ends by itself, with exit status 0 only if every answer that the application got was right and both clusters are
equal. Without it all stays up after the tour, to be tried by hand, until Ctrl-C. All that was measured is in
out/demo.json.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import queue
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tools" / "demo")]

from penumbra_tools.common import ToolError, require_free, state_dir  # noqa: E402  (found in the tree)

KEYSPACES = ["shop", "media"]
TENANT_COLUMN = "system_domain_id"


class Failed(Exception):
    """The demo cannot go on. The text says what happened, and what to do."""


# --- telling ---------------------------------------------------------------------------------------------------------

class Story:
    """Lines for a person; colours on a terminal only."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colour else text

    def chapter(self, text: str) -> None:
        print(f"\n{self._paint('1;36', text)}", flush=True)

    def say(self, text: str) -> None:
        print(f"{self._paint('2', f'{time.monotonic() - self._begin:6.1f} s')}  {text}", flush=True)

    def good(self, text: str) -> None:
        self.say(self._paint("32", text))

    def bad(self, text: str) -> None:
        self.say(self._paint("1;31", text))


# --- processes -------------------------------------------------------------------------------------------------------

@dataclass
class Places:
    """Where everything listens, and what it is called."""

    base: str
    source: str = field(init=False)
    target: str = field(init=False)
    penumbra: str = field(init=False)

    def __post_init__(self) -> None:
        self.source, self.target, self.penumbra = f"{self.base}.1", f"{self.base}.2", f"{self.base}.9"

    def cluster(self, which: str) -> str:
        return f"demo-{which}" if self.base == "127.0.0" else f"demo-{which}-{self.base}"


def start(command: list[str], log: Path, **options: Any) -> subprocess.Popen:
    # A session of its own: Ctrl-C is for this program, which then stops the others in order.
    with open(log, "wb") as output:
        return subprocess.Popen(command, stdout=options.pop("stdout", output), stderr=output, start_new_session=True,
                                **{"stdin": subprocess.DEVNULL, **options})


def tail(path: Path, lines: int = 25) -> str:
    try:
        return "\n".join("    " + line for line in path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "    (nothing)"


def stop(process: subprocess.Popen, what: str, within: float) -> str | None:
    """Ends it with SIGTERM. What was wrong with how it ended, if anything."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return f"{what} did not end within {within:.0f} s of SIGTERM and was killed"
    return None if process.returncode == 0 else f"{what} ended with exit status {process.returncode}"


class Clusters:
    """Both clusters, by tools/cluster."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._shapes = {"source": ("4.1", places.source), "target": ("5.0", places.target)}

    def up(self) -> dict[str, dict]:
        with ThreadPoolExecutor(2) as pool:
            return dict(zip(self._shapes, pool.map(self._up, self._shapes)))

    def _up(self, which: str) -> dict:
        version, address = self._shapes[which]
        done = self._tool("up", self._places.cluster(which), "--version", version, "--address", address, "--fresh",
                          "-o", "json")
        return json.loads(done.stdout)

    def down(self) -> None:
        for which in self._shapes:
            self._tool("down", self._places.cluster(which), check=False)

    @staticmethod
    def _tool(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([ROOT / "tools" / "cluster", *arguments], capture_output=True, text=True, check=False,
                              start_new_session=True)
        if check and done.returncode != 0:
            raise Failed(done.stderr.strip())
        return done


class Penumbra:
    """The proxy under its own command line, as an operator has it."""

    def __init__(self, binary: Path, places: Places, out: Path, flags: list[str]) -> None:
        self._binary, self._places = binary, places
        self.admin = f"{places.penumbra}:8080"
        self.contact_point = f"{places.penumbra}:9042"
        self.log = out / "penumbra.log"
        self._flags = flags
        self._progress = out / "penumbra-commands.log"
        self._process: subprocess.Popen | None = None

    def start(self, state: Path) -> None:
        self._progress.write_text("")
        command = [str(self._binary), "serve", "--source", f"{self._places.source}:9042", "--target",
                   f"{self._places.target}:9042", "--listen", self.contact_point, "--admin", self.admin,
                   "--state", str(state), "--tenant-column", TENANT_COLUMN, *self._flags]
        self._process = start(command, self.log)

        def ready() -> bool:
            self.check()
            try:
                with urllib.request.urlopen(f"http://{self.admin}/v1/status", timeout=5) as answer:
                    return answer.status == 200
            except (OSError, urllib.error.HTTPError):
                return False
        wait_until(ready, "Penumbra answers on its admin address", 30, lambda: f"its log:\n{tail(self.log)}")

    def check(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            raise Failed(f"Penumbra ended by itself with exit status {self._process.returncode}; the end of "
                         f"{self.log}:\n{tail(self.log)}")

    def stop(self) -> str | None:
        return None if self._process is None else stop(self._process, "Penumbra", 30)

    def ask(self, *arguments: str, refusal: bool = False, timeout: float = 600.0) -> dict:
        """A verb of the command line. `refusal`: status 1 is an answer too (gates that did not pass)."""
        self.check()
        command = [str(self._binary), *arguments, "-o", "json"]
        with open(self._progress, "ab") as progress:
            progress.write(f"\n$ {shlex.join(['penumbra', *arguments])}\n".encode())
            progress.flush()
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=progress, text=True, check=False,
                                  timeout=timeout, env={**os.environ, "PENUMBRA_ADMIN": self.admin},
                                  start_new_session=True)
            progress.write(done.stdout.encode())
        if done.returncode != 0 and not (refusal and done.returncode == 1):
            self.check()
            raise Failed(f"`penumbra {shlex.join(arguments)}` ended with exit status {done.returncode}:\n"
                         f"{tail(self._progress)}\n  Penumbra's own log, {self.log}, ends:\n{tail(self.log)}")
        try:
            return json.loads(done.stdout) if done.stdout.strip() else {}
        except ValueError:
            raise Failed(f"`penumbra {shlex.join(arguments)} -o json` did not print one JSON document but:\n"
                         f"{done.stdout}") from None

    def settled(self, name: str | None = None) -> None:
        """Nothing is owed to the shadow any more."""
        def owed() -> int:
            if name:
                return self.ask("migration", "show", name)["owed"]
            return self.ask("status")["journal"]["owed"]
        wait_until(lambda: owed() == 0, "nothing is owed to the shadow", 120, lambda: f"still owed: {owed()}")


class Application:
    """tools/demo/app.py: it is given a contact point, and told when a tenant closes for a moment."""

    def __init__(self, contact_point: str, out: Path, options: argparse.Namespace) -> None:
        self.report_file = out / "app.json"
        self.log = out / "app.log"
        self.report_file.unlink(missing_ok=True)
        self.process = start(
            [sys.executable, str(ROOT / "tools" / "demo" / "app.py"), "--contact-point", contact_point,
             "--tenants", str(options.tenants), "--rate", str(options.rate), "--preload", str(options.preload),
             "--report", str(self.report_file), "--progress", "1", "--control"],
            self.log, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._said: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def wait_for(self, start_of_line: str, within: float) -> str:
        deadline = time.monotonic() + within
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise Failed(f"the application did not say '{start_of_line}' within {within:.0f} s; it last said "
                             f"{self._said[-3:]}, and on standard error:\n{tail(self.log)}") from None
            if line is None:
                raise Failed(f"the application ended (exit status {self.process.wait()}) before it said "
                             f"'{start_of_line}'; the end of {self.log}:\n{tail(self.log)}")
            self._said.append(line)
            if line.startswith(start_of_line):
                return line

    def tell(self, command: str, answer: str) -> None:
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        self.wait_for(answer, 60)

    def report(self) -> dict:
        if self.process.poll() is not None and not self._finished():
            raise Failed(f"the application ended with exit status {self.process.returncode}; the end of {self.log}:\n"
                         f"{tail(self.log)}")
        return json.loads(self.report_file.read_text())

    def _finished(self) -> bool:
        try:
            return json.loads(self.report_file.read_text())["finished"]
        except (OSError, ValueError):
            return False

    def kill(self) -> None:
        """When nobody asks for its report any more."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> dict:
        """Lets it check all its rows once more, and end. Its last report."""
        stop(self.process, "the application", 120)
        if not self._finished():
            raise Failed(f"the application ended with exit status {self.process.returncode} and left no report; the "
                         f"end of {self.log}:\n{tail(self.log)}")
        return json.loads(self.report_file.read_text())


def wait_until(condition: Callable[[], bool], what: str, within: float, why: Callable[[], str]) -> None:
    """There is nothing to wait on across processes but the condition itself: it is asked again, and time is bounded."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"not within {within:.0f} s: {what}; {why()}")
        time.sleep(0.1)


# --- the tour --------------------------------------------------------------------------------------------------------

class Tour:
    """Takes tenants across, and keeps count."""

    def __init__(self, story: Story, penumbra: Penumbra, app: Application, tenants: list[str]) -> None:
        self._story, self._penumbra, self._app = story, penumbra, app
        self.tenants = tenants
        self.switches: list[dict] = []
        self.moved: list[str] = []

    def under_load(self, tenant: str, requests: int = 250) -> None:
        """Lets the tenant's application work in the phase it is in now."""
        def count() -> int:
            return self._app.report()["tenants"].get(tenant, {"requests": 0})["requests"]
        self._penumbra.check()
        goal = count() + requests
        wait_until(lambda: count() >= goal, f"tenant {tenant} makes {requests} requests", 120,
                   lambda: f"it made {count() - goal + requests}; the application's log:\n{tail(self._app.log)}")

    def change(self, name: str, verb: list[str]) -> dict:
        """A change of phase, as soon as its gates are open."""
        refused: dict = {}

        def done() -> bool:
            refused.clear()
            told = self._penumbra.ask(*verb, "--dry-run", refusal=True)
            closed = [gate for gate in told.get("gates", []) if not gate["passed"]]
            if closed or "error" in told:
                refused.update(told)
                return False
            told = self._penumbra.ask(*verb, refusal=True)
            if "error" in told:     # A gate that closed between the two, such as a write that is owed again.
                refused.update(told)
                return False
            answer.update(told)
            return True
        answer: dict = {}
        wait_until(done, f"`penumbra {shlex.join(verb)}` is allowed", 60,
                   lambda: f"it was refused: {json.dumps(refused)}")
        self.switches.append({key: answer.get(key) for key in ("name", "from", "to", "wait_ms", "held_requests")})
        self._story.say(f"{name:<8}{answer['from']} → {answer['to']}: its requests waited {answer['wait_ms']:.1f} ms "
                        f"({answer.get('held_requests', 0)} were held), none failed by it")
        return answer

    def to_target(self, name: str, tenant: str) -> None:
        penumbra, story = self._penumbra, self._story
        penumbra.ask("migration", "create", name, "--tenant", tenant)
        story.say(f"{name:<8}is tenant {tenant}")
        self.change(name, ["switch", name, "--to", "shadow_async"])
        self.under_load(tenant)
        begin = time.monotonic()
        job = penumbra.ask("copy", name)
        story.say(f"{name:<8}copied what was there before: {job['result']['rows']} rows in "
                  f"{time.monotonic() - begin:.1f} s, under load")
        self.change(name, ["switch", name, "--to", "shadow_sync"])
        self.under_load(tenant)
        begin = time.monotonic()
        job = penumbra.ask("verify", name, refusal=True)
        found = job.get("result")
        if not found:
            raise Failed(f"`penumbra verify {name}` was refused or failed: {json.dumps(job)}")
        if found["differences"]:
            raise Failed(f"`penumbra verify {name}` found {found['differences']} differences: "
                         f"{json.dumps(found.get('samples', [])[:5], indent=2)}")
        story.say(f"{name:<8}verified: {found['rows']} rows equal on both clusters in "
                  f"{time.monotonic() - begin:.1f} s, under load")
        self.change(name, ["switch", name, "--to", "target_primary"])
        self.moved.append(tenant)
        self.under_load(tenant)
        self._app_line()

    def _app_line(self) -> None:
        report = self._app.report()
        self._story.say(f"        the application so far: {report['requests']} requests, {report['errors']} errors, "
                        f"longest wait {report['longest_wait_ms']:.0f} ms")


def compare_clusters(places: Places, tenants: list[str], against: str | None = None) -> dict:
    import uuid

    from compare import CannotCompare, compare
    try:
        return compare(f"{places.source if against is None else against}:9042",
                       f"{places.target if against is None else against}:9042", KEYSPACES,
                       tenants=[uuid.UUID(tenant) for tenant in tenants], tenant_column=TENANT_COLUMN)
    except CannotCompare as error:
        raise Failed(f"the comparison could not be made: {error}") from None


def run(options: argparse.Namespace, story: Story, stack: ExitStack) -> int:
    places = Places(options.base)
    out = options.out.resolve().parent
    out.mkdir(parents=True, exist_ok=True)
    options.out.unlink(missing_ok=True)   # Last time's success must not be taken for this one's.
    home = state_dir() / "demo" / options.base
    home.mkdir(parents=True, exist_ok=True)
    alone = stack.enter_context(open(home / "lock", "w"))
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failed(f"another demo runs on {options.base}.x: stop it with Ctrl-C where it runs, or give this one "
                     f"other addresses, such as --base 127.0.40") from None

    binary = options.penumbra.resolve()
    if not os.access(binary, os.X_OK):
        raise Failed(f"{binary} is not there: build it with tools/build release, or name one with --penumbra")
    clusters = Clusters(places)
    clusters.down()   # What a demo that was killed may have left: nobody else uses these names while we hold the lock.
    remedy = "stop it, or use other addresses, such as --base 127.0.40"
    for address, port, what in ((places.source, 9042, "the source"), (places.target, 9042, "the target"),
                                (places.penumbra, 9042, "Penumbra"), (places.penumbra, 8080, "Penumbra's admin")):
        require_free(address, port, what, remedy)

    story.chapter("Two real clusters")
    stack.callback(clusters.down)
    up = clusters.up()
    for which in ("source", "target"):
        story.say(f"the {which}: Cassandra {up[which]['version']}, {up[which]['contact_point']}")

    story.chapter("Penumbra between them")
    state = home / "state"
    shutil.rmtree(state, ignore_errors=True)
    penumbra = Penumbra(binary, places, out, options.penumbra_flag)
    stack.callback(penumbra.stop)
    penumbra.start(state)
    story.say(f"listens on {penumbra.contact_point}, admin on {penumbra.admin}; its log is {penumbra.log}")

    story.chapter("An application that knows only Penumbra's address")
    app = Application(penumbra.contact_point, out, options)
    stack.callback(app.kill)
    loaded = app.wait_for("preload complete", 300)
    loading = time.monotonic()
    story.say(f"{loaded.removeprefix('preload complete: ')} written; from now on about {options.rate:.0f} requests a "
              f"second, each answer checked")
    tenants = [app.wait_for("tenant ", 10).split()[1] for _ in range(options.tenants)]
    stays, returns, leaves, *untouched = tenants
    tour = Tour(story, penumbra, app, tenants)
    wait_until(app.report_file.exists, "the application reports", 30, lambda: tail(app.log))

    story.chapter("acme moves to the target")
    tour.to_target("acme", stays)

    story.chapter("birch moves, and is taken back")
    tour.to_target("birch", returns)
    tour.change("birch", ["reverse", "birch"])
    tour.under_load(returns)

    story.chapter("cedar moves for good")
    tour.to_target("cedar", leaves)
    # After `complete` its writes go to the target alone, so this is the last moment at which both clusters can be
    # equal. Its shop closes for that moment; all others stay open.
    app.tell(f"pause {leaves}", f"paused {leaves}")
    penumbra.settled("cedar")
    last = compare_clusters(places, [leaves])
    story.say(f"cedar   just before: {last['rows_compared']} rows compared independently, {last['differences']} "
              f"differences")
    tour.change("cedar", ["complete", "cedar"])
    app.tell(f"resume {leaves}", f"resumed {leaves}")
    tour.under_load(leaves)

    left = options.seconds - (time.monotonic() - loading)
    if left > 0:
        story.say(f"all at work for {left:.0f} s more, to make {options.seconds:.0f} s of load")

        def long_enough() -> bool:
            penumbra.check()
            app.report()
            return time.monotonic() - loading >= options.seconds
        wait_until(long_enough, "the load is long enough", left + 30, lambda: "")
    load_seconds = time.monotonic() - loading

    story.chapter("The application is done; are both clusters equal?" if options.once else
                  "Everybody stands still for a moment; are both clusters equal?")
    if options.once:
        report = app.stop()
    else:
        for tenant in tenants:
            app.tell(f"pause {tenant}", f"paused {tenant}")
        report = app.report()
    penumbra.settled()
    result = compare_clusters(places, [stays, returns])
    stray = compare_clusters(places, untouched, against=places.target)["rows_compared"]
    phases = {m["name"]: m["phase"] for m in penumbra.ask("migration", "list")["migrations"]}

    differences = result["differences"] + last["differences"]
    rows = result["rows_compared"] + last["rows_compared"]
    waits = [switch["wait_ms"] for switch in tour.switches]
    wrong: list[str] = []
    if report["errors"]:
        wrong.append(f"the application saw {report['errors']} errors, the first: {report['error_texts'][0]}")
    if differences:
        wrong.append(f"{differences} differences between the clusters")
    if not result["rows_compared"] or not last["rows_compared"]:
        wrong.append("nothing was compared")
    if stray:
        wrong.append(f"{stray} rows of tenants that nobody moved are on the target")
    planned = {"acme": "target_primary", "birch": "shadow_sync", "cedar": "target_only"}
    if phases != planned or len(tour.moved) != 3:
        wrong.append(f"the migrations stand at {phases}, not at {planned}")
    if load_seconds < options.seconds:
        wrong.append(f"the load lasted {load_seconds:.0f} s, not {options.seconds:.0f} s")
    if options.once and (how := penumbra.stop()) is not None:
        wrong.append(f"{how}; the end of {penumbra.log}:\n{tail(penumbra.log)}")

    story.say(f"{rows} rows compared cell by cell, with write times and TTLs: {differences} differences")
    story.say(f"{report['requests']} requests of the application in {load_seconds:.0f} s of load and before: "
              f"{report['errors']} errors, longest wait {report['longest_wait_ms']:.0f} ms "
              f"(p99 {report.get('p99_ms', 0):.0f} ms)")
    story.say(f"{len(tour.switches)} changes of phase, the longest held its tenant's requests for {max(waits):.1f} ms")
    options.out.write_text(json.dumps({
        "ok": not wrong, "wrong": wrong,
        "app_requests": report["requests"], "app_errors": report["errors"],
        "tenants_moved": len(tour.moved), "rows_compared": rows, "differences": differences,
        "longest_wait_ms": report["longest_wait_ms"], "switch_ms": max(waits),
        "switches": tour.switches, "load_seconds": round(load_seconds, 1), "phases": phases,
        "tenants": {"acme": stays, "birch": returns, "cedar": leaves, "untouched": untouched},
        "stray_rows": stray, "versions": {which: up[which]["version"] for which in up},
        "compared_at_the_end": result, "compared_before_complete": last,
        "app": {key: value for key, value in report.items() if key != "tenants"},
    }, indent=2) + "\n")
    for text in wrong:
        story.bad(text)
    if not wrong:
        story.good(f"all is well; the numbers are in {options.out}")
    if options.once:
        return 1 if wrong else 0
    for tenant in tenants:
        app.tell(f"resume {tenant}", f"resumed {tenant}")
    try:
        _stay(story, places, penumbra, app, binary, untouched)
    except KeyboardInterrupt:
        story.chapter("The application checks all its rows once more, and all of this ends")
    report = app.stop()
    story.say(f"{report['requests']} requests, {report['errors']} errors")
    return 1 if wrong or report["errors"] else 0


def _stay(story: Story, places: Places, penumbra: Penumbra, app: Application, binary: Path,
          untouched: list[str]) -> None:
    me = os.path.relpath(binary)
    story.chapter("All stays up, and the application goes on. Try, in another terminal:")
    print(f"""
    tools/venv cqlsh {places.penumbra}                      # looks like one Cassandra
    tools/venv cqlsh {places.source} -e "SELECT count(*) FROM shop.orders"   # the clusters themselves
    tools/venv cqlsh {places.target} -e "SELECT count(*) FROM shop.orders"

    export PENUMBRA_ADMIN={penumbra.admin}
    {me} status
    {me} migration list
    {me} migration create elder --tenant {untouched[0]}
    {me} switch elder --to shadow_async && {me} copy elder
    {me} switch elder --to shadow_sync  && {me} verify elder
    {me} switch elder --to target_primary --dry-run
    {me} switch elder --to target_primary
    {me} reverse elder

    tail -f {os.path.relpath(app.report_file.parent)}/penumbra.log

  Ctrl-C stops everything that this started.""", flush=True)
    while app.process.poll() is None:
        penumbra.check()
        report = app.report()
        story.say(f"the application: {report['requests']} requests, {report['errors']} errors, longest wait "
                  f"{report['longest_wait_ms']:.0f} ms")
        try:
            app.process.wait(30)
        except subprocess.TimeoutExpired:
            continue
    raise Failed(f"the application ended by itself; the end of {app.log}:\n{tail(app.log)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./demo", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--once", action="store_true", help="end after the tour; exit status 0 only if all is well")
    parser.add_argument("--seconds", type=float, default=125.0, help="of load, at least (125)")
    parser.add_argument("--tenants", type=int, default=5, help="how many; three of them move (5)")
    parser.add_argument("--rate", type=float, default=400.0, help="requests a second, about (400)")
    parser.add_argument("--preload", type=int, default=2000, help="rows of each tenant, before the tour (2000)")
    parser.add_argument("--base", default="127.0.0", metavar="A.B.C",
                        help="source, target and Penumbra listen on .1, .2 and .9 of it (127.0.0)")
    parser.add_argument("--penumbra", type=Path, default=ROOT / "build" / "release" / "penumbra", metavar="FILE",
                        help="the program (build/release/penumbra)")
    parser.add_argument("--penumbra-flag", action="append", default=[], metavar="FLAG",
                        help="a further flag for penumbra serve, such as --penumbra-flag=--log-level=debug; repeatable")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "demo.json", metavar="FILE")
    return parser


def main() -> int:
    parser = _parser()
    options = parser.parse_args()
    if options.tenants < 4:
        parser.error(f"--tenants {options.tenants}: three move and at least one has to stay, so 4 or more")
    story = Story()

    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupted)
    code = 1
    with ExitStack() as stack:
        try:
            code = run(options, story, stack)
        except KeyboardInterrupt:
            story.chapter("Stopping everything that this started")
            code = 130 if options.once else 0
        except (Failed, ToolError) as error:
            story.bad(str(error))
        # A second Ctrl-C must not leave clusters behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return code


if __name__ == "__main__":
    sys.exit(main())
