"""A run: lanes side by side, portion by portion, with the migration moved in between."""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from . import wire
from .lane import Endpoint, Failure, Gone, Lane, describe
from .moving import PHASES, SIDE, CannotMove, Migration, keyspace_name
from .shrink import relevant, shrink
from .steps import Step
from .stream import Stream


@dataclass
class Pair:
    """Who is asked. `direct` judges: where it is left out, source and target do, in keyspaces of their own."""

    proxy: str
    source: str | None = None
    target: str | None = None
    direct: str | None = None
    admin: str | None = None
    login: tuple[str, str] | None = None

    def directs(self) -> dict[str, str]:
        if self.direct:
            return {"source": self.direct, **({"target": self.target} if self.target else {})}
        return {side: address for side, address in (("source", self.source), ("target", self.target)) if address}


@dataclass
class Options:
    statements: int = 20000
    seed: int = 1
    lanes: int = 4
    version: int = 4
    phases: list[str] = field(default_factory=lambda: list(PHASES))
    tables: int = 6
    vectors: bool = False
    most_failures: int = 20    # of a lane; then it stops
    shrinks: int = 5
    shrink_seconds: float = 60.0   # for one failure
    reproductions: Path | None = None
    keep: bool = False
    without_system: bool = False
    without_changes: bool = False


@dataclass
class Found:
    lane: int
    failure: Failure
    steps: list[Step]            # all of the lane up to here
    phases: list[str]            # of each step


@dataclass
class Work:
    """One lane's thread."""

    number: int
    lane: Lane
    stream: Stream
    done: list[Step] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    stopped: bool = False
    error: str | None = None

    def run(self, steps: list[Step], phase: str, most: int) -> None:
        for step in steps:
            if self.stopped:
                return
            self.done.append(step)
            self.phases.append(phase)
            failure = self.lane.run(step, SIDE[phase])
            if failure:
                failure.number, failure.phase = len(self.done), phase
                self.found.append(Found(self.number, failure, list(self.done), list(self.phases)))
                self.stopped = len(self.found) >= most


