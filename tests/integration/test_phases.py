"""Phases change on the running process while applications work, and whatever dies, nothing acknowledged is lost."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cassandra.policies import ConstantReconnectionPolicy
from cassandra.query import BatchStatement, BatchType

import compare as comparer
import load as loads
from load import Load
from support import CommandFailed, Penumbra, eventually

TENANT_COLUMN = "system_domain_id"


@pytest.fixture
def made(both, keyspace) -> str:
    """The load's table, on both clusters."""
    for session in both:
        session.execute(loads.TABLE.replace("{ks}", keyspace), timeout=60)
    return keyspace


@pytest.fixture
def tenants() -> list[uuid.UUID]:
    return [uuid.uuid4() for _ in range(3)]


def change(process: Penumbra, name: str, *verb: str) -> dict:
    """A change of phase; its gates may want the last writes to be paid first."""
    refused: list[str] = []

    def done() -> dict | None:
        try:
            return process.cli(verb[0], name, *verb[1:], "-o", "json")
        except CommandFailed as error:
            closed = {gate["gate"] for gate in error.json.get("gates", []) if not gate["passed"]}
            refused.append(error.out)
            if error.code != 1 or closed != {"journal_drained"}:
                raise
            return None
    return eventually(done, f"{verb} of {name} (refused: {refused[-1:]})")


def create(process: Penumbra, name: str, tenant: uuid.UUID, keyspace: str) -> None:
    process.cli("migration", "create", name, "--tenant", str(tenant), "--table", f"{keyspace}.*", "-o", "json")


def bring_to(process: Penumbra, name: str, phase: str, load: Load | None = None) -> None:
    """From source_only forward, each step by its proper verbs."""
    for at in ("shadow_async", "shadow_sync", "target_primary", "target_only"):
        change(process, name, *(["complete"] if at == "target_only" else ["switch", "--to", at]))
        if at == "shadow_async":
            process.cli("copy", name, "-o", "json")
        if load:
            load.more(60)
        if at == phase:
            return
        if at == "shadow_sync":
            process.cli("verify", name, "-o", "json")


def assert_equal(process: Penumbra, source, target, keyspace: str, tenant: uuid.UUID) -> None:
    process.settled()
    found = comparer.compare(source.inside, target.inside, [keyspace], tenants=[tenant],
                             tenant_column=TENANT_COLUMN, ranges=1)
    assert found["differences"] == 0, found["shown"]
    assert found["rows_compared"] > 0


def phase_of(process: Penumbra, name: str) -> str:
    return process.cli("migration", "show", name, "-o", "json")["phase"]


# --- the way, under load ---------------------------------------------------------------------------------------------

def test_there_and_back_and_there_for_good(penumbra, connect, both, made, tenants, source, target) -> None:
    process = penumbra()
    moving, staying = tenants[:2]
    with Load(connect(process), made, [moving, staying]) as load:
        load.more(200)
        create(process, "acme", moving, made)
        changes = []

        def step(*verb: str) -> None:
            changes.append(change(process, "acme", *verb))
            load.more(100)
            last = process.cli("migration", "show", "acme", "-o", "json")["last_switch"]
            assert (last["from"], last["to"]) == (changes[-1]["from"], changes[-1]["to"])
            assert last["wait_ms"] == pytest.approx(changes[-1]["wait_ms"])
        step("switch", "--to", "shadow_async")
        process.cli("copy", "acme", "-o", "json")
        step("switch", "--to", "shadow_sync")
        process.cli("verify", "acme", "-o", "json")
        step("switch", "--to", "target_primary")
        step("reverse")
        step("switch", "--to", "shadow_async")
        step("switch", "--to", "shadow_sync")
        process.cli("verify", "acme", "-o", "json")
        step("switch", "--to", "target_primary")
        step("cancel")
        # Let go, and moved once more. A copy brings what the source wrote meanwhile; what it deleted is still on the
        # target, so verify says no, and repair removes it.
        step("switch", "--to", "shadow_async")
        process.cli("copy", "acme", "-o", "json")
        step("switch", "--to", "shadow_sync")
        assert "verified" in refused(process, "switch", "acme", "--to", "target_primary")
        process.settled()
        process.cli("verify", "acme", "--repair", "-o", "json")
        process.cli("verify", "acme", "-o", "json")
        step("switch", "--to", "target_primary")
        step("complete")
    assert not load.errors, load.errors
    assert [one["to"] for one in changes] == [
        "shadow_async", "shadow_sync", "target_primary", "shadow_sync", "shadow_async", "shadow_sync",
        "target_primary", "source_only", "shadow_async", "shadow_sync", "target_primary", "target_only"]
    for one in changes:
        assert 0 < one["wait_ms"] < 2000, one
    assert any(one["held_requests"] > 0 for one in changes)
    assert process.status()["requests"]["errors"] == 0
    assert load.longest_ms < 5000
    assert not load.wrong_on(both[1], moving)
    assert not load.wrong_on(both[0], staying)
    assert both[1].execute(f"SELECT count(*) FROM {made}.items WHERE system_domain_id = {staying}").one()[0] == 0
    audit = process.http("GET", "/v1/migrations/acme/audit")[1]["audit"]
    assert [entry["to"] for entry in reversed(audit) if entry["outcome"] == "done" and
            entry["command"] in ("switch", "reverse", "complete", "cancel")] == [one["to"] for one in changes]


