"""Schema changes through Penumbra, in words that only one of Cassandra 4.1 and 5.0 knows: both clusters come to hold the
same schema as far as they can, and what became of each change is told."""

from __future__ import annotations

import pytest
from cassandra import InvalidRequest
from cassandra.protocol import ConfigurationException

import support
from support import CommandFailed, Penumbra

pytestmark = pytest.mark.cassandra_only("the words are those of Cassandra 4.1 and 5.0")

REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
COMPARED = ("comment", "default_time_to_live", "gc_grace_seconds", "bloom_filter_fp_chance", "caching", "compression",
            "max_index_interval", "speculative_retry")


def shape_of(session, keyspace: str) -> dict:
    """What a cluster itself says of a keyspace, as far as both versions have it."""
    def of(table: str, columns: str) -> list[tuple]:
        found = session.execute(f"SELECT {columns} FROM system_schema.{table} WHERE keyspace_name = '{keyspace}'")
        return sorted((tuple(row) for row in found), key=repr)
    replication = session.execute(
        f"SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = '{keyspace}'").one()
    return {
        "replication": dict(replication[0]) if replication else None,
        "columns": of("columns", "table_name, column_name, kind, position, type, clustering_order"),
        "tables": of("tables", ", ".join(("table_name", *COMPARED))),
        "types": of("types", "type_name, field_names, field_types"),
        "indexes": [(row[0], row[1]) for row in of("indexes", "table_name, index_name")],
        "views": of("views", "view_name, base_table_name, where_clause"),
    }


def report(process: Penumbra) -> list[dict]:
    return process.http("GET", "/v1/schema/changes")[1]["schema_changes"]


def test_what_4_1_says_is_said_as_5_0_takes_it(penumbra, connect, source, target, keyspace) -> None:
    process = penumbra()
    client = connect(process)
    # 5.0 refuses crc_check_chance among the compression options, 4.1 still takes it.
    compression = "{'class': 'LZ4Compressor', 'chunk_length_in_kb': '32', 'crc_check_chance': '0.5'}"
    client.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {REPLICATION}", timeout=60)
    with pytest.raises((InvalidRequest, ConfigurationException)):
        connect(target).execute(f"CREATE TABLE {keyspace}.no (k int PRIMARY KEY) WITH compression = {compression}",
                                timeout=60)
    for text in [f"CREATE TYPE {keyspace}.address (street text, number int)",
                 f"CREATE TABLE {keyspace}.t (k int, c int, v text, a frozen<address>, PRIMARY KEY (k, c)) WITH "
                 f"CLUSTERING ORDER BY (c DESC) AND compression = {compression} AND comment = 'it''s' AND "
                 f"gc_grace_seconds = 100",
                 f"CREATE INDEX by_v ON {keyspace}.t (v)",
                 f"ALTER TABLE {keyspace}.t ADD IF NOT EXISTS w set<int>",
                 f"ALTER TABLE {keyspace}.t WITH default_time_to_live = 7"]:
        client.execute(text, timeout=60)
    before, after = shape_of(connect(source), keyspace), shape_of(connect(target), keyspace)
    # The chance stands elsewhere on 4.1; it is a number of the node's, not of what is stored.
    tables = [[tuple({**cell, "crc_check_chance": None} if isinstance(cell, dict) and "class" in cell else cell
                     for cell in map(plain_cell, row)) for row in each.pop("tables")] for each in (before, after)]
    assert tables[0] == tables[1]
    assert before == after
    assert len(before["columns"]) == 5 and before["indexes"] == [("t", "by_v")]
    told = report(process)
    assert [one["outcome"] for one in told] == ["same", "same", "translated", "same", "same", "same"]
    assert "crc_check_chance" not in told[2]["sent"][0] and "crc_check_chance" in told[2]["changes"][0]["what"]
    assert process.cli("schema", "report", "-o", "json")["total"] == 6
    assert "crc_check_chance" in process.cli("schema", "report")


def plain_cell(cell: object) -> object:
    return dict(cell) if hasattr(cell, "items") else cell


def test_what_5_0_says_is_said_as_4_1_takes_it(penumbra, connect, source, target, keyspace) -> None:
    process = penumbra("--phase", "target_primary")
    client = connect(process)
    for text in [f"CREATE KEYSPACE {keyspace} WITH replication = {REPLICATION}",
                 f"CREATE TABLE {keyspace}.t (k int PRIMARY KEY, v text) WITH allow_auto_snapshot = false AND "
                 f"incremental_backups = false AND comment = 'x' AND compaction = "
                 f"{{'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4'}}",
                 f"CREATE INDEX by_v ON {keyspace}.t (v) USING 'sai'",
                 f"ALTER TABLE {keyspace}.t WITH allow_auto_snapshot = true"]:
        client.execute(text, timeout=60)
    before, after = shape_of(connect(source), keyspace), shape_of(connect(target), keyspace)
    assert before == after
    assert before["indexes"] == [("t", "by_v")]
    assert [one["outcome"] for one in report(process)] == ["same", "translated", "translated", "nothing"]
    assert {one["cluster"] for one in report(process)} == {"source"}


def test_what_cannot_be_said_there_is_loud(penumbra, connect, source, target, keyspace) -> None:
    process = penumbra("--phase", "target_primary")
    client = connect(process)
    client.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {REPLICATION}", timeout=60)
    client.execute(f"CREATE TABLE {keyspace}.t (k int PRIMARY KEY, e vector<float, 3>)", timeout=60)
    assert len(shape_of(connect(target), keyspace)["columns"]) == 2
    assert shape_of(connect(source), keyspace)["columns"] == []
    told = report(process)[-1]
    assert told["outcome"] == "refused" and "vector" in told["error"] and told["sent"] == []
    with pytest.raises(CommandFailed) as failed:
        process.cli("schema", "report")
    assert failed.value.code == 1 and "refused on the source" in failed.value.out
    assert "was refused by the other cluster" in process.log_tail()


def test_a_column_that_only_the_target_has_closes_the_gate(penumbra, connect, target, keyspace) -> None:
    process = penumbra()
    client = connect(process)
    client.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {REPLICATION}", timeout=60)
    client.execute(f"CREATE TABLE {keyspace}.t (system_domain_id uuid PRIMARY KEY, v text)", timeout=60)
    process.cli("migration", "create", "m", "--table", f"{keyspace}.*")
    process.cli("switch", "m", "--to", "shadow_async", "--dry-run")
    connect(target).execute(f"ALTER TABLE {keyspace}.t ADD extra int", timeout=60)

    def gates() -> str:      # Penumbra hears of it by an event.
        try:
            return process.cli("switch", "m", "--to", "shadow_async", "--dry-run")
        except CommandFailed as refused:
            return refused.out
    support.eventually(lambda: "extra" in gates(), "the gate names the column")
    with pytest.raises(CommandFailed):
        process.cli("switch", "m", "--to", "shadow_async")


def test_datacenters_have_their_own_names(penumbra, connect, source, target, keyspace) -> None:
    process = penumbra("--map-datacenter", "datacenter1=datacenter1:1")
    connect(process).execute(f"CREATE KEYSPACE {keyspace} WITH replication = "
                             f"{{'class': 'NetworkTopologyStrategy', 'datacenter1': '3'}}", timeout=60)
    assert shape_of(connect(source), keyspace)["replication"]["datacenter1"] == "3"
    assert shape_of(connect(target), keyspace)["replication"]["datacenter1"] == "1"
