"""The one table of differences that are right, each with its reason. It is to stay short: an entry hides bugs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .answers import Answer, differences
from .steps import Step


@dataclass(frozen=True)
class Known:
    name: str
    reason: str
    applies: Callable[[Step, Answer, Answer], bool]


def _both_refuse(step: Step, ours: Answer, theirs: Answer) -> bool:
    return step["kind"] == "raw" and ours.code in (0x0000, 0x000A) and theirs.code in (0x0000, 0x000A)


def _prepared_behind(step: Step, ours: Answer, theirs: Answer) -> bool:
    if step["kind"] not in ("execute", "batch") or not ours.is_error or not theirs.is_error:
        return False
    return {k: v for k, v in ours.shown.items() if k != "traced"} == {k: v for k, v in theirs.shown.items() if k != "traced"}


def _columns_said_again(step: Step, ours: Answer, theirs: Answer) -> bool:
    def rest(answer: Answer) -> dict:
        return {key: value for key, value in answer.shown.items() if key not in ("columns", "no_metadata", "metadata_changed")}
    return (step["kind"] == "execute" and not ours.no_metadata and ours.columns == (theirs.columns or theirs.known)
            and not differences(Answer(rest(ours), rows=ours.rows), Answer(rest(theirs), rows=theirs.rows), step.get("loose", {})))


def _cannot_read(step: Step, ours: Answer, theirs: Answer) -> bool:
    # In Cassandra's words: the proxy has its own for a cluster that does not answer it.
    said = str(ours.shown.get("message", "")).startswith(("Operation timed out - received only ", "Operation failed - received "))
    return bool(step.get("reads")) and (theirs.code in (0x1200, 0x1300) or (ours.code in (0x1200, 0x1300) and said))


def _full_last_page(step: Step, ours: Answer, theirs: Answer) -> bool:
    rest = [{**answer.shown, "more_pages": None} for answer in (ours, theirs)]
    columns = ours.columns or ours.known
    own = bool(columns) and columns[0][:2] in (("system", "local"), ("system", "peers"))
    own = own or re.search(r"from\s+system\.(local|peers)", step.get("text", ""), re.IGNORECASE) is not None
    return (own and not ours.shown.get("more_pages")
            and len(theirs.rows) == step.get("page_size") and rest[0] == rest[1])


def _but_for_warnings(step: Step, ours: Answer, theirs: Answer, *part_of_warning: str) -> bool:
    def rest(answer: Answer) -> dict:
        kept = [one for one in answer.shown.get("warnings", []) if not any(part in one for part in part_of_warning)]
        return {**answer.shown, "warnings": kept}
    return not differences(Answer(rest(ours), rows=ours.rows), Answer(rest(theirs), rows=theirs.rows), step.get("loose", {}))


KNOWN: list[Known] = [
    Known("malformed frame",
          "A frame whose body cannot be decoded is refused by the proxy itself, before any cluster sees it: the code is "
          "the protocol error that the specification names where Cassandra sometimes says server error with a Java "
          "exception, and the text is the proxy's own.", _both_refuse),
    Known("trace of a refused prepare",
          "Where a statement can no longer be prepared, its client gets the refusal of the PREPARE; only direct "
          "clients know that this was another request, without the tracing flag.", _prepared_behind),
    Known("columns said again",
          "The clients of the proxy share their prepared statements. After the columns of one have changed, it cannot know who of "
          "them has prepared again: rows come with their columns even where the client asked for none.",
          _columns_said_again),
    Known("Cassandra cannot read",
          "Deletions of ranges make Cassandra fail some reads of its own (\"has an open RT bound as its last item\"), by how the "
          "cells lie on its disk at that moment: the same read of the same rows in another keyspace may do.",
          _cannot_read),
    Known("full last page",
          "Where a page ends with the last row, Cassandra promises another one, which is empty. The proxy knows its own tables.",
          _full_last_page),
    Known("warning about USE",
          "Cassandra warns once per connection that unqualified names are prepared after USE, with an id made of the "
          "keyspace's name. The proxy's connections are shared by many clients, so the warning comes to some of them, and "
          "not at the same statement.",
          lambda step, ours, theirs: _but_for_warnings(step, ours, theirs, "prepared statements is considered to be an anti-pattern")),
    Known("number of tables",
          "Cassandra warns of many tables and says how many it has: those of all who use it at that moment.",
          lambda step, ours, theirs: _but_for_warnings(step, ours, theirs, "Cluster already contains")),
]


def reason(step: Step, ours: Answer, theirs: Answer) -> str | None:
    """The name of the entry that explains the difference."""
    for entry in KNOWN:
        if entry.applies(step, ours, theirs):
            return entry.name
    return None
