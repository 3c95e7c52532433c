"""One round: a tenant, its migration on the way, requests, faults; then everything heals, and what is there is judged."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import compare as comparer
from support import eventually

from .client import Client, Refused, Request, Statement, now_micros
from .history import OK, UNKNOWN, Effect, History, Op, wrong_list
from .kinds import CLOCK_STEP, Fault, Scene, all_faults, run_fault
from .stage import SIDES, ClockShift, HarnessError, Process, Stage, Tmpfs, may_mount
from .workload import MARKER, TABLES, TENANT, Load

PHASES = ("source_only", "shadow_async", "shadow_sync", "target_primary")
MEMORY = 600 << 20       # Most that a process may take: a few connections and a small journal.


@dataclass
class Settings:
    seconds: tuple[float, float] = (2.5, 6.0)
    clients: int = 6
    pause: float = 0.004
    faults: list[str] = field(default_factory=list)      # names; empty: all
    without: list[str] = field(default_factory=list)
    costly: float = 0.06                                 # share of rounds in which a node is killed
    drain_within: float = 90.0
    lists: bool = True
    count_to: int = 0                                    # only counters are written, and together they must end at this


@dataclass
class Outcome:
    number: int
    phases: list[str]
    faults: list[str]
    counts: dict[str, int]
    problems: list[str]
    seconds: float
    rows: int = 0
    bare_rows: int = 0
    unacknowledged: int = 0
    immortal: int = 0
    memory: int = 0

    def line(self) -> str:
        counts = ", ".join(f"{self.counts.get(name, 0)} {name}" for name in ("ok", "failed", "unknown"))
        said = "clean" if not self.problems else f"{len(self.problems)} VIOLATIONS"
        bare = f" ({self.bare_rows} bare on one side)" if self.bare_rows else ""
        bare += f" ({self.unacknowledged} cut short)" if self.unacknowledged else ""
        bare += f" ({self.immortal} elements without their TTL)" if self.immortal else ""
        return (f"round {self.number}: {' > '.join(self.phases)}; {counts}; {self.rows} rows{bare}; "
                f"{', '.join(self.faults) or 'no fault'}; {self.seconds:.1f} s; {said}")


class Round:
    def __init__(self, stage: Stage, settings: Settings, number: int, seed: str, keyspace: str) -> None:
        self._stage, self._settings, self._number, self._keyspace = stage, settings, number, keyspace
        self._rng = random.Random(seed)
        self._tenant = uuid.UUID(int=self._rng.getrandbits(128), version=4)
        self._name = f"round{number}"
        self._home = stage.home / self._name
        self._disk: Tmpfs | None = None
        self._altered: list[str] = []
        self._bare: set[tuple] = set()
        self._unacknowledged = 0
        self._immortal = 0
        self._forgets = False
        self._intent = random.Random(f"{seed} durability").random() < 0.25
        self.problems: list[str] = []
        self.load: Load | None = None
        self.process: Process | None = None

    # --- the round ---

    def run(self) -> Outcome:
        began = time.monotonic()
        faults = self._choose()
        self._forgets = {"penumbra_kill", "disk_full"} <= {fault.name for fault in faults}
        phase = self._rng.choice(PHASES[1:])
        shutil.rmtree(self._home, ignore_errors=True)
        if any(fault.needs_disk for fault in faults):
            self._disk = Tmpfs(self._home / "state", 48)
        phases: list[str] = []
        told: list[str] = []
        try:
            self._raise_curtain(faults)
            assert self.process and self.load
            self._move_to("shadow_async")
            self.load.start()
            self._move_to(phase)
            phases.append(phase)
            told = self._disturb(faults) + (["by intent"] if self._intent else [])
            self.load.stop(within=30)
            self._heal()
            if self._settings.count_to:
                self._count_up()
            phases.append(self._phase())
            rows = self._judge()
            self.process.stop()
            if self.process.largest > MEMORY:
                self.problems.append(f"penumbra took {self.process.largest >> 20} MiB of memory")
        except AssertionError as error:
            # What support.py waits for in vain, or a process that did not end well: Penumbra's own failure.
            self.problems.append(str(error))
            rows = 0
        finally:
            self._lower_curtain()
        self.problems = self.load.problems + self.problems if self.load else self.problems
        return Outcome(self._number, phases, told, dict(self.load.counts) if self.load else {}, self.problems,
                       time.monotonic() - began, rows, len(self._bare), self._unacknowledged,
                       self._immortal, self.process.largest if self.process else 0)

    def _choose(self) -> list[Fault]:
        rng, settings = self._rng, self._settings
        possible = [fault for fault in all_faults()
                    if (not settings.faults or fault.name in settings.faults) and fault.name not in settings.without
                    and (fault.needs_node is None or self._stage.sides[fault.needs_node].cluster)
                    and (not fault.needs_disk or may_mount())]
        dear = [fault for fault in possible if fault.costly]
        cheap = [fault for fault in possible if not fault.costly]
        chosen = []
        if cheap:
            chosen = rng.choices(cheap, [fault.weight for fault in cheap], k=rng.choice((1, 1, 2, 2, 3, 4)))
        if dear and (rng.random() < settings.costly or not cheap):
            chosen.insert(rng.randrange(len(chosen) + 1), rng.choice(dear))
        return chosen

    def _raise_curtain(self, faults: list[Fault]) -> None:
        rng = self._rng
        # A full quota needs larger values than requests usually have.
        small = rng.random() < 0.15
        flags = ("--request-timeout", "3s", "--shadow-timeout", rng.choice(("100ms", "300ms", "1s", "2s")),
                 "--shards", rng.choice(("1", "2", "3")), "--connections", rng.choice(("1", "1", "2")),
                 "--start-timeout", "20s", "--journal.quota", "1MiB" if small else "16MiB" if self._disk else "1GiB")
        if self._intent:
            flags += ("--durability", "intent")
            # Past the quota there are no intents.
            self._intent = not small and not self._disk
        clock = ClockShift(self._home) if any(fault.needs_clock for fault in faults) else None
        self.process = Process(self._home, self._stage, flags, clock)
        self.process.start()
        self.load = Load(self.process.contact_point, self._keyspace, self._tenant, rng, clients=self._settings.clients,
                         version=rng.choice((4, 4, 5)), patience=15.0, excused=self.process.excuses,
                         pause=self._settings.pause, fat=6000 if small else 0,
                         count_to=self._settings.count_to, lists=self._settings.lists)
        if clock:
            self.load.history.slack += CLOCK_STEP + 50_000     # and what a measurement of clocks leaves open
        self.process.must("POST", "/v1/migrations", {"name": self._name, "tenants": [str(self._tenant)],
                                                     "tables": {"allow": [f"{self._keyspace}.*"]}})

    def _lower_curtain(self) -> None:
        if self.load:
            self.load.stopping.set()
        for side in self._stage.sides.values():
            side.proxy.set("open")
        if self.process:
            self.process.kill9()
        if self._disk:
            keep = self._home / "kept"
            if self.problems:
                shutil.copytree(self._disk.where, keep, ignore=shutil.ignore_patterns("ballast"), dirs_exist_ok=True)
            self._disk.close()

    # --- phases ---

    def _phase(self) -> str:
        assert self.process
        return self.process.must("GET", f"/v1/migrations/{self._name}")["phase"]

    def _change(self, verb: str, body: dict) -> tuple[int, Any]:
        assert self.process
        return self.process.ask("POST", f"/v1/migrations/{self._name}/{verb}", body)

    def _move_to(self, phase: str) -> None:
        """Nothing is broken yet: each step must work, though what is owed may have to be paid first."""
        assert self.process
        while (at := self._phase()) != phase:
            goal = PHASES[PHASES.index(at) + 1]
            if goal == "shadow_sync":
                self.process.job(self._name, "copy")
            if goal == "target_primary":
                verified = self.process.job(self._name, "verify")
                if verified["result"]["differences"]:
                    raise AssertionError(f"verify found differences before anything was broken: {json.dumps(verified['result'])[:2000]}")

            def switched(goal: str = goal) -> bool:
                status, told = self._change("switch", {"to": goal})
                # Of these, time is the cure: a busy machine answers late, and a clock seems off that is asked late.
                closed = {gate["gate"] for gate in told.get("gates", []) if not gate["passed"]}
                if status >= 400 and not closed <= {"journal_drained", "clocks_agree", "clusters_reachable"}:
                    raise AssertionError(f"switch to {goal} was refused: {json.dumps(told)[:1500]}")
                return status < 400
            eventually(switched, f"switch to {goal}", 60)

    def _step(self) -> str:
        """One step by its proper verb, in the middle of everything; it may be refused or fail, but must leave a phase."""
        assert self.process
        try:
            at = self._phase()
            verb, body = "switch", {"to": PHASES[min(PHASES.index(at) + 1, 3)]}
            if at == "target_primary":
                verb, body = "reverse", {}
            elif at == "shadow_sync":
                self.process.job(self._name, "verify", within=20)
                if self._rng.random() < 0.2:
                    body = {"to": "shadow_async"}
            elif at == "shadow_async":
                self.process.job(self._name, "copy", within=20)
            status, told = self._change(verb, body)
        except (OSError, HarnessError, AssertionError) as error:
            return f"no answer: {str(error)[:80]}"
        if status < 400:
            return f"{told['from']} to {told['to']} in {told['wait_ms']:.0f} ms"
        closed = [gate["gate"] for gate in told.get("gates", []) if not gate["passed"]]
        return f"{verb} from {at} refused: {', '.join(closed) or told['error']['message'][:100]}"

    def _alter(self) -> str:
        assert self.process
        column = f"x{self._number}_{len(self._altered)}"
        self._altered.append(column)
        client = Client(self.process.contact_point, 4, History(), self.process.excuses, lambda problem: None, 60.0)
        try:
            if not client.connected(2):
                return "nobody there"
            rows = client.read(Statement(f"ALTER TABLE {self._keyspace}.plain ADD {column} int"))
            return "altered" if rows is None else "odd"
        finally:
            client.close()

    # --- faults ---

    def _disturb(self, faults: list[Fault]) -> list[str]:
        assert self.process and self.load
        scene = Scene(self._stage, self.process, self._rng, self._disk, self._step, self._alter)
        told: list[str] = []
        over = threading.Event()
        lasts = self._rng.uniform(*self._settings.seconds)
        deadline = time.monotonic() + lasts
        timer = threading.Timer(lasts + 4, over.set)
        timer.start()
        running: list[threading.Thread] = []
        failures: list[BaseException] = []

        def one(fault: Fault) -> None:
            try:
                told.append(run_fault(fault, scene, over.is_set))
            except BaseException as error:  # noqa: BLE001  (told by the round, not lost with the thread)
                failures.append(error)
        for number, fault in enumerate(faults):
            if self._sleep(self._rng.uniform(0.1, lasts / max(1, len(faults)))):
                break
            # The next one begins while this one lasts, now and then; never two that share a switch to turn back.
            name = fault.name.split("_")[0]
            for other in running:
                if other.name.split("_")[0] in (name, "both") or name == "both" or self._rng.random() < 0.6:
                    other.join()
            thread = threading.Thread(target=one, args=(fault,), name=fault.name, daemon=True)
            thread.start()
            running.append(thread)
        self._sleep(deadline - time.monotonic())
        for thread in running:
            thread.join(240)
        timer.cancel()
        for failure in failures:
            raise failure
        return told

    def _sleep(self, seconds: float) -> bool:
        """True when a problem makes it pointless to go on."""
        assert self.load
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.load.problems:
                return True
            time.sleep(0.02)
        return False

    def _heal(self) -> None:
        assert self.process
        process = self.process
        if not process.running():
            process.start()
        self._agree_on_schema()

        def drained() -> bool:
            journal = process.must("GET", "/v1/status")["journal"]
            self._left = journal
            return journal["owed"] == 0
        self._left: dict = {}
        try:
            eventually(drained, "what is owed is paid", self._settings.drain_within)
        except AssertionError:
            raise AssertionError(f"what is owed was not paid in {self._settings.drain_within:.0f} s: {json.dumps(self._left)}; "
                                 f"{self._reasons()}") from None

    def _count_up(self) -> None:
        """What the faults left to be counted, through Penumbra; then each cluster must have counted exactly so far."""
        assert self.process and self.load
        goal = self._settings.count_to

        def counted(side: str) -> int:
            rows = self._stage.execute(side, f"SELECT n, m FROM {self._keyspace}.counts WHERE {TENANT} = {self._tenant} ALLOW FILTERING")
            return sum((row.n or 0) + (row.m or 0) for row in rows)
        primary = "target" if self._phase() == "target_primary" else "source"
        left = goal - counted(primary)
        if left < 0:
            self.problems.append(f"{goal - left} was counted of at most {goal}")
            return
        client = Client(self.process.contact_point, 4, self.load.history, self.process.excuses, self.problems.append, 60.0)
        try:
            client.connected(5)
            statement = Statement(f"UPDATE {self._keyspace}.counts SET n = n + ? WHERE {TENANT} = ? AND id = ?",
                                  [("counter", left), ("uuid", self._tenant), ("int", 1)])
            op = Op(0, 0, "counter", statement.with_literals(), [Effect(("counts", 1, None, "n"), left)], now_micros())
            client.send(Request([statement]), op)
            if op.outcome != OK:
                self.problems.append(f"the last {left} could not be counted: {op.detail}")
        finally:
            client.close()
        self._heal()
        for side in SIDES:
            if (there := counted(side)) != goal:
                self.problems.append(f"the {side} counted to {there}, not to {goal}")

    def _reasons(self) -> str:
        assert self.process
        lines = self.process.log.read_text(errors="replace").splitlines()
        found = [line for line in lines if "set aside" in line or "could not be journalled" in line]
        return f"{len(found)} log lines about it, such as: " + " | ".join(found[-3:])

    def _agree_on_schema(self) -> None:
        """What an operator does after a schema change that one cluster missed."""
        for column in self._altered:
            has = {}
            for side in SIDES:
                has[side] = bool(list(self._stage.execute(side, f"SELECT column_name FROM system_schema.columns WHERE keyspace_name = "
                                                           f"'{self._keyspace}' AND table_name = 'plain' AND column_name = '{column}'")))
            for side in SIDES:
                if not has[side] and any(has.values()):
                    self._stage.execute(side, f"ALTER TABLE {self._keyspace}.plain ADD {column} int")

    # --- judging ---

    def _judge(self) -> int:
        assert self.load
        found = self._compared()
        if found["differences"]:
            # What is about to expire may be there on one side alone, and the comparer cannot see that of elements.
            soon = [op.ended + effect.ttl * 1_000_000 for op in self.load.history.ops for effect in op.effects
                    if effect.ttl is not None and effect.ttl < 60 and op.ended is not None]
            time.sleep(max(0.0, (max(soon, default=0) + 4_000_000 - now_micros()) / 1e6))
            found = self._compared()
        for each in found["shown"]:
            # A row that is its key alone: whether it must be there is for the history to say.
            if each["text"].endswith(": no columns"):
                self._bare.add(_row(each["table"], each["key"]))
            elif not self._intent and self._cut_short(each["table"], each["key"]):
                self._unacknowledged += 1
            elif all(self._mortal_elements(each["table"], each["key"], column) for column in each["held"] or [each["column"]]):
                self._immortal += 1
            else:
                self.problems.append(f"{each['kind']}: {each['table']} ({each['key']}) {each['column']}: {each['text']}")
        for side in SIDES:
            self.problems += [f"on the {side}: {problem}" for problem in self._against_history(side)]
        return found["rows_compared"]

    def _compared(self) -> dict:
        with contextlib.redirect_stdout(io.StringIO()):
            # A TTL counts from when each cluster takes the write, which a stall puts apart. Nearer than this verify calls
            # expiries equal (src/sync/verify.h), and a resync leaves them.
            return comparer.compare(self._stage.sides["source"].contact_point, self._stage.sides["target"].contact_point,
                                    [self._keyspace], tenants=[self._tenant], tenant_column=TENANT, ttl_tolerance=5.0,
                                    ranges=1, max_shown=1000)

    def _mortal_elements(self, table: str, key: str, column: str | None) -> bool:
        """Whether elements of this collection were given a TTL. A Cassandra before 5.0 shows none of elements, so that what
        is read there (copy, resync) has none: src/sync/README.md, "Known limits"."""
        assert self.load
        path = (*_row(table, key), column)
        return any(effect.ttl is not None and len(effect.path) == 5 and effect.path[:4] == path
                   for op in self.load.history.ops for effect in op.effects)

    def _expired(self, row: tuple) -> bool:
        """Whether cells of this row were given a TTL. What is read from the other cluster cannot tell whether a row that
        lives by cells was INSERTed too, for longer: src/sync/README.md, "Row markers"."""
        assert self.load
        return any(effect.ttl is not None and effect.path[:3] == row and effect.path[3] != MARKER
                   for op in self.load.history.ops for effect in op.effects if len(effect.path) > 3)

    def _cut_short(self, table: str, key: str) -> bool:
        """Whether a request to this row was under way when Penumbra was killed. Nobody acknowledged it, and nothing was on disk
        before it went to both clusters: it may be on one of them. So may one that failed before because the disk was
        full, since what stood for it was in the killed process's memory alone."""
        assert self.load
        row = _row(table, key)
        for op in self.load.history.ops:
            if op.outcome != UNKNOWN or not (op.lost or self._forgets):
                continue
            for effect in op.effects:
                if all(mine is None or theirs is None or mine == theirs for mine, theirs in zip(row, (*effect.path, None, None))):
                    return True
        return False

    def _against_history(self, side: str) -> list[str]:
        assert self.load
        history, problems = self.load.history, []
        asked = now_micros()
        seen = self._read_all(side)
        answered = now_micros()
        for path in history.cells():
            if path[0] == "lists":
                continue
            here = seen.get(path)
            if path[3] == MARKER and here is True and any(other[:3] == path[:3] for other in seen if other[3] not in (MARKER, "s")):
                continue    # It lives by its cells, whether or not by itself.
            if path[3] == MARKER and here is True and not history.wrong(path, None, asked, answered):
                continue    # Bare, and need not be there: counted above.
            if path[3] == MARKER and here is None and path[:3] in self._bare and self._expired(path[:3]):
                continue    # Gone with the cells by which a copy or a resync dated it: counted above.
            if wrong := history.wrong(path, here, asked, answered):
                if len(path) == 5 and wrong.endswith(" s to live"):
                    self._immortal += 1
                else:
                    problems.append(f"{path}: {wrong}")
        for path, value in seen.items():
            if path[0] in ("plain", "wide", "made") and path[3] != MARKER and (wrong := history.wrong(path, value, asked, answered)):
                problems.append(f"{path}: {wrong}") if path not in history._by_path else None
        for ident in {ident for writer in self.load.writers for ident in writer.lists}:
            path = ("lists", ident, None, "l")
            problems += [f"list {ident}: {wrong}" for wrong in wrong_list(history, path, seen.get(path, []), asked, answered)]
        for path in history.counters:
            if wrong := history.wrong_counter(path, seen.get(path)):
                problems.append(f"{path}: {wrong}")
        for writer in self.load.writers:
            for ident, register in writer.registers().items():
                if wrong := register.wrong(seen.get(("cas", ident, None, "v"))):
                    problems.append(f"conditional row {ident}: {wrong}")
        return problems

    def _read_all(self, side: str) -> dict[tuple, Any]:
        """Every cell of the tenant on one cluster."""
        seen: dict[tuple, Any] = {}

        def rows(table: str, columns: str) -> Any:
            return self._stage.execute(side, f"SELECT {columns} FROM {self._keyspace}.{table} WHERE {TENANT} = {self._tenant} ALLOW FILTERING")
        for row in rows("plain", "id, c, a, b, s, tags, props"):
            if row.c is not None:
                seen["plain", row.id, row.c, MARKER] = True
            if row.s is not None:
                seen["plain", row.id, None, "s"] = row.s
            for name in "ab":
                if getattr(row, name) is not None:
                    seen["plain", row.id, row.c, name] = getattr(row, name)
            for tag in row.tags or ():
                seen["plain", row.id, row.c, "tags", tag] = True
            for name, value in (row.props or {}).items():
                seen["plain", row.id, row.c, "props", name] = value
        for row in rows("wide", "c, n, v"):
            seen["wide", None, row.c, MARKER] = True
            for name in "nv":
                if getattr(row, name) is not None:
                    seen["wide", None, row.c, name] = getattr(row, name)
        for row in rows("lists", "id, l"):
            seen["lists", row.id, None, "l"] = list(row.l or [])
        for row in rows("counts", "id, n, m"):
            for name in "nm":
                if getattr(row, name) is not None:
                    seen["counts", row.id, None, name] = getattr(row, name)
        for row in rows("cas", "id, v"):
            if row.v is not None:
                seen["cas", row.id, None, "v"] = row.v
        for row in rows("made", "id, u, t, note"):
            for name in ("u", "t", "note"):
                if getattr(row, name) is not None:
                    seen["made", row.id, None, name] = getattr(row, name)
        return seen

    def write_down(self, where: Path) -> Path:
        """All that is known of a round that failed."""
        where.mkdir(parents=True, exist_ok=True)
        path = where / f"{self._name}.json"
        requests = [op.told() for op in self.load.history.ops] if self.load else []
        path.write_text(json.dumps({"tenant": str(self._tenant), "keyspace": self._keyspace, "problems": self.problems,
                                    "requests": requests}, indent=1))
        if self.process and self.process.log.exists():
            shutil.copy(self.process.log, where / f"{self._name}.log")
        return path


def _row(table: str, key: str) -> tuple[str, int | None, int | None]:
    """As the history names it, from the comparer's words."""
    parts = dict(part.split("=") for part in key.split(", "))
    return (table.partition(".")[2], int(parts["id"]) if "id" in parts else None, int(parts["c"]) if "c" in parts else None)


def make_tables(stage: Stage, keyspace: str) -> None:
    for side in SIDES:
        stage.execute(side, f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
        for name, definition in TABLES.items():
            stage.execute(side, f"CREATE TABLE IF NOT EXISTS {keyspace}.{name} {definition}")


def drop_tables(stage: Stage, keyspace: str) -> None:
    for side in SIDES:
        stage.execute(side, f"DROP KEYSPACE IF EXISTS {keyspace}")
