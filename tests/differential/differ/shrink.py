"""Makes a failing sequence short: delta debugging over whole steps, then over what a step has of its own."""

from __future__ import annotations

import time
from collections.abc import Callable

from .steps import Step


def shrink(steps: list[Step], fails: Callable[[list[Step]], bool], seconds: float = 60.0) -> list[Step]:
    """The shortest sequence found within `seconds` that still fails. The last step is the one whose answer differed, and
    stays."""
    deadline = time.monotonic() + seconds

    def in_time() -> bool:
        return time.monotonic() < deadline

    body, last = steps[:-1], steps[-1:]
    parts = 2
    while body and in_time():
        size = max(1, len(body) // parts)
        for at in range(0, len(body), size):
            if not in_time():
                return body + last
            without = body[:at] + body[at + size:]
            if fails(without + last):
                body = without
                parts = max(2, parts - 1)
                break
        else:
            if size == 1:
                break
            parts = min(len(body), parts * 2)
    for option in ("tracing", "payload", "serial", "skip_metadata", "consistency", "page_size", "pages", "timestamp"):
        if option in last[0] and in_time():
            plain = [{key: value for key, value in last[0].items() if key != option}]
            if fails(body + plain):
                last = plain
    return body + last


def relevant(steps: list[Step]) -> list[Step]:
    """A first guess, so that shrinking has little left to do: what touches the tables of the last step, the schema, and
    the connection's keyspace."""
    last = steps[-1]
    tables = set(last.get("tables", ()))
    return [step for step in steps[:-1]
            if step.get("ddl") or step.get("reconnect") or step.get("text", "").lower().startswith("use")
            or tables.intersection(step.get("tables", ())) and not (step.get("reads") and step["kind"] != "prepare")] + [last]
