"""The schema of every type fills both versions alike, so that copy and verify have something to be held against."""

from __future__ import annotations

import uuid

import pytest

import compare as comparer
import schemas

TENANT = uuid.UUID("33333333-3333-4333-8333-333333333333")
NEIGHBOUR = uuid.UUID("44444444-4444-4444-8444-444444444444")


@pytest.mark.parametrize("number, encoded", [
    (0, "00"), (1, "01"), (127, "7f"), (128, "8080"), (16383, "bfff"), (16384, "c04000"),
    (2**56 - 1, "feffffffffffffff"),
    (2**56, "ff0100000000000000"), (2**64 - 1, "ffffffffffffffffff")])
def test_unsigned_vint(number: int, encoded: str) -> None:
    assert schemas.unsigned_vint(number).hex() == encoded


def test_both_versions_hold_the_same(source, target, both, keyspace) -> None:
    for session in both:
        schemas.create(session, keyspace)
        schemas.fill(session, keyspace, TENANT)
        schemas.fill(session, keyspace, NEIGHBOUR, seed=2)
    # They were filled one after the other, so what has a TTL ends that much later on the second.
    found = comparer.compare(source.inside, target.inside, [keyspace], tenants=[TENANT, NEIGHBOUR],
                             tenant_column=schemas.TENANT, ttl_tolerance=600.0)
    assert found["differences"] == 0, found["shown"]
    assert found["not_compared"] == []
    empty = [table for table, rows in found["tables"].items() if rows == 0]
    assert empty == [], "every table has rows"
    one = comparer.compare(source.inside, target.inside, [keyspace], tenants=[TENANT],
                           tenant_column=schemas.TENANT, ttl_tolerance=600.0)
    assert 0 < one["rows_compared"] < found["rows_compared"]


@pytest.mark.cassandra_only("ScyllaDB 5.2 has no vectors")
def test_what_only_5_0_knows(target, both, keyspace) -> None:
    schemas.create(both[1], keyspace, with_5_0=True, only={"vectors"})
    schemas.fill(both[1], keyspace, TENANT, with_5_0=True, only={"vectors"})
    assert list(both[1].execute(f"SELECT fixed, varying FROM {keyspace}.vectors").one()[1]) == ["a", ""]
