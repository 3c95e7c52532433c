"""Copy, verify and repair between real clusters, held against the schema of every type and the independent comparer.

The C++ side is the sync module's own test program, which works on whatever two clusters its environment names."""

from __future__ import annotations

import os
import re
import subprocess
import uuid
from pathlib import Path

import pytest

import compare as comparer
import schemas
from support import ROOT

SYNC_TEST = Path(os.environ.get("PENUMBRA_BIN", ROOT / "build" / "release" / "penumbra")).with_name("sync_test")
TENANT = uuid.UUID("55555555-5555-4555-8555-555555555555")
NEIGHBOUR = uuid.UUID("66666666-6666-4666-8666-666666666666")


def live(case: str, source: str, target: str, **settings: str) -> tuple[dict[str, int], str]:
    """Runs one Live case; the counts of the last report that it printed, and all it printed."""
    environment = os.environ | {"PENUMBRA_TEST_SOURCE": source, "PENUMBRA_TEST_TARGET": target} | {
        f"PENUMBRA_TEST_{name.upper()}": value for name, value in settings.items()}
    done = subprocess.run([SYNC_TEST, f"--gtest_filter=Live.{case}"], env=environment, capture_output=True, text=True,
                          check=False, timeout=280)
    output = done.stdout + done.stderr
    assert done.returncode == 0 and "[  PASSED  ] 1 test" in output, output
    reports = [line for line in output.splitlines() if line.startswith("rows=")]
    return {name: int(n) for name, n in re.findall(r"(\w+)=(\d+)", reports[-1])} if reports else {}, output


def compared(source, target, keyspace: str, tenants: list[uuid.UUID] | None) -> dict:
    return comparer.compare(source.inside, target.inside, [keyspace], tenants=tenants,
                            tenant_column=schemas.TENANT, ttl_tolerance=5.0)


@pytest.mark.timeout(600)
def test_one_tenant_of_every_type_and_shape(source, target, both, keyspace) -> None:
    for session in both:
        schemas.create(session, keyspace)
    schemas.fill(both[0], keyspace, TENANT)
    schemas.fill(both[0], keyspace, NEIGHBOUR, seed=2)
    where = {"source": source.contact_point, "target": target.contact_point, "tables": f"{keyspace}.*",
             "tenants": str(TENANT), "tenant_column": schemas.TENANT}

    copied, output = live("Copy", **where)
    assert copied["refused"] == 0, output
    found = compared(source, target, keyspace, [TENANT])
    assert found["differences"] == 0, found["shown"]
    assert found["rows_compared"] > 1000
    verified, output = live("Verify", **where)
    assert verified["differences"] == 0, output
    # The comparer counts rows, and a partition of statics alone as one.
    assert 0 < verified["rows"] <= found["rows_compared"]
    assert compared(source, target, keyspace, [NEIGHBOUR])["differences"] > 0, "the neighbour was not asked for"

    again, output = live("Copy", **where)
    assert again["lists"] == 0 and again["rows"] == copied["rows"], output
    assert compared(source, target, keyspace, [TENANT])["differences"] == 0

    # Break what a shadow can break, find all of it, and repair it.
    broken = both[1]
    broken.execute(f"DELETE FROM {keyspace}.scalars WHERE {schemas.TENANT} = {TENANT} AND id = 0")
    broken.execute(f"UPDATE {keyspace}.scalars SET int_ = 4711 WHERE {schemas.TENANT} = {TENANT} AND id = 1")
    broken.execute(f"UPDATE {keyspace}.collections SET s_int = s_int + {{4711}}, l_int = l_int + [4711] "
                   f"WHERE {schemas.TENANT} = {TENANT} AND part = 1 AND id = 1")
    broken.execute(f"INSERT INTO {keyspace}.udts ({schemas.TENANT}, id, free) VALUES ({TENANT}, 4711, {{x: 1}})")
    seen, output = live("Verify", **where)
    assert seen["differences"] >= 5 and seen["repaired"] == 0, output
    repaired, output = live("Verify", repair="1", **where)
    assert repaired["repaired"] == repaired["differences"] == seen["differences"], output
    after, output = live("Verify", **where)
    assert after["differences"] == 0, output
    found = compared(source, target, keyspace, [TENANT])
    assert found["differences"] == 0, found["shown"]


@pytest.mark.timeout(600)
def test_everything_back_from_5_0_to_4_1(source, target, both, keyspace) -> None:
    for session in both:
        schemas.create(session, keyspace)
    for seed, tenant in enumerate((TENANT, NEIGHBOUR)):
        schemas.fill(both[1], keyspace, tenant, seed=seed)
    where = {"source": target.contact_point, "target": source.contact_point, "tables": f"{keyspace}.*"}
    copied, output = live("Copy", **where)
    assert copied["refused"] == 0, output
    verified, output = live("Verify", **where)
    assert verified["differences"] == 0, output
    found = compared(target, source, keyspace, None)
    assert found["differences"] == 0, found["shown"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", ["RepairMakesEveryDifferenceGoAway", "CopyMayBeRepeatedAndResumed", "ReplayPaysWhatIsOwed"])
@pytest.mark.parametrize("reversed_", [False, True], ids=["4.1-to-5.0", "5.0-to-4.1"])
def test_by_itself(source, target, case: str, reversed_: bool) -> None:
    pair = (target, source) if reversed_ else (source, target)
    live(case, pair[0].contact_point, pair[1].contact_point)