def test_two_tenants_in_different_phases(penumbra, connect, both, made, tenants, source, target) -> None:
    process = penumbra()
    ahead, behind, staying = tenants
    session = connect(process)
    with Load(session, made, tenants, threads=2) as load:
        load.more(80)
        create(process, "ahead", ahead, made)
        create(process, "behind", behind, made)
        bring_to(process, "ahead", "target_primary", load)
        bring_to(process, "behind", "shadow_async", load)
        load.more(100)
        # One batch over all three goes as a whole to every cluster that one of them needs.
        insert = session.prepare(f"INSERT INTO {made}.items (system_domain_id, id, a) VALUES (?, ?, ?)")
        for kind in (BatchType.LOGGED, BatchType.UNLOGGED):
            batch = BatchStatement(kind)
            for tenant in tenants:
                batch.add(insert, (tenant, -1 - kind.value, 7))
            session.execute(batch)
    assert not load.errors, load.errors
    process.settled()
    for kind in (BatchType.LOGGED, BatchType.UNLOGGED):
        there = [[each.execute(f"SELECT WRITETIME(a) FROM {made}.items WHERE system_domain_id = {tenant} AND "
                               f"id = {-1 - kind.value}").one() for tenant in tenants] for each in both]
        assert there[0][:2] == there[1][:2] and None not in there[0], (kind, there)
        assert there[0][2] is not None
    assert {one["tenant"]: one["phase"] for one in process.cli("tenant", "list", "-o", "json")["tenants"]} == {
        str(ahead): "target_primary", str(behind): "shadow_async"}
    for tenant in (ahead, behind):
        assert_equal(process, source, target, made, tenant)
    # Of the tenant that stays, the target has nothing else.
    found = both[1].execute(f"SELECT id FROM {made}.items WHERE system_domain_id = {staying}")
    assert all(row.id < 0 for row in found)


# --- gates -----------------------------------------------------------------------------------------------------------

def refused(process: Penumbra, *verb: str) -> set[str]:
    """The gates that were shut."""
    with pytest.raises(CommandFailed) as error:
        process.cli(*verb, "-o", "json")
    assert error.value.code == 1, error.value
    return {gate["gate"] for gate in error.value.json["gates"] if not gate["passed"]}


