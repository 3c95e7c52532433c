"""A lane: one client with a keyspace of its own, whose every step goes to the proxy and to the clusters that judge it."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from . import answers, known, steps, wire
from .answers import Answer
from .schema import KEYSPACE
from .steps import Step

# A server whose cache is full may forget a statement at once, until it was asked for often enough.
MAX_PREPARES = 20
LAST_SENT = 3


class Gone(Exception):
    """Nobody answers any more at the address of someone who is asked: not this request alone, no connection at all."""

    def __init__(self, endpoint: "Endpoint", error: object) -> None:
        super().__init__(f"{endpoint.name} at {endpoint.address} is gone: {error}")
        self.name = endpoint.name
        self.told: list[str] = []   # the statements that it was sent last

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(["The last statements that were sent there:"] if self.told else []),
                          *(f"  {line}" for line in self.told)])

    @property
    def is_proxy(self) -> bool:
        return self.name == "proxy"


@dataclass
class Prepared:
    id: bytes
    metadata_id: bytes
    columns: list[tuple]
    text: str
    keyspace: str | None    # that was in use


class Endpoint:
    """One of those who are asked: its connection, the name that the lane's keyspace has there, what was prepared."""

    def __init__(self, name: str, address: str, keyspace: str, version: int, login: tuple[str, str] | None) -> None:
        self.name, self.address, self.keyspace, self.version, self._login = name, address, keyspace, version, login
        # Cassandra puts brackets around what it does not understand, perhaps in the middle of the name.
        self._in_brackets = re.compile(b"([][]?)".join(re.escape(letter).encode() for letter in keyspace))
        self.prepared: dict[str, Prepared] = {}
        self._connection: wire.Connection | None = None
        self._sent: tuple[Step, bytes | None] | None = None
        self.last: deque[Step] = deque(maxlen=LAST_SENT)   # what was sent to it, the newest at the end
        self.waits = False                                 # for the answer to that one
        self._used: str | None = None                      # the connection's keyspace

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection, self._used = None, None

    def can_send(self, step: Step) -> bool:
        return steps.slots_used(step) <= self.prepared.keys()

    def must_live(self, timeout: float = 30.0) -> None:
        """Raises Gone where no new connection can be made."""
        try:
            wire.Connection(self.address, self.version, timeout, self._login).close()
        except wire.Lost as error:
            raise Gone(self, error) from error

    def begin(self, step: Step, paging_state: bytes | None = None) -> None:
        """Sends; `finish` reads the answer. In between, the others are sent theirs."""
        if self._connection is None:
            self._connection = wire.Connection(self.address, self.version, login=self._login)
        opcode, body, flags = steps.encode(step, self.version, self.prepared, paging_state)
        self._sent = (step, paging_state)
        self.last.append(step)
        self.waits = True
        self._connection.send(opcode, steps.mapped(body, self.keyspace), flags)

    def finish(self) -> Answer:
        step, paging_state = self._sent
        answer = self._received(step)
        # As every driver does: prepare again what the server forgot, and ask again. In the keyspace that it was prepared in, as
        # the proxy does too; drivers take the session's of now, and end with an error after another USE.
        for _ in range(MAX_PREPARES):
            if answer.code != answers.UNPREPARED:
                break
            refusal = self._prepare_again(step, answer.id)
            if refusal is not None:   # What a driver tells the application.
                return refusal
            self.begin(step, paging_state)
            answer = self._received(step)
        if step["kind"] == "prepare" and not answer.is_error:
            self.prepared[step["slot"]] = Prepared(answer.id, answer.metadata_id, answer.columns, step["text"], self._used)
        elif answer.shown.get("keyspace"):
            self._used = answer.shown["keyspace"]
        elif step["kind"] == "execute" and answer.shown.get("metadata_changed"):
            prepared = self.prepared[step["slot"]]
            prepared.metadata_id, prepared.columns = answer.metadata_id, answer.columns or prepared.columns
        return answer

    def _received(self, step: Step, connection: wire.Connection | None = None) -> Answer:
        try:
            frame = (connection or self._connection).receive()
        except wire.Lost:
            self.close()
            raise
        self.waits = False
        body = frame.body.replace(self.keyspace.encode(), KEYSPACE.encode())
        if frame.opcode == wire.ERROR:
            body = self._in_brackets.sub(_bracketed, body)
        frame = wire.Frame(frame.flags, frame.stream, frame.opcode, body)
        known_columns = None
        if step["kind"] == "execute" and step["slot"] in self.prepared:
            known_columns = self.prepared[step["slot"]].columns
        return answers.decode(frame, self.version, known_columns)

    def _prepare_again(self, step: Step, forgotten: bytes) -> Answer | None:
        """Nothing when it is prepared; else the answer that it ends with."""
        for slot in steps.slots_used(step):
            prepared = self.prepared.get(slot)
            if prepared is None or prepared.id != forgotten:
                continue
            again: Step = {"kind": "prepare", "slot": slot, "text": prepared.text}
            answer = self._prepared_in(prepared.keyspace, again)
            if answer.is_error:
                return answer
            self.prepared[slot] = Prepared(answer.id, answer.metadata_id, answer.columns, prepared.text, prepared.keyspace)
            return None
        return Answer({"opcode": wire.ERROR, "code": answers.UNPREPARED, "message": "Prepared query", "more": ""})

    def _prepared_in(self, keyspace: str | None, step: Step) -> Answer:
        connection = self._connection
        aside = keyspace != self._used
        if aside:
            connection = wire.Connection(self.address, self.version, login=self._login)
        try:
            if aside and keyspace:
                use: Step = {"kind": "query", "text": f"USE {keyspace}"}
                self._send(connection, use)
                self._received(use, connection)
            self._send(connection, step)
            return self._received(step, connection)
        finally:
            if aside:
                connection.close()

    def _send(self, connection: wire.Connection, step: Step) -> None:
        opcode, body, flags = steps.encode(step, self.version, self.prepared)
        connection.send(opcode, steps.mapped(body, self.keyspace), flags)


