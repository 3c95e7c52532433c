"""A tenant moves: everything that CQL can hold survives copy and verify, found equal by a program that knows neither."""

from __future__ import annotations

import uuid

import pytest

import compare as comparer
import schemas
from support import CommandFailed

TENANT = uuid.UUID("55555555-5555-4555-8555-555555555555")
NEIGHBOUR = uuid.UUID("66666666-6666-4666-8666-666666666666")


@pytest.fixture
def filled(penumbra, connect, keyspace):
    """A process in front of both clusters, with the schema of everything and two tenants' rows written through it."""
    process = penumbra()
    session = connect(process)
    session.execute(f"CREATE KEYSPACE {keyspace} WITH replication = "
                    f"{{'class': 'SimpleStrategy', 'replication_factor': 1}}", timeout=60)
    schemas.create(session, keyspace)
    schemas.fill(session, keyspace, TENANT)
    schemas.fill(session, keyspace, NEIGHBOUR, seed=2)
    return process


def compared(source, target, keyspace: str, tenant: uuid.UUID, **options) -> dict:
    return comparer.compare(source.inside, target.inside, [keyspace], tenants=[tenant],
                            tenant_column=schemas.TENANT, **options)


def test_every_type_and_shape_survives_copy_and_verify(filled, source, target, keyspace) -> None:
    filled.cli("migration", "create", "acme", "--tenant", str(TENANT), "--table", f"{keyspace}.*", "-o", "json")
    filled.cli("switch", "acme", "--to", "shadow_async", "-o", "json")
    copied = filled.cli("copy", "acme", "-o", "json")
    assert copied["state"] == "done" and copied["result"]["rows"] > 0
    filled.settled()
    found = compared(source, target, keyspace, TENANT)
    assert found["differences"] == 0, found["shown"]
    assert found["rows_compared"] > 3000
    verified = filled.cli("verify", "acme", "-o", "json")
    assert verified["result"]["differences"] == 0, verified["result"]["samples"]
    assert verified["result"]["rows"] > 3000
    # Nobody asked for the neighbour.
    alone = comparer.compare(target.inside, target.inside, [keyspace], tenants=[NEIGHBOUR],
                             tenant_column=schemas.TENANT)
    assert alone["rows_compared"] == 0


def test_copying_again_changes_nothing(filled, source, target, keyspace) -> None:
    filled.cli("migration", "create", "acme", "--tenant", str(TENANT), "--table", f"{keyspace}.*", "-o", "json")
    filled.cli("switch", "acme", "--to", "shadow_async", "-o", "json")
    for _ in range(2):
        filled.cli("copy", "acme", "-o", "json")
        filled.settled()
        found = compared(source, target, keyspace, TENANT)
        assert found["differences"] == 0, found["shown"]


def test_verify_names_what_differs_and_repairs_it(filled, source, target, keyspace, connect) -> None:
    filled.cli("migration", "create", "acme", "--tenant", str(TENANT), "--table", f"{keyspace}.*", "-o", "json")
    filled.cli("switch", "acme", "--to", "shadow_async", "-o", "json")
    filled.cli("copy", "acme", "-o", "json")
    filled.settled()
    behind = connect(target)
    late = schemas.LONG_AGO + 10**9
    behind.execute(f"DELETE FROM {keyspace}.composite USING TIMESTAMP {schemas.LONG_AGO + 10**8} "
                   f"WHERE {schemas.TENANT} = {TENANT} AND b = 7 AND c = 'c7'")
    behind.execute(f"UPDATE {keyspace}.wide USING TIMESTAMP {late} SET v = 'other' "
                   f"WHERE {schemas.TENANT} = {TENANT} AND c = 5")
    with pytest.raises(CommandFailed) as refused:
        filled.cli("verify", "acme", "-o", "json")
    assert refused.value.code == 1
    result = refused.value.json["result"]
    assert result["differences"] == 2
    assert {sample["table"] for sample in result["samples"]} == {f"{keyspace}.composite", f"{keyspace}.wide"}