def test_gates_refuse(penumbra, connect, both, made, tenants, target) -> None:
    process = penumbra("--shadow-timeout", "200ms")
    tenant = tenants[0]
    create(process, "acme", tenant, made)
    # A column that only the source has.
    both[0].execute(f"ALTER TABLE {made}.items ADD late int", timeout=60)
    eventually(lambda: "schemas_agree" in refused_or_none(process, "switch", "acme", "--to", "shadow_async", "--dry-run"),
               "the difference of the schemas is seen")
    assert "schemas_agree" in refused(process, "switch", "acme", "--to", "shadow_async")
    assert phase_of(process, "acme") == "source_only"
    both[1].execute(f"ALTER TABLE {made}.items ADD late int", timeout=60)
    eventually(lambda: not refused_or_none(process, "switch", "acme", "--to", "shadow_async", "--dry-run"),
               "the schemas agree again")
    assert phase_of(process, "acme") == "source_only", "a dry run changes nothing"
    process.cli("switch", "acme", "--to", "shadow_async", "-o", "json")
    # Not copied; and no step may be left out.
    assert "copied" in refused(process, "switch", "acme", "--to", "shadow_sync")
    with pytest.raises(CommandFailed) as jump:
        process.cli("switch", "acme", "--to", "target_primary", "-o", "json")
    assert jump.value.code == 1
    # Writes that are owed.
    process.cli("copy", "acme", "-o", "json")
    session = connect(process)
    insert = session.prepare(f"INSERT INTO {made}.items (system_domain_id, id, a) VALUES (?, ?, ?)")
    target.do("pause")
    try:
        pending = [session.execute_async(insert, (tenant, n, n)) for n in range(1100)]
        for each in pending:
            each.result()
        shut = refused(process, "switch", "acme", "--to", "shadow_sync", "--dry-run")
        assert {"journal_drained", "clusters_reachable"} <= shut
        assert process.cli("migration", "show", "acme", "-o", "json")["owed"] > 1000
    finally:
        target.do("resume")
    process.settled()
    change(process, "acme", "switch", "--to", "shadow_sync")
    # Not verified, then forced: with a reason, which is kept.
    assert "verified" in refused(process, "switch", "acme", "--to", "target_primary")
    assert phase_of(process, "acme") == "shadow_sync"
    told = process.cli("switch", "acme", "--to", "target_primary", "--force", "--reason", "a test", "-o", "json")
    assert told["to"] == "target_primary"
    newest = process.http("GET", "/v1/migrations/acme/audit")[1]["audit"][0]
    assert (newest["forced"], newest["reason"], newest["outcome"]) == (True, "a test", "done")
    # A verify that found something shuts the gate too.
    process.cli("reverse", "acme", "-o", "json")
    both[1].execute(f"UPDATE {made}.items SET b = 'astray' WHERE system_domain_id = {tenant} AND id = 1")
    with pytest.raises(CommandFailed):
        process.cli("verify", "acme", "-o", "json")
    assert "verified" in refused(process, "switch", "acme", "--to", "target_primary")


def refused_or_none(process: Penumbra, *verb: str) -> set[str]:
    try:
        process.cli(*verb, "-o", "json")
        return set()
    except CommandFailed as error:
        return {gate["gate"] for gate in error.json["gates"] if not gate["passed"]}


# --- what dies -------------------------------------------------------------------------------------------------------

@contextmanager
def missing(target, how: str, back: str) -> Iterator[None]:
    target.do(how)
    try:
        yield
    finally:
        target.do(back)


@pytest.mark.parametrize(("phase", "how", "back"), [("shadow_async", "kill", "restart"), ("shadow_async", "pause", "resume"),
                                                    ("shadow_sync", "pause", "resume")])
def test_the_target_is_gone_for_a_while(penumbra, connect, both, made, tenants, source, target, phase, how, back) -> None:
    process = penumbra("--shadow-timeout", "300ms")
    tenant = tenants[0]
    with Load(connect(process), made, [tenant], threads=4) as load:
        load.more(100)
        create(process, "acme", tenant, made)
        bring_to(process, "acme", phase, load)
        before = time.monotonic()
        with missing(target, how, back):
            gone = time.monotonic()
            load.more(150, within=120)
            assert process.cli("migration", "show", "acme", "-o", "json")["owed"] > 0
            assert process.status()["journal"]["owed"] > 0
        load.more(50)
    assert not load.errors, load.errors
    if how == "kill":
        load.write_again_lost(before, gone)
    assert load.longest_ms < 8000
    process.settled(within=120)
    assert_equal(process, source, target, made, tenant)
    assert not load.wrong_on(connect(target), tenant) and not load.wrong_on(connect(source), tenant)