class Run:
    def __init__(self, pair: Pair, options: Options) -> None:
        self.pair, self.options = pair, options
        self.name = secrets.token_hex(3)
        self.found: list[Found] = []
        self.counts: Counter[str] = Counter()
        self.statements = 0
        self.seconds: dict[str, float] = {}
        self.problems: list[str] = []

    def keyspaces(self, side: str) -> list[str]:
        return [keyspace_name(self.name, number, side) for number in range(self.options.lanes)]

    def make_lane(self, number: int, run: str | None = None, primary: str | None = None) -> Lane:
        run = run or self.name
        ours, theirs = keyspace_name(run, number, "p"), keyspace_name(run, number, "d")
        version, login = self.options.version, self.pair.login
        directs = self.pair.directs()
        return Lane(Endpoint("proxy", self.pair.proxy, ours, version, login),
                    {side: Endpoint(f"direct {side}", address, theirs, version, login) for side, address in directs.items()})

    def execute(self) -> bool:
        """All portions. True if every answer was the same. Raises Gone when a cluster that judges has ended: nothing is
        known of the proxy then. A proxy that has ended is a problem like others."""
        options = self.options
        works = [Work(n, self.make_lane(n), Stream(f"{options.seed}/{n}", options.version, options.tables, options.vectors,
                                                             options.without_system, options.without_changes))
                 for n in range(options.lanes)]
        migration = None
        if self.pair.admin:
            migration = Migration(self.pair.admin, f"df-{self.name}", self.keyspaces("p"))
        try:
            self._all(works, lambda work: work.run(work.stream.beginning(), options.phases[0], options.most_failures))
            self._portions(works, migration)
        except CannotMove as error:
            self._ask_for_the_living(works)   # Nothing may have moved because a cluster has ended.
            self.problems.append(str(error))
        except Gone as gone:
            gone.told = [f"lane {work.number}: {shown}" for work in works for shown in work.lane.last_sent(gone.name)]
            if not gone.is_proxy:
                raise
            self.problems.append(str(gone))
        finally:
            self.problems += migration.problems if migration else []
            for work in works:
                work.lane.close()
                self.found += work.found
                self.counts.update(work.lane.counts)
                self.statements += len(work.done)
                if work.error:
                    self.problems.append(f"lane {work.number}: {work.error}")
        self._shrink_all()
        if not options.keep:
            self._drop([(self.pair.proxy, "p")] + [(address, "d") for address in self.pair.directs().values()], self.name, options.lanes)
        return not self.found and not self.problems

    def _portions(self, works: list[Work], migration: Migration | None) -> None:
        options = self.options
        each = max(1, options.statements // (options.lanes * len(options.phases)))
        for at, phase in enumerate(options.phases):
            began = time.monotonic()
            if migration:
                migration.move(phase)
                if phase == "shadow_async":
                    migration.job("copy")
            self._all(works, lambda work: self._portion(work, phase, at, each))
            self.seconds[phase] = time.monotonic() - began
            print(f"  {phase}: {each * options.lanes} statements in {self.seconds[phase]:.1f} s, "
                  f"{sum(len(work.found) for work in works)} differences so far", flush=True)
            if migration and phase == "target_primary":
                migration.drained()
                self._compare_cells()

    @staticmethod
    def _ask_for_the_living(works: list[Work]) -> None:
        for endpoint in works[0].lane.direct.values():
            endpoint.must_live()

    def _portion(self, work: Work, phase: str, number: int, count: int) -> None:
        work.stream.portion(number)
        work.run([work.stream.next() for _ in range(count)], phase, self.options.most_failures)
        work.run(work.stream.sweep(), phase, self.options.most_failures)

    @staticmethod
    def _all(works: list[Work], do: "callable") -> None:
        gone: list[Gone] = []

        def safe(work: Work) -> None:
            try:
                do(work)
            except Gone as error:
                gone.append(error)
                for other in works:
                    other.stopped = True
            except Exception as error:  # noqa: BLE001  a thread's failure is the run's, told at the end
                work.error, work.stopped = repr(error), True
                traceback.print_exc()
        threads = [threading.Thread(target=safe, args=(work,)) for work in works if not work.stopped]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if gone:
            raise next((one for one in gone if not one.is_proxy), gone[0])

    # --- the end: both clusters have the same cells ---

    def _compare_cells(self) -> None:
        if not (self.pair.source and self.pair.target):
            return
        import compare  # Needs the stock driver; only here.
        found = compare.compare(self.pair.source, self.pair.target, self.keyspaces("p"), ranges=1, max_shown=30)
        self.counts["cells compared"] = found["cells_compared"]
        if found["differences"]:
            self.problems.append(f"{found['differences']} cells differ between source and target: {found['by_kind']}")
            self.problems += [json.dumps(one) for one in found["shown"][:10]]

    # --- making failures short ---

    def _shrink_all(self) -> None:
        """One of each shape, by what differs and how, since one bug shows many times."""
        groups: dict[str, list[Found]] = {}
        for found in self.found:
            groups.setdefault(_shape(found.failure), []).append(found)
        for number, (_, alike) in enumerate(sorted(groups.items(), key=lambda pair: -len(pair[1]))):
            found = min(alike, key=lambda one: one.failure.number)
            print(f"\n{len(alike)} times: lane {found.lane}, {found.failure}", flush=True)
            if number < self.options.shrinks:
                self._shrink(found)

    def _shrink(self, found: Found) -> None:
        steps = relevant(found.steps)
        phase = found.failure.phase
        fails = self._fails(SIDE[phase])
        made = steps if fails(steps) else found.steps if fails(found.steps) else None
        if made is None:
            print("      (not seen again when run alone in this phase: it needs the change of phase before it, or is a matter of time)")
            made = found.steps
        else:
            made = shrink(made, fails, self.options.shrink_seconds)
        self._store(found, made)

    def _fails(self, side: str) -> "callable":
        def fails(steps: list[Step]) -> bool:
            return replay(self, steps, side) is not None
        return fails

    def _store(self, found: Found, steps: list[Step]) -> None:
        where = self.options.reproductions
        if where:
            where.mkdir(parents=True, exist_ok=True)
            path = where / f"seed{self.options.seed}-lane{found.lane}-step{found.failure.number}.json"
            path.write_text(json.dumps({"seed": self.options.seed, "version": self.options.version, "phase": found.failure.phase,
                                        "found": found.failure.found, "steps": steps}, indent=1) + "\n")
            print(f"      {len(steps)} steps, run them again with --replay {path}")
        for step in steps[-6:]:
            print(f"        {describe(step)}")

    def _drop(self, where: list[tuple[str, str]], run: str, lanes: int) -> None:
        for address, side in where:
            try:
                connection = wire.Connection(address, self.options.version, 60, self.pair.login)
                for number in range(lanes):
                    text = f"DROP KEYSPACE IF EXISTS {keyspace_name(run, number, side)}"
                    connection.ask(wire.QUERY, wire.long_text(text) + b"\0\1" + (b"\0\0\0\0" if self.options.version >= 5 else b"\0"))
                connection.close()
            except wire.Lost as error:
                self.problems.append(f"cannot drop the keyspaces at {address}: {error}")


def _shape(failure: Failure) -> str:
    parts = [re.sub("[0-9]+|'[^']*'", "#", text)[:70] for text in failure.found]
    return f"{failure.step['kind']} {SIDE.get(failure.phase)} {'|'.join(parts)}"


def replay(run: Run, steps: list[Step], side: str) -> Failure | None:
    """The steps once more, in fresh keyspaces and in the proxy's default phase; the last failure, if it is the last
    step's."""
    name = secrets.token_hex(3)
    lane = run.make_lane(0, name)
    failure = None
    try:
        for step in steps:
            failure = lane.run(step, side)
    finally:
        lane.close()
        run._drop([(run.pair.proxy, "p")] + [(address, "d") for address in run.pair.directs().values()], name, 1)
    return failure
