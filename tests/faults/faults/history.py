"""What each request meant to do, what became of it, and which contents of a cell that allows.

The rule is the one of CQL: of all writes to a cell the one with the highest timestamp stands. Where a request gives its
timestamp we know it; where Penumbra or a server gives it, it lies between the moments at which the request began and
ended, by the same clock (all of this runs on one machine; on several, their skew belongs into `SLACK`). So:

- an acknowledged write is there, or something stands in its place that may be newer;
- a refused write is nowhere;
- one of unknown fate may be there or not, for ever.

Every write writes values that no other one writes, so that a value names its writer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Path = tuple      # (table, partition, clustering, column, element), shorter for what lies above
SLACK = 1500      # µs. Cassandra dates a conditional write by the millisecond, and may have stopped its clock for one.
# Expiry is counted in whole seconds of the server's clock, and what is copied or replayed gets what is left of it, rounded.
TTL_SLACK, COPIED_TTL_SLACK = 1_700_000, 3_500_000

DELETED = object()
ANY = object()    # A value that the server made (uuid(), now()): whatever stands there may be this.

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"


@dataclass(frozen=True)
class Effect:
    path: Path
    value: Any = DELETED
    ttl: int | None = None           # seconds
    clustering: tuple[int, int] | None = None   # a deletion of this range of clustering keys, ends included
    maybe: bool = False              # what it hits depends on what stood there (list indexes): excuses, never binds


@dataclass
class Op:
    number: int
    client: int
    kind: str
    text: str
    effects: list[Effect]
    began: int                       # µs since 1970
    timestamp: int | None = None     # where the request gives one
    ended: int | None = None
    outcome: str | None = None
    detail: str = ""
    lost: bool = False               # no answer at all: the connection ended
    slack: int = SLACK

    @property
    def low(self) -> int:
        return self.timestamp if self.timestamp is not None else self.began - self.slack

    @property
    def high(self) -> int:
        if self.timestamp is not None:
            return self.timestamp
        return self.ended + self.slack if self.outcome == OK and self.ended is not None else 1 << 62

    def acknowledged_by(self, moment: int) -> bool:
        return self.outcome == OK and self.ended is not None and self.ended <= moment

    def told(self) -> dict:
        return {"number": self.number, "client": self.client, "kind": self.kind, "text": self.text, "began": self.began,
                "ended": self.ended, "timestamp": self.timestamp, "outcome": self.outcome, "detail": self.detail}


def beneath(path: Path, above: Path) -> bool:
    return path[:len(above)] == above


class History:
    """All requests of a round. Clients add to it from their threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.slack = SLACK          # of times that Penumbra gives: more where its clock is stepped
        self.ops: list[Op] = []
        self._by_path: dict[Path, list[tuple[Op, Effect]]] = {}
        self.counters: dict[Path, list[tuple[Op, int]]] = {}

    def add(self, op: Op) -> None:
        """Before the request is sent: from then on its values may be seen."""
        with self._lock:
            op.number, op.slack = len(self.ops), self.slack
            self.ops.append(op)
            for effect in op.effects:
                if effect.path[0] == "counts":
                    self.counters.setdefault(effect.path, []).append((op, effect.value))
                else:
                    self._by_path.setdefault(effect.path, []).append((op, effect))

    def cells(self) -> list[Path]:
        with self._lock:
            return [path for path, held in self._by_path.items() if any(effect.value is not DELETED for _, effect in held)]

    def cells_beneath(self, above: Path) -> list[Path]:
        return [path for path in self.cells() if beneath(path, above)]

    def touching(self, path: Path) -> list[tuple[Op, Effect]]:
        """Everything that writes or deletes this cell, whatever became of it."""
        found: list[tuple[Op, Effect]] = []
        with self._lock:
            for length in range(1, len(path) + 1):
                for op, effect in self._by_path.get(path[:length], ()):
                    if effect.clustering and not (path[2] is not None and
                                                  effect.clustering[0] <= path[2] <= effect.clustering[1]):
                        continue
                    # Deletions of rows leave the partition's static columns alone; those of the partition do not.
                    found.append((op, effect))
        return found

    # --- judging ---

    def wrong(self, path: Path, seen: Any, asked: int, answered: int) -> str | None:
        """Why `seen` (None: nothing) may not stand in this cell for a read that lasted from `asked` to `answered`."""
        touching = [(op, effect) for op, effect in self.touching(path) if op.began <= answered and op.outcome != FAILED]
        binding = [(op, effect) for op, effect in touching if op.acknowledged_by(asked) and not effect.maybe]
        if seen is None:
            writes = [(op, effect) for op, effect in binding if effect.value is not DELETED]
            if not writes:
                return None
            for op, effect in touching:
                gone = effect.value is DELETED or _may_have_expired(op, effect, answered)
                # At one timestamp a deletion beats a value; but what an overwrite removes lies just below what it writes.
                if gone and all(other.low <= op.high and (other is not op or effect.ttl) for other, _ in writes):
                    return None
            latest = max(writes, key=lambda each: each[0].low)[0]
            return f"nothing is there, though {_named(latest)} was acknowledged and nothing may have removed it"
        writers = [(op, effect) for op, effect in touching
                   if effect.value is ANY or (effect.value is not DELETED and effect.value == seen)]
        if not writers:
            liars = [op for op, effect in self.touching(path) if effect.value == seen]
            return (f"{seen!r} is there, though {_named(liars[0])} was refused" if liars
                    else f"{seen!r} is there, which nobody wrote")
        reasons = []
        for op, effect in writers:
            above = [other for other, _ in binding if other is not op and other.low > op.high]
            if above:
                reasons.append(f"{seen!r} of {_named(op)} is there, though {_named(above[-1])} came after it and was "
                               f"acknowledged")
            elif _must_have_expired(op, effect, asked):
                reasons.append(f"{seen!r} of {_named(op)} is there, though it had {effect.ttl} s to live")
            else:
                return None
        # Every writer of an element of a set writes the same: the one that ran out says more than those before it.
        return next((reason for reason in reasons if reason.endswith(" s to live")), reasons[0])

    def wrong_counter(self, path: Path, seen: int | None) -> str | None:
        held = self.counters[path]
        sure = sum(change for op, change in held if op.outcome == OK)
        doubtful = [change for op, change in held if op.outcome == UNKNOWN]
        low, high = sure + sum(c for c in doubtful if c < 0), sure + sum(c for c in doubtful if c > 0)
        if low <= (seen or 0) <= high:
            return None
        return f"the counter is {seen}, though it must be {low}" + (f" to {high}" if high != low else "")