@pytest.mark.parametrize("phase", ["shadow_async", "shadow_sync", "target_primary"])
def test_kill_9_under_load(penumbra, connect, made, tenants, source, target, phase) -> None:
    """Down at a random moment, and up again with the same state: nothing that was acknowledged is missing anywhere."""
    process = penumbra("--shadow-timeout", "300ms")
    tenant = tenants[0]
    rng = random.Random(phase)
    with Load(connect(process, reconnection_policy=ConstantReconnectionPolicy(0.1, None)), made, [tenant], threads=4) as load:
        load.more(100)
        create(process, "acme", tenant, made)
        bring_to(process, "acme", phase, load)
        for _ in range(4):
            load.more(rng.randrange(20, 120))
            load.expects_failures = True
            process.kill9()
            process.start()
            assert phase_of(process, "acme") == phase
            answered = load.requests() - load.failures
            eventually(lambda: load.requests() - load.failures > answered + 20, "the application is served again", 60)
            # Whoever was told of a failure has been so by now.
            seen = load.failures
            eventually(lambda: load.requests() - seen > 0, "requests go on")
            load.expects_failures = False
    assert not load.errors, load.errors
    assert load.failures > 0
    process.settled()
    for cluster in (source, target):
        assert not load.wrong_on(connect(cluster), tenant)
    load.settle()
    assert_equal(process, source, target, made, tenant)


def test_kill_9_while_the_target_is_away(penumbra, connect, made, tenants, source, target) -> None:
    """What is owed is on disk, and is paid by the next process."""
    process = penumbra("--shadow-timeout", "300ms", "--start-timeout", "2s")
    tenant = tenants[0]
    with Load(connect(process, reconnection_policy=ConstantReconnectionPolicy(0.1, None)), made, [tenant]) as load:
        load.more(100)
        create(process, "acme", tenant, made)
        bring_to(process, "acme", "shadow_async", load)
        process.settled()
        with missing(target, "pause", "resume"):
            load.more(100, within=120)
            load.stop()
            owed = process.status()["journal"]["owed"]
            assert owed > 0
            process.kill9()
            process.start()
            assert process.status()["journal"]["owed"] >= owed
            assert phase_of(process, "acme") == "shadow_async"
    assert not load.errors, load.errors
    assert_equal(process, source, target, made, tenant)
    assert not load.wrong_on(connect(target), tenant)


def test_a_copy_goes_on_after_a_crash(penumbra, connect, both, made, tenants, source, target) -> None:
    # Many partitions, so that the copy has many portions to finish.
    for each in both:
        each.execute(f"CREATE TABLE {made}.spread (id int, system_domain_id uuid, v text, "
                     f"PRIMARY KEY ((id, system_domain_id)))", timeout=60)
    process = penumbra("--copy.rows-per-second", "400", "--copy.parallelism", "2")
    tenant = tenants[0]
    session = connect(process)
    insert = session.prepare(f"INSERT INTO {made}.spread (id, system_domain_id, v) VALUES (?, ?, ?)")
    pending = [session.execute_async(insert, (n, tenant, f"row {n}")) for n in range(1500)]
    for each in pending:
        each.result()
    create(process, "acme", tenant, made)
    process.cli("switch", "acme", "--to", "shadow_async", "-o", "json")
    job = process.cli("copy", "acme", "--detach", "-o", "json")
    path = f"/v1/jobs/{job['id']}"
    eventually(lambda: process.http("GET", path)[1]["progress"]["rows"] > 0, "some rows are copied")
    assert process.http("GET", path)[1]["state"] == "running"
    process.kill9()
    process.start()
    told = eventually(lambda: (lambda seen: seen if seen["state"] != "running" else None)(process.http("GET", path)[1]),
                      "the same job ends by itself", 60)
    assert told["state"] == "done", told
    assert process.cli("verify", "acme", "-o", "json")["result"]["differences"] == 0
    assert_equal(process, source, target, made, tenant)