def _bracketed(found: re.Match[bytes]) -> bytes:
    """The stand-in for the name, with the brackets at the same places."""
    letters = KEYSPACE.encode()
    return b"".join(letters[at:at + 1] + bracket for at, bracket in enumerate((*found.groups(), b"")))


@dataclass
class Failure:
    step: Step
    found: list[str]
    number: int = 0
    phase: str = ""

    def __str__(self) -> str:
        return f"step {self.number} in {self.phase}: {describe(self.step)}\n      " + "\n      ".join(self.found)


def describe(step: Step) -> str:
    shown = {key: value for key, value in step.items() if key not in ("tables", "loose")}
    text = str(shown)
    return text if len(text) < 1200 else text[:1000] + "…"


@dataclass
class Lane:
    """Sends steps in order and compares. The judge is the direct cluster of the phase's primary."""

    proxy: Endpoint
    direct: dict[str, Endpoint]          # by side: source, and target where that is another
    counts: dict[str, int] = field(default_factory=dict)
    tainted: set[str] = field(default_factory=set)   # tables of which the target is no judge
    forked: set[str] = field(default_factory=set)    # tables of which nobody is

    def close(self) -> None:
        for endpoint in (self.proxy, *self.direct.values()):
            endpoint.close()

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def run(self, step: Step, side: str) -> Failure | None:
        """`side`: source or target, who is primary now."""
        step = steps.resolved(step)
        if step.get("reconnect"):
            self.close()
            return None
        everyone = [self.proxy, *self.direct.values()]
        judge = list(self.direct).index(side) + 1 if side in self.direct else 1
        able = [one.can_send(step) for one in everyone]
        if not any(able):
            self.count("not sent")
            return None
        if not all(able):
            if len(everyone) < 3:
                return Failure(step, [f"prepared on {[one.name for one, can in zip(everyone, able) if can]} alone"])
            # One version refused to prepare it, and was primary then or is now.
            self._part_ways(step)
            if not (able[0] and able[judge]):
                self.count("not compared: prepared by one version")
                return None
            everyone, judge = [everyone[0], everyone[judge]], 1
        states: list[bytes | None] = [None] * len(everyone)
        for page in range(step.get("pages", 1)):
            replies = self._ask(everyone, step, states)
            if isinstance(replies, Failure):
                return replies
            if page == 0:
                self._taint(step, replies[1:])
            found = self._compare(step, replies[0], replies[judge], side)
            if found:
                return Failure(step, ([f"page {page + 1}"] if page else []) + found)
            states = [replies[0].paging_state, replies[judge].paging_state]
            if None in states:
                break
            everyone, judge = [everyone[0], everyone[judge]], 1   # Nobody else's next page says more.
        return None

    def _ask(self, everyone: list[Endpoint], step: Step, states: list[bytes | None]) -> list[Answer] | Failure:
        try:
            for endpoint, state in zip(everyone, states):
                endpoint.begin(step, state)
        except wire.Lost as error:
            return self._lost(step, endpoint, error)
        replies: list[Answer] = []
        for endpoint in everyone:
            try:
                replies.append(endpoint.finish())
            except (wire.Lost, answers.Malformed) as error:
                return self._lost(step, endpoint, error)
        return replies

    def _lost(self, step: Step, endpoint: Endpoint, error: Exception) -> Failure:
        """No answer is a difference, unless there is nobody left to give one."""
        self.close()
        for one in (*self.direct.values(), self.proxy):   # The proxy may have lost its answer with the cluster behind it.
            one.must_live()
        return Failure(step, [f"{endpoint.name}: {error}"])

    def last_sent(self, name: str) -> list[str]:
        """What `name` was asked last, in words."""
        endpoint = next(one for one in (self.proxy, *self.direct.values()) if one.name == name)
        shown = [describe(step) for step in endpoint.last]
        if shown and endpoint.waits:
            shown[-1] += "   (not answered)"
        return shown

    def _taint(self, step: Step, directs: list[Answer]) -> None:
        """Where the two clusters themselves do not agree on a write, the target alone is no judge of the table any more:
        what the target of the proxy has is what the source said."""
        if len(directs) == 2 and directs[0].is_error != directs[1].is_error:
            self._part_ways(step)

    def _part_ways(self, step: Step) -> None:
        if not step.get("reads"):
            self.tainted.update(step.get("tables", ()))
            self.count("versions differ")

    def _compare(self, step: Step, ours: Answer, theirs: Answer, side: str) -> list[str]:
        if answers.UNPREPARED in (ours.code, theirs.code) and ours.code != theirs.code:
            # A server whose cache is full of statements in use may forget others as soon as they are prepared, for as long as
            # it is asked: no application gets further there, and one of the two has not done what the other did.
            if not step.get("reads"):
                self.forked.update(step.get("tables", ()))
            self.count("not compared: forgotten by a server as soon as it was prepared")
            return []
        if self.forked.intersection(step.get("tables", ())):
            self.count("not compared: a write before it was forgotten")
            return []
        if side == "target" and self.tainted.intersection(step.get("tables", ())):
            self.count("not compared: versions differ")
            return []
        found = answers.differences(ours, theirs, step.get("loose", {}))
        if not found:
            self.count("error " + f"{ours.code:04x}" if ours.is_error else "answered")
            return []
        reason = known.reason(step, ours, theirs)
        if reason:
            self.count(f"known: {reason}")
            return []
        return found