def wrong_list(history: History, path: Path, seen: list[int], asked: int, answered: int) -> list[str]:
    """A list of elements that were each added once, by one client."""
    problems = [f"{value} stands in the list twice" for value in sorted({v for v in seen if seen.count(v) > 1})]
    for cell in set(history.cells_beneath(path)) | {(*path, value) for value in seen}:
        if reason := history.wrong(cell, cell[-1] if cell[-1] in seen else None, asked, answered):
            problems.append(f"element {cell[-1]}: {reason}")
    # Of two that were put at the same end, one surely after the other, the places are known.
    added: dict[int, tuple[Op, str]] = {}
    for value in seen:
        for op, effect in history.touching((*path, value)):
            if effect.path == (*path, value) and effect.value is not DELETED:
                added[value] = (op, op.kind)
    for place, (one, other) in enumerate(zip(seen, seen[1:])):
        if one not in added or other not in added:
            continue
        (first, first_kind), (second, second_kind) = added[one], added[other]
        if first_kind == second_kind == "list append" and second.ended is not None and second.ended < first.began and second.outcome == OK:
            problems.append(f"{one} stands before {other} at place {place}, though it was appended after it")
        if first_kind == second_kind == "list prepend" and first.ended is not None and first.ended < second.began and first.outcome == OK:
            problems.append(f"{one} stands before {other} at place {place}, though it was prepended before it")
    return problems


def _may_have_expired(op: Op, effect: Effect, moment: int) -> bool:
    # Servers count from their own now, whatever the timestamp says.
    return effect.ttl is not None and op.began + effect.ttl * 1_000_000 <= moment + TTL_SLACK


def _must_have_expired(op: Op, effect: Effect, moment: int) -> bool:
    end = op.ended if op.ended is not None and op.outcome == OK else None
    return effect.ttl is not None and end is not None and end + effect.ttl * 1_000_000 + COPIED_TTL_SLACK < moment


def _named(op: Op) -> str:
    return f"request {op.number} ({op.kind}, client {op.client})"


@dataclass
class Register:
    """The states that a row may be in which only conditional writes touch, one client after another.

    One whose fate is unknown may happen at any time later, as long as its condition holds then."""

    states: set[int | None] = field(default_factory=lambda: {None})
    doubtful: list[tuple[int | None, int | None]] = field(default_factory=list)   # (expected, new)

    def _closed(self) -> None:
        while True:
            more = {new for expected, new in self.doubtful if expected in self.states} - self.states
            if not more:
                return
            self.states |= more

    def applied(self, expected: int | None, new: int | None) -> str | None:
        possible = expected in self.states
        self.states = {new}
        self._closed()
        return None if possible else f"a condition on {expected} held, which was not there"

    def refused(self, expected: int | None) -> str | None:
        possible = bool(self.states - {expected})
        self.states.discard(expected)
        self._closed()
        if possible:
            return None
        self.states = {expected}
        return f"a condition on {expected} did not hold, though nothing else can be there"

    def unknown(self, expected: int | None, new: int | None) -> None:
        self.doubtful.append((expected, new))
        self._closed()

    def wrong(self, seen: int | None) -> str | None:
        return None if seen in self.states else f"{seen} is there, and only {_listed(self.states)} may be"


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(str(value) for value in sorted(values, key=str))
