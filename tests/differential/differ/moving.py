"""Moves the migration by the admin API, each step by its proper verbs and through its gates."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

from .schema import KEYSPACE

PHASES = ["source_only", "shadow_async", "shadow_sync", "target_primary", "target_only"]
SIDE = {"source_only": "source", "shadow_async": "source", "shadow_sync": "source", "target_primary": "target",
        "target_only": "target"}


class CannotMove(Exception):
    """A gate stays closed, or the admin address does not answer."""


class Migration:
    """One migration of all keyspaces of a run, made when it starts."""

    def __init__(self, admin: str, name: str, keyspaces: list[str]) -> None:
        self._admin, self._name = admin, name
        self.phase = "source_only"
        self.problems: list[str] = []
        self._ask("POST", "/v1/migrations", {"name": name, "tables": {"allow": [f"{keyspace}.*" for keyspace in keyspaces]}})

    def move(self, phase: str, within: float = 120.0) -> None:
        """One phase forward. Waits for what is owed, since that gate opens by itself."""
        if phase == self.phase:
            return
        if PHASES.index(phase) != PHASES.index(self.phase) + 1:
            raise CannotMove(f"{phase} does not follow {self.phase}")
        if phase == "target_primary":
            self.drained()
            self._verified()
        verb, body = ("complete", {}) if phase == "target_only" else ("switch", {"to": phase})
        deadline = time.monotonic() + within
        while True:
            status, told = self._ask("POST", f"/v1/migrations/{self._name}/{verb}", body, refusals=True)
            if status < 400:
                break
            closed = [gate for gate in told.get("gates", []) if not gate["passed"]]
            if [gate["gate"] for gate in closed] != ["journal_drained"] or time.monotonic() > deadline:
                raise CannotMove(f"{verb} to {phase}: {told.get('error', told)} {closed}")
            time.sleep(0.1)
        self.phase = phase

    def job(self, verb: str, within: float = 300.0, **body: Any) -> dict:
        """copy or verify, to its end."""
        job = self._ask("POST", f"/v1/migrations/{self._name}/{verb}", body)[1]
        deadline = time.monotonic() + within
        while job["state"] == "running":
            if time.monotonic() > deadline:
                raise CannotMove(f"{verb} did not end within {within:.0f} s: {job['progress']}")
            time.sleep(0.05)
            job = self._ask("GET", f"/v1/jobs/{job['id']}")[1]
        if job["state"] != "done":
            raise CannotMove(f"{verb} {job['state']}: {job.get('error')}")
        return job

    def _verified(self) -> None:
        """What differs is told at the end; the next phases are tested all the same."""
        result = self.job("verify")["result"]
        if result["differences"]:
            self.problems.append(f"verify found {result['differences']} differences before the switch")
            self.problems += [f"  {json.dumps(sample)}" for sample in result["samples"][:10]]
            self.job("verify", repair=True)
            self.job("verify")

    def drained(self, within: float = 120.0) -> None:
        deadline = time.monotonic() + within
        while (owed := self._ask("GET", f"/v1/migrations/{self._name}")[1]["owed"]) > 0:
            if time.monotonic() > deadline:
                raise CannotMove(f"{owed} writes are still owed after {within:.0f} s")
            time.sleep(0.05)

    def _ask(self, method: str, path: str, body: Any = None, refusals: bool = False) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self._admin}{path}", data=data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            told = error.read().decode(errors="replace")
            if not refusals:
                raise CannotMove(f"{method} {path}: {error.code} {told}") from None
            try:
                return error.code, json.loads(told)
            except ValueError:
                raise CannotMove(f"{method} {path}: {error.code} {told}") from None
        except OSError as error:
            raise CannotMove(f"{method} {path} on {self._admin}: {error}") from None


def keyspace_name(run: str, lane: int, side: str) -> str:
    """`run` has six characters; of the length of KEYSPACE, so that no length in a frame changes, and different in the last
    character alone: where a server's message cuts a name off, it says the same of both."""
    return f"df_{run}_{lane:03d}{side}"
