"""Hundreds of clients contend for a few rows by compare-and-set, through every phase, a switch and the way back.

  tests/linearizability/run --loops 240 --rows 24 --seconds 16
      brings up a source and a target of its own (those of tests/faults/run), and leaves them up with --keep

Each client loops: it reads a row at SERIAL, then writes a value that nobody else writes IF the row still is what it
saw. Meanwhile the tenant goes from shadow_async by shadow_sync to target_primary and back to shadow_sync, and
connections to both clusters are reset. Then Porcupine (main.go) must find that each row behaved like one copy in one
thread, and both clusters must hold the same cells with the same write times. Last line: "conditional writes:
operations N, violations N". Exit status: 0 none, 1 violations, 2 could not run.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import random
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
for folder in (HERE.parent / "faults", HERE.parent / "differential", HERE.parent / "integration", HERE.parents[1] / "tools" / "demo"):
    sys.path.insert(0, str(folder))

import compare as comparer  # noqa: E402  (found by the lines above)
from faults.client import LOCAL_QUORUM, Client, Request, Statement, now_micros  # noqa: E402
from faults.history import OK, UNKNOWN, History, Op  # noqa: E402
from faults.rounds import PHASES, drop_tables, make_tables  # noqa: E402
from faults.stage import SIDES, HarnessError, Process, Stage, made_stage  # noqa: E402
from faults.workload import TENANT, decoded  # noqa: E402
from support import eventually  # noqa: E402

SERIAL = 8


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/linearizability/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loops", type=int, default=240, metavar="N", help="clients at once (240)")
    parser.add_argument("--rows", type=int, default=24, metavar="N", help="that they contend for (24)")
    parser.add_argument("--seconds", type=float, default=16.0, metavar="S", help="of contention, phases included (16)")
    parser.add_argument("--pause", type=float, default=1.5, metavar="S", help="longest between two requests of a client (1.5)")
    parser.add_argument("--seed", type=int, default=None, metavar="S")
    parser.add_argument("--source", metavar="HOST:PORT", help="a cluster that is there (default: one of our own)")
    parser.add_argument("--target", metavar="HOST:PORT", help="the same")
    parser.add_argument("--names", default="fault", metavar="PREFIX", help="as of tests/faults/run")
    parser.add_argument("--addresses", default="127.0.81,127.0.82,127.0.83", metavar="A,B,C", help="as of tests/faults/run")
    parser.add_argument("--history", type=Path, metavar="FILE", help="keep what was recorded")
    parser.add_argument("--keep", action="store_true", help="leave our own clusters up")
    return parser.parse_args(argv)


class Contender(threading.Thread):
    """One loop: read, then write if it is still so."""

    def __init__(self, number: int, row: int, client: Client, contest: Contest) -> None:
        super().__init__(daemon=True, name=f"contender {number}")
        self._number, self._row, self._client, self._contest = number, row, client, contest
        self.operations: list[dict] = []
        self.error: BaseException | None = None
        self._serial = number * 1_000_000
        self._rng = random.Random(number)
        where = "WHERE %s = ? AND id = ?" % TENANT
        table = f"{contest.keyspace}.cas"
        self._key = [("uuid", contest.tenant), ("int", row)]
        self._reading = f"SELECT v FROM {table} {where}"
        self._updating = f"UPDATE {table} SET v = ? {where} IF v = ?"
        self._inserting = f"INSERT INTO {table} (v, {TENANT}, id) VALUES (?, ?, ?) IF NOT EXISTS"
        self._deleting = f"DELETE FROM {table} {where} IF v = ?"

    def run(self) -> None:
        try:
            while not self._contest.over.is_set():
                if not self._client.connected(0.2):
                    continue
                known, seen = self._look()
                while known and not self._contest.over.wait(self._rng.random() * self._contest.pause):
                    known, seen = self._swap(seen)
        except BaseException as error:  # noqa: BLE001  (a mistake of this program has to show)
            self.error = error
        finally:
            self._client.close()

    def _look(self) -> tuple[bool, int | None]:
        op, rows = self._do(Request([Statement(self._reading, self._key)], consistency=SERIAL))
        if op.outcome != OK:
            return False, None
        seen = _value(rows[0][0]) if rows else None
        self._note(op, op="read", seen=seen)
        return True, seen

    def _swap(self, expected: int | None) -> tuple[bool, int | None]:
        """What the row is now, where that is known."""
        self._serial += 1
        new: int | None = self._serial
        if expected is None:
            statement = Statement(self._inserting, [("int", new), *self._key])
        elif self._serial % 40 == 0:
            new = None
            statement = Statement(self._deleting, [*self._key, ("int", expected)])
        else:
            statement = Statement(self._updating, [("int", new), *self._key, ("int", expected)])
        op, rows = self._do(Request([statement], consistency=LOCAL_QUORUM, serial=SERIAL))
        if op.outcome == UNKNOWN:
            self._note(op, op="cas", expected=expected, new=new, unknown=True)
            return False, None
        if op.outcome != OK:
            return False, None      # refused: nothing was done
        assert rows
        if rows[0][0] == b"\1":
            self._note(op, op="cas", expected=expected, new=new, applied=True)
            return True, new
        seen = _value(rows[0][-1]) if len(rows[0]) > 1 else None
        self._note(op, op="cas", expected=expected, new=new, seen=seen)
        return True, seen

    def _do(self, request: Request) -> tuple[Op, Any]:
        op = Op(0, self._number, "conditional", "", [], now_micros())
        return op, self._client.send(request, op)

    def _note(self, request: Op, **what: Any) -> None:
        self.operations.append({"client": self._number, "row": str(self._row), "call": request.began, "return": request.ended, **what})


def _value(raw: bytes | None) -> int | None:
    return None if raw is None else decoded("int", raw)


class Contest:
    def __init__(self, stage: Stage, options: argparse.Namespace, seed: int) -> None:
        self._stage, self._options = stage, options
        self._rng = random.Random(seed)
        self.keyspace = f"contest_{int(time.time()) % 1_000_000:06d}"
        self.tenant = uuid.UUID(int=self._rng.getrandbits(128), version=4)
        self.pause = options.pause
        self.over = threading.Event()
        self.problems: list[str] = []
        self.history: list[dict] = []

    def run(self) -> None:
        make_tables(self._stage, self.keyspace)
        process = Process(self._stage.home / "contest", self._stage, ("--request-timeout", "5s", "--shards", "2"))
        try:
            process.start()
            process.must("POST", "/v1/migrations", {"name": "contest", "tenants": [str(self.tenant)],
                                                    "tables": {"allow": [f"{self.keyspace}.*"]}})
            self._move(process, "shadow_async")
            contenders = [Contender(number, number % self._options.rows,
                                    Client(process.contact_point, 4, History(), process.excuses, self.problems.append, 20.0), self)
                          for number in range(1, self._options.loops + 1)]
            for contender in contenders:
                contender.start()
            self._go_round(process)
            self.over.set()
            for contender in contenders:
                contender.join(30)
                if contender.error:
                    raise contender.error
                if contender.is_alive():
                    self.problems.append(f"client {contender.name} still waits for an answer")
                self.history += contender.operations
            eventually(lambda: process.must("GET", "/v1/status")["journal"]["owed"] == 0, "what is owed is paid", 60)
            self._judge()
            process.stop()
        except AssertionError as error:
            self.problems.append(str(error))
        finally:
            self.over.set()
            process.kill9()
            drop_tables(self._stage, self.keyspace)

    def _go_round(self, process: Process) -> None:
        """Through the phases and back, a step whenever a share of the time is over; connections break in between."""
        began, steps = time.monotonic(), ["shadow_sync", "target_primary", "back"]
        share = self._options.seconds / (len(steps) + 1)
        for number, step in enumerate(steps, 1):
            while time.monotonic() < began + number * share:
                time.sleep(0.1)  # the contest's timetable
                if self._rng.random() < 0.08:
                    self._stage.sides[self._rng.choice(SIDES)].proxy.reset_some()
            if step == "back":
                self._switch(process, "reverse", {})
            else:
                self._move(process, step)
            print(f"{time.monotonic() - began:.1f} s: {process.must('GET', '/v1/migrations/contest')['phase']}", flush=True)
        time.sleep(max(0.0, began + self._options.seconds - time.monotonic()))  # clients go on to the end of it

    @contextlib.contextmanager
    def _slower(self) -> Iterator[None]:
        """So that a job gets its turn on a small machine: few rows, each of them always moving, are the worst for it."""
        self.pause *= 8
        yield
        self.pause /= 8

    def _move(self, process: Process, goal: str) -> None:
        at = process.must("GET", "/v1/migrations/contest")["phase"]
        assert PHASES.index(goal) == PHASES.index(at) + 1
        if goal == "shadow_sync":
            with self._slower():
                process.job("contest", "copy")
        if goal == "target_primary":
            with self._slower():
                verified = process.job("contest", "verify")
            assert not verified["result"]["differences"], f"verify found differences: {json.dumps(verified['result'])[:1500]}"
        self._switch(process, "switch", {"to": goal})

    def _switch(self, process: Process, verb: str, body: dict) -> None:
        def done() -> bool:
            status, told = process.ask("POST", f"/v1/migrations/contest/{verb}", body)
            if status >= 400:
                refused = [gate["gate"] for gate in told.get("gates", []) if not gate["passed"]]
                assert set(refused) <= {"journal_drained", "clocks_agree", "clusters_reachable"}, f"{verb} was refused: {json.dumps(told)[:1500]}"
            return status < 400
        eventually(done, f"{verb} {body}", 60)

    def _judge(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            found = comparer.compare(self._stage.sides["source"].contact_point, self._stage.sides["target"].contact_point,
                                     [self.keyspace], tenants=[self.tenant], tenant_column=TENANT, ranges=1, max_shown=100)
        self.problems += [f"{each['kind']}: {each['table']} ({each['key']}) {each['column']}: {each['text']}" for each in found["shown"]]
        # What both hold in the end is one more read of each row.
        last = {row.id: row.v for row in self._stage.execute("source", f"SELECT id, v FROM {self.keyspace}.cas WHERE {TENANT} = {self.tenant} ALLOW FILTERING")}
        now = now_micros()
        for row in range(self._options.rows):
            self.history.append({"client": 0, "row": str(row), "op": "read", "call": now, "return": now + 1, "seen": last.get(row)})


def check(history: list[dict], where: Path) -> list[str]:
    """Porcupine's verdict."""
    where.write_text(json.dumps(history))
    binary = where.with_name("linearizability")
    subprocess.run(["go", "build", "-o", str(binary), "."], cwd=HERE, check=True)
    done = subprocess.run([str(binary), "-timeout", "60s", str(where)], capture_output=True, text=True, check=False)
    print(done.stdout.strip() or done.stderr.strip())
    return [] if done.returncode == 0 else [done.stdout.strip() or done.stderr.strip()]


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    logging.getLogger("cassandra").setLevel(logging.CRITICAL)
    seed = options.seed if options.seed is not None else int(time.time()) % 1_000_000
    print(f"seed {seed}", flush=True)
    try:
        with made_stage(options) as stage, tempfile.TemporaryDirectory(prefix="penumbra-contest-") as scratch:
            contest = Contest(stage, options, seed)
            contest.run()
            problems = contest.problems + check(contest.history, options.history or Path(scratch) / "history.json")
    except (HarnessError, comparer.CannotCompare, subprocess.CalledProcessError, OSError) as error:
        print(f"tests/linearizability/run: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    for problem in problems[:20]:
        print(f"    {problem}")
    applied = sum(1 for op in contest.history if op.get("applied"))
    unknown = sum(1 for op in contest.history if op.get("unknown"))
    print(f"{applied} applied, {unknown} of unknown fate, {options.loops} clients, {options.rows} rows")
    print(f"conditional writes: operations {len(contest.history)}, violations {len(problems)}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
