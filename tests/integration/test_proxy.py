"""Ordinary clients, which know one contact point: the stock driver and cqlsh see one ordinary cluster through Penumbra,
and what they write is where its phase says, at one write time."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from cassandra import ConsistencyLevel, InvalidRequest
from cassandra.connection import locally_supported_compressions
from cassandra.cluster import Cluster, NoHostAvailable, ResultSet, Session
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.query import BatchStatement, BatchType, SimpleStatement

import compare as comparer
import support
from support import Penumbra, eventually

REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"


@pytest.fixture(scope="module")
def room(_shared_process: Penumbra, source, target) -> Iterator[str]:
    """A keyspace for the tests of this file, made through Penumbra; each test writes under a tenant of its own."""
    name = "p_" + uuid.uuid4().hex[:12]
    session = support.connect(_shared_process.contact_point)
    session.execute(f"CREATE KEYSPACE {name} WITH replication = {REPLICATION}", timeout=60)
    session.execute(f"CREATE TABLE {name}.items (system_domain_id uuid, id int, a int, b text, tags set<text>, "
                    f"at timestamp, made timeuuid, PRIMARY KEY (system_domain_id, id))", timeout=60)
    session.execute(f"CREATE TABLE {name}.hits (system_domain_id uuid, id int, n counter, "
                    f"PRIMARY KEY (system_domain_id, id))", timeout=60)
    yield name
    session.cluster.shutdown()
    for cluster in (source, target):
        direct = support.connect(cluster.contact_point)
        direct.execute(f"DROP KEYSPACE IF EXISTS {name}", timeout=60)
        direct.cluster.shutdown()


@pytest.fixture
def tenant() -> uuid.UUID:
    return uuid.uuid4()


@pytest.fixture
def client(front: Penumbra, connect, room: str) -> Session:
    session = connect(front)
    session.set_keyspace(room)
    return session


def rows(session: Session, room: str, tenant: uuid.UUID) -> list[tuple]:
    """The tenant's items with their write times, as one cluster itself has them."""
    return [tuple(row) for row in session.execute(
        f"SELECT id, a, b, WRITETIME(a), WRITETIME(b), TTL(b) FROM {room}.items WHERE system_domain_id = {tenant}")]


def assert_equal(source, target, room: str, tenant: uuid.UUID, count: int | None = None) -> None:
    found = comparer.compare(source.inside, target.inside, [room], tenants=[tenant],
                             tenant_column="system_domain_id", ranges=1)
    assert found["differences"] == 0, found["shown"]
    if count is not None:
        assert found["rows_compared"] == count


# --- what clients see ------------------------------------------------------------------------------------------------

def shown_version(source) -> str:
    return "3.0.8" if source.is_scylla else "4.1.9"


def test_the_proxy_is_the_only_node(front, connect, source) -> None:
    session = connect(front)
    address = support.SHARED_PENUMBRA_ADDRESS
    assert [host.address for host in session.cluster.metadata.all_hosts()] == [address]
    local = session.execute("SELECT * FROM system.local").one()
    assert {local.rpc_address, local.broadcast_address, local.listen_address} == {address}
    assert local.release_version == shown_version(source)
    assert session.execute("SELECT * FROM system.peers").all() == []
    if not source.is_scylla:
        assert session.execute("SELECT * FROM system.peers_v2").all() == []
    chosen = session.execute("SELECT rpc_address AS a, release_version FROM system.local WHERE key = 'local'").one()
    assert (chosen.a, chosen.release_version) == (address, shown_version(source))
    assert session.execute("SELECT count(*) FROM system.peers").one()[0] == 0


def test_functions_on_the_virtual_tables(front, connect) -> None:
    told = connect(front).execute("SELECT toJson(rpc_address) FROM system.local").one()
    assert told[0] == f'"{support.SHARED_PENUMBRA_ADDRESS}"'


@pytest.mark.parametrize("version", [3, 4, pytest.param(5, marks=support.NEEDS_V5)])
def test_each_protocol_version(front, connect, room, tenant, source, target, version) -> None:
    session = connect(front, protocol_version=version)
    insert = session.prepare(f"INSERT INTO {room}.items (system_domain_id, id, a, b) VALUES (?, ?, ?, ?)")
    session.execute(insert, (tenant, version, 1, "of this version"))
    assert session.execute(f"SELECT b FROM {room}.items WHERE system_domain_id = {tenant}").one().b == "of this version"
    assert_equal(source, target, room, tenant, 1)


def test_a_driver_speaks_the_newest_version_of_both_clusters(front, connect, source, target) -> None:
    newest = 4 if source.is_scylla or target.is_scylla else 5
    assert connect(front).cluster.protocol_version == newest
    with pytest.raises(NoHostAvailable) as refused:      # Told to use one that nobody here speaks.
        connect(front, protocol_version=2)
    assert "version" in str(refused.value)


@pytest.mark.parametrize("version, compression", [(4, "lz4"), (4, "snappy"),
                                                  pytest.param(5, "lz4", marks=support.NEEDS_V5)])
def test_compressed_connections(front, connect, room, tenant, source, target, version, compression) -> None:
    assert compression in locally_supported_compressions, "or the driver would not compress, and not say so"
    session = connect(front, protocol_version=version, compression=compression)
    insert = session.prepare(f"INSERT INTO {room}.items (system_domain_id, id, b) VALUES (?, ?, ?)")
    for row in range(20):
        session.execute(insert, (tenant, row, "long and the same " * 1000))
    rows = session.execute(f"SELECT b FROM {room}.items WHERE system_domain_id = {tenant}").all()
    assert [row.b for row in rows] == ["long and the same " * 1000] * 20
    assert_equal(source, target, room, tenant, 20)


def test_use_and_names_without_a_keyspace(front, connect, room, tenant) -> None:
    session = connect(front)
    with pytest.raises(InvalidRequest) as refused:
        session.execute(f"SELECT * FROM items WHERE system_domain_id = {tenant}")
    assert "No keyspace has been specified" in str(refused.value)
    session.execute(f"USE {room}")
    session.execute(f"INSERT INTO items (system_domain_id, id, a) VALUES ({tenant}, 1, 7)")
    found = session.prepare("SELECT a FROM items WHERE system_domain_id = ? AND id = ?")
    assert session.execute(found, (tenant, 1)).one().a == 7
    # Another client of the same process, on the same connections to the clusters, has not chosen one.
    with pytest.raises(InvalidRequest):
        connect(front).execute("SELECT * FROM items")
    with pytest.raises(InvalidRequest) as refused:
        session.execute("USE no_such_keyspace")
    assert "no_such_keyspace" in str(refused.value)


WRONG = [
    "SELEC * FROM {room}.items",
    "SELECT * FROM {room}.items WHERE",
    "SELECT nothing FROM {room}.items",
    "SELECT * FROM {room}.no_such_table",
    "SELECT * FROM no_such_keyspace.items",
    "SELECT * FROM {room}.items WHERE a = 1",
    "SELECT a FROM {room}.items WHERE system_domain_id = 'no uuid'",
    "INSERT INTO {room}.items (system_domain_id, id, a) VALUES ({tenant}, 1, 'no int')",
    "INSERT INTO {room}.items (system_domain_id, a) VALUES ({tenant}, 1)",
    "INSERT INTO {room}.items (system_domain_id, id, zzz) VALUES ({tenant}, 1, 1)",
    "UPDATE {room}.items SET a = 1 WHERE id = 1",
    "UPDATE {room}.items SET id = 1 WHERE system_domain_id = {tenant} AND id = 1",
    "UPDATE {room}.items USING TTL -5 SET a = 1 WHERE system_domain_id = {tenant} AND id = 1",
    "UPDATE {room}.hits SET n = 1 WHERE system_domain_id = {tenant} AND id = 1",
    "DELETE FROM {room}.items WHERE a = 1",
    "CREATE TABLE {room}.items (a int PRIMARY KEY)",
    "CREATE TABLE {room}.broken (a int)",
    "CREATE KEYSPACE {room} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
    "DROP TABLE {room}.no_such_table",
    "ALTER TABLE {room}.items ADD a int",
    "TRUNCATE {room}.no_such_table",
    "BEGIN BATCH INSERT INTO {room}.items (system_domain_id, id) VALUES ({tenant}, 1); SELECT * FROM x; APPLY BATCH",
    "",
]


def outcome(session: Session, cql: str, prepare: bool) -> tuple[str, str]:
    try:
        session.prepare(cql) if prepare else session.execute(SimpleStatement(cql), timeout=60)
        return "no error", ""
    except NoHostAvailable as error:      # How the driver wraps what PREPARE and some others were told.
        first = next(iter(error.errors.values()))
        return type(first).__name__, str(first)
    except Exception as error:  # noqa: BLE001  (whichever it is, it has to be the same)
        return type(error).__name__, str(error)


def test_errors_are_those_of_the_cluster(front, connect, room, tenant, source) -> None:
    proxied, direct = connect(front), connect(source)
    for cql in WRONG:
        cql = cql.format(room=room, tenant=tenant)
        assert outcome(proxied, cql, False) == outcome(direct, cql, False), cql
    for cql in WRONG[:8] + [WRONG[14]]:
        cql = cql.format(room=room, tenant=tenant)
        assert outcome(proxied, cql, True) == outcome(direct, cql, True), f"prepared: {cql}"
    assert proxied.execute(f"SELECT * FROM {room}.items WHERE system_domain_id = {tenant}").all() == []


def test_cqlsh(front, room, tenant, source, target, connect) -> None:
    if source.is_scylla:
        pytest.skip("cqlsh 6 does not DESCRIBE what calls itself 3.0.8")

    def cqlsh(text: str) -> str:
        done = subprocess.run([support.ROOT / "tools" / "venv", "cqlsh", "--no-color", "--request-timeout=60",
                               support.SHARED_PENUMBRA_ADDRESS, "9042", "-e", text],
                              capture_output=True, text=True, check=False, timeout=120,
                              env={**os.environ, "TERM": "dumb"})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
    out = cqlsh(f"USE {room}; CREATE TABLE by_hand (system_domain_id uuid, k text, v int, PRIMARY KEY (system_domain_id, k)); "
                f"INSERT INTO by_hand (system_domain_id, k, v) VALUES ({tenant}, 'one', 1); "
                f"SELECT k, v FROM by_hand; DESCRIBE TABLE by_hand; DESCRIBE KEYSPACES; CONSISTENCY; PAGING; "
                f"SELECT cluster_name FROM system.local;")
    assert "one | 1" in out and f"CREATE TABLE {room}.by_hand" in out and "Current consistency level is ONE" in out
    assert "system_schema" in out and "Test Cluster" not in out.replace(support.SOURCE_NAME, "")
    for cluster in (source, target):
        assert [tuple(row) for row in connect(cluster).execute(f"SELECT k, v FROM {room}.by_hand")] == [("one", 1)]


# --- schema ----------------------------------------------------------------------------------------------------------

def test_schema_changes_reach_both_clusters_and_every_client(front, connect, source, target, keyspace) -> None:
    session, watcher = connect(front), connect(front)
    direct = [connect(source), connect(target)]

    def columns() -> list[set]:
        return [{(row.column_name, row.type, row.kind) for row in each.execute(
            "SELECT column_name, type, kind FROM system_schema.columns WHERE keyspace_name = %s AND table_name = 't'",
            (keyspace,))} for each in direct]

    session.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {REPLICATION} AND durable_writes = true", timeout=60)
    session.execute(f"CREATE TYPE {keyspace}.place (street text, number int)", timeout=60)
    session.execute(f"CREATE TABLE {keyspace}.t (system_domain_id uuid, id int, home frozen<place>, "
                    f"PRIMARY KEY (system_domain_id, id)) WITH comment = 'it''s'", timeout=60)
    on_source, on_target = columns()
    assert on_source == on_target and ("home", "frozen<place>", "regular") in on_source
    eventually(lambda: "t" in getattr(watcher.cluster.metadata.keyspaces.get(keyspace), "tables", {}),
               "another client's metadata has the new table")
    assert "place" in watcher.cluster.metadata.keyspaces[keyspace].user_types
    session.execute(f"ALTER TABLE {keyspace}.t ADD more list<int>", timeout=60)
    session.execute(f"ALTER TYPE {keyspace}.place ADD door text", timeout=60)
    session.execute(f"CREATE INDEX by_home ON {keyspace}.t (home)", timeout=60)
    on_source, on_target = columns()
    assert on_source == on_target and ("more", "list<int>", "regular") in on_source
    eventually(lambda: "more" in watcher.cluster.metadata.keyspaces[keyspace].tables["t"].columns,
               "another client's metadata has the new column")
    for each in direct:
        told = each.execute("SELECT field_names FROM system_schema.types WHERE keyspace_name = %s", (keyspace,)).one()
        assert list(told.field_names) == ["street", "number", "door"]
        assert each.execute("SELECT comment FROM system_schema.tables WHERE keyspace_name = %s AND table_name = 't'",
                            (keyspace,)).one().comment == "it's"
    session.execute(f"DROP TABLE {keyspace}.t", timeout=60)
    assert columns() == [set(), set()]
    eventually(lambda: "t" not in watcher.cluster.metadata.keyspaces[keyspace].tables,
               "the table is gone from another client's metadata")
    session.execute(f"CREATE TABLE IF NOT EXISTS {keyspace}.t (system_domain_id uuid PRIMARY KEY, v int)", timeout=60)
    session.execute(f"CREATE TABLE IF NOT EXISTS {keyspace}.t (system_domain_id uuid PRIMARY KEY, v int)", timeout=60)
    assert len(columns()[0]) == 2 and columns()[0] == columns()[1]
    session.execute(f"DROP KEYSPACE {keyspace}", timeout=60)
    for each in direct:
        assert not each.execute("SELECT * FROM system_schema.keyspaces WHERE keyspace_name = %s", (keyspace,)).all()


def test_a_prepared_statement_outlives_a_change_of_its_table(client, connect, front, source, target, room, tenant) -> None:
    client.execute("CREATE TABLE changing (system_domain_id uuid, id int, a int, PRIMARY KEY (system_domain_id, id))",
                   timeout=60)
    insert = client.prepare("INSERT INTO changing (system_domain_id, id, a) VALUES (?, ?, ?)")
    select = client.prepare("SELECT * FROM changing WHERE system_domain_id = ?")
    client.execute(insert, (tenant, 1, 1))
    assert client.execute(select, (tenant,)).one().a == 1
    client.execute("ALTER TABLE changing ADD z text", timeout=60)
    client.execute(insert, (tenant, 2, 2))
    assert [row.a for row in client.execute(select, (tenant,))] == [1, 2]
    fresh = connect(front).prepare(f"SELECT * FROM {room}.changing WHERE system_domain_id = ?")
    assert connect(front).execute(fresh, (tenant,)).one().z is None


# --- writes and reads ------------------------------------------------------------------------------------------------

def write_in_every_form(session: Session, room: str, tenant: uuid.UUID) -> int:
    """One row for each way that a driver has to write. How many."""
    insert = session.prepare(f"INSERT INTO {room}.items (system_domain_id, id, a, b) VALUES (?, ?, ?, ?)")
    named = session.prepare(f"UPDATE {room}.items SET a = :a, b = :b WHERE system_domain_id = :t AND id = :i")
    with_ttl = session.prepare(f"INSERT INTO {room}.items (system_domain_id, id, a, b) VALUES (?, ?, ?, ?) USING TTL ?")
    session.execute(f"INSERT INTO {room}.items (system_domain_id, id, a, b) VALUES ({tenant}, 1, 1, 'literal; ''quoted''')")
    session.execute(f"INSERT INTO {room}.items (system_domain_id, id, a, b) VALUES (%s, %s, %s, %s)", (tenant, 2, 2, "b"))
    session.execute(insert, (tenant, 3, 3, "bound"))
    session.execute(named, {"a": 4, "b": "by name", "t": tenant, "i": 4})
    session.execute(with_ttl, (tenant, 5, 5, "mortal", 5000))
    session.execute(f"INSERT INTO {room}.items (system_domain_id, id, a, b) VALUES ({tenant}, 6, 6, 'old') "
                    f"USING TIMESTAMP 1500000000000000")
    session.execute(f"INSERT INTO {room}.items JSON '{{\"system_domain_id\": \"{tenant}\", \"id\": 7, \"a\": 7, \"b\": \"j\"}}'")
    number = 8
    for kind in (BatchType.LOGGED, BatchType.UNLOGGED):
        batch = BatchStatement(kind)
        batch.add(insert, (tenant, number, number, "bound in a batch"))
        batch.add(SimpleStatement(f"INSERT INTO {room}.items (system_domain_id, id, a, b) VALUES (%s, %s, %s, %s)"),
                  (tenant, number + 1, number + 1, "simple in a batch"))
        batch.add(named, {"a": number + 2, "b": "by name in a batch", "t": tenant, "i": number + 2})
        session.execute(batch)
        number += 3
    session.execute(f"BEGIN UNLOGGED BATCH INSERT INTO {room}.items (system_domain_id, id, a, b) VALUES ({tenant}, {number}, 1, 'x'); "
                    f"UPDATE {room}.items SET a = 2, b = 'y' WHERE system_domain_id = {tenant} AND id = {number + 1}; APPLY BATCH")
    session.execute(f"DELETE FROM {room}.items WHERE system_domain_id = {tenant} AND id = 2")
    return number + 2 - 1 - 1     # numbers begin with 1, and one is gone


@pytest.mark.parametrize("phase", ["source_only", "shadow_async", "shadow_sync", "target_primary", "target_only"])
def test_the_phase_says_where_a_write_goes(penumbra, connect, source, target, room, phase) -> None:
    """With timestamps of the driver, and without any: then all have one all the same."""
    process = penumbra("--phase", phase)
    direct = [connect(source), connect(target)]
    for generator in (None, lambda: None):
        tenant = uuid.uuid4()
        session = connect(process) if generator is None else connect(process, timestamp_generator=generator)
        begin = time.time_ns() // 1000
        count = write_in_every_form(session, room, tenant)
        process.settled()
        there = [rows(each, room, tenant) for each in direct]
        assert len(rows(session, room, tenant)) == count
        if phase == "source_only":
            assert len(there[0]) == count and there[1] == []
        elif phase == "target_only":
            assert there[0] == [] and len(there[1]) == count
        else:
            assert len(there[0]) == count and [row[:5] for row in there[0]] == [row[:5] for row in there[1]]
        for found in there:
            for number, _, _, of_a, of_b, ttl in found:
                assert of_a == of_b
                assert of_a == 1500000000000000 if number == 6 else begin <= of_a <= time.time_ns() // 1000
                assert (ttl is not None and 4000 < ttl <= 5000) == (number == 5)


def test_functions_give_one_value_to_both(client, source, target, room, tenant) -> None:
    client.execute(f"INSERT INTO items (system_domain_id, id, made, at, b) VALUES "
                   f"({tenant}, 1, now(), toTimestamp(now()), 'x')")
    prepared = client.prepare("INSERT INTO items (system_domain_id, id, made, at, a) VALUES (?, ?, now(), toTimestamp(now()), ?)")
    for number in range(2, 12):
        client.execute(prepared, (tenant, number, number))
    client.execute(f"UPDATE items SET made = now(), at = 'now' WHERE system_domain_id = {tenant} AND id = 1")
    made = [row.made for row in client.execute(f"SELECT made FROM items WHERE system_domain_id = {tenant}")]
    assert len(set(made)) == 11
    assert_equal(source, target, room, tenant, 11)


def test_nulls_unset_values_and_collections(client, source, target, room, tenant) -> None:
    insert = client.prepare("INSERT INTO items (system_domain_id, id, a, b, tags) VALUES (?, ?, ?, ?, ?)")
    client.execute(insert, (tenant, 1, 1, "stays", {"x", "y"}))
    client.execute(insert, (tenant, 1, 2))     # The rest is unset.
    client.execute(insert, (tenant, 2, None, "b", None))
    client.execute("UPDATE items SET tags = tags + {'z'} WHERE system_domain_id = %s AND id = 1", (tenant,))
    client.execute("UPDATE items SET tags = tags - {'x'} WHERE system_domain_id = %s AND id = 1", (tenant,))
    row = client.execute("SELECT a, b, tags FROM items WHERE system_domain_id = %s AND id = 1", (tenant,)).one()
    assert (row.a, row.b, set(row.tags)) == (2, "stays", {"y", "z"})
    assert_equal(source, target, room, tenant, 2)


def test_conditional_writes_get_their_answer_and_both_clusters_agree(client, front, source, target, room, tenant) -> None:
    def first(result: ResultSet) -> dict:
        return result.one()._asdict()
    insert = client.prepare("INSERT INTO items (system_domain_id, id, a, b) VALUES (?, ?, ?, ?) IF NOT EXISTS")
    # A ScyllaDB adds the row as it was before, here and below: nulls, or what stood in the way.
    added = first(client.execute(insert, (tenant, 1, 1, "one")))
    assert added["applied"] and (source.is_scylla or added == {"applied": True})
    again = first(client.execute(insert, (tenant, 1, 2, "two")))
    assert (again["applied"], again["a"], again["b"]) == (False, 1, "one")
    assert client.execute(f"UPDATE items SET a = 5 WHERE system_domain_id = {tenant} AND id = 1 IF a = 1").was_applied
    refused = first(client.execute(f"UPDATE items SET a = 6 WHERE system_domain_id = {tenant} AND id = 1 IF a = 1"))
    assert (refused["applied"], refused["a"]) == (False, 5)
    batch = BatchStatement()
    batch.add(insert, (tenant, 2, 2, "in a batch"))
    batch.add(SimpleStatement(f"UPDATE items SET a = 7 WHERE system_domain_id = {tenant} AND id = 1 IF a = 5"))
    assert client.execute(batch).was_applied
    assert not client.execute(batch).was_applied
    assert client.execute(f"DELETE FROM items WHERE system_domain_id = {tenant} AND id = 2 IF EXISTS").was_applied
    assert not client.execute(f"DELETE FROM items WHERE system_domain_id = {tenant} AND id = 2 IF EXISTS").was_applied
    # Reads at SERIAL go where conditional writes go.
    serial = SimpleStatement(f"SELECT a FROM items WHERE system_domain_id = {tenant} AND id = 1",
                             consistency_level=ConsistencyLevel.SERIAL)
    assert client.execute(serial).one().a == 7
    front.settled()
    assert_equal(source, target, room, tenant, 1)


def test_racing_conditional_writes_have_one_winner_each(front, connect, source, target, room, tenant) -> None:
    sessions = [connect(front) for _ in range(3)]
    won = {}
    for number in range(20):
        answers = [session.execute_async(f"INSERT INTO {room}.items (system_domain_id, id, a) VALUES ({tenant}, {number}, {who}) "
                                         f"IF NOT EXISTS") for who, session in enumerate(sessions)]
        winners = [who for who, answer in enumerate(answers) if answer.result().was_applied]
        assert len(winners) == 1
        won[number] = winners[0]
    found = sessions[0].execute(f"SELECT id, a FROM {room}.items WHERE system_domain_id = {tenant}")
    assert {row.id: row.a for row in found} == won
    front.settled()
    assert_equal(source, target, room, tenant, 20)


def test_counters_count_once_on_each(client, front, source, target, connect, room, tenant) -> None:
    add = client.prepare("UPDATE hits SET n = n + ? WHERE system_domain_id = ? AND id = ?")
    for number in range(30):
        client.execute(add, (number, tenant, number % 3))
    batch = BatchStatement(BatchType.COUNTER)
    batch.add(add, (100, tenant, 0))
    batch.add(add, (-100, tenant, 1))
    client.execute(batch)
    client.execute(f"UPDATE hits SET n = n - 1 WHERE system_domain_id = {tenant} AND id = 2")
    front.settled()
    right = {i: sum(n for n in range(30) if n % 3 == i) + {0: 100, 1: -100, 2: -1}[i] for i in range(3)}
    for where in (front, source, target):
        found = connect(where).execute(f"SELECT id, n FROM {room}.hits WHERE system_domain_id = {tenant}")
        assert {row.id: row.n for row in found} == right


def test_pages(client, source, target, room, tenant) -> None:
    insert = client.prepare("INSERT INTO items (system_domain_id, id, a, b) VALUES (?, ?, ?, ?)")
    execute_concurrent_with_args(client, insert, [(tenant, n, n, f"row {n}") for n in range(500)], concurrency=32)
    select = client.prepare("SELECT id, b FROM items WHERE system_domain_id = ?")
    for size in (1, 37, 250, 500, 501):
        bound = select.bind((tenant,))
        bound.fetch_size = size
        if size == 1:
            bound = SimpleStatement(f"SELECT id, b FROM items WHERE system_domain_id = {tenant} AND id < 20", fetch_size=1)
        found = [row.id for row in client.execute(bound)]
        assert found == list(range(20 if size == 1 else 500)), f"pages of {size}"
    # A paging state that the application keeps, and gives back on another connection.
    bound = select.bind((tenant,))
    bound.fetch_size = 100
    begun = client.execute(bound)
    state, seen = begun.paging_state, [row.id for row in begun.current_rows]
    rest = client.execute(bound, paging_state=state)
    assert seen + [row.id for row in rest] == list(range(500))
    with pytest.raises(Exception) as refused:  # noqa: PT011  (a ProtocolException, by whatever name the driver has)
        client.execute(bound, paging_state=b"not one of ours")
    assert "paging state" in str(refused.value).lower()
    assert_equal(source, target, room, tenant, 500)


def test_a_result_goes_on_across_a_switch(penumbra, connect, room, tenant) -> None:
    """Its next page comes from the cluster that began it, whoever is primary by now, and back again."""
    process = penumbra()
    session = connect(process)
    insert = session.prepare(f"INSERT INTO {room}.items (system_domain_id, id, a, b) VALUES (?, ?, ?, ?)")
    execute_concurrent_with_args(session, insert, [(tenant, n, n, f"row {n}") for n in range(300)], concurrency=32)
    process.cli("migration", "create", "acme", "--tenant", str(tenant), "--table", f"{room}.*", "-o", "json")
    select = session.prepare(f"SELECT id FROM {room}.items WHERE system_domain_id = ?")

    def begun() -> Iterator[int]:
        bound = select.bind((tenant,))
        bound.fetch_size = 20
        return (row.id for row in session.execute(bound))
    results = [begun()]
    seen = [[next(results[0]) for _ in range(30)]]
    for step in (["switch", "--to", "shadow_async"], ["copy"], ["switch", "--to", "shadow_sync"], ["verify"],
                 ["switch", "--to", "target_primary"], ["reverse"], ["switch", "--to", "shadow_async"]):
        process.settled()
        process.cli(step[0], "acme", *step[1:], "-o", "json")
        results.append(begun())
        seen.append([])
        for result, ids in zip(results, seen):
            ids.extend(next(result) for _ in range(25))
    for result, ids in zip(results, seen):
        ids.extend(result)
        assert ids == list(range(300))


def test_truncate_empties_both(client, connect, source, target, room, tenant) -> None:
    client.execute("CREATE TABLE emptied (system_domain_id uuid, id int, PRIMARY KEY (system_domain_id, id))", timeout=60)
    for number in range(5):
        client.execute(f"INSERT INTO emptied (system_domain_id, id) VALUES ({tenant}, {number})")
    client.execute("TRUNCATE emptied", timeout=60)
    for cluster in (source, target):
        assert connect(cluster).execute(f"SELECT * FROM {room}.emptied").all() == []


# --- many at once ----------------------------------------------------------------------------------------------------

def backend_connections(process: Penumbra, cluster) -> int:
    """Established connections of the process to the cluster, as the kernel counts them."""
    inodes = set()
    for fd in Path(f"/proc/{process.pid}/fd").iterdir():
        try:
            link = os.readlink(fd)
        except OSError:
            continue
        if link.startswith("socket:["):
            inodes.add(link[8:-1])
    host, _, port = cluster.contact_point.rpartition(":")
    peer = "".join(f"{int(part):02X}" for part in reversed(host.split("."))) + f":{int(port):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(1 for line in lines if line[2] == peer and line[3] == "01" and line[9] in inodes)


def test_fifty_clients_share_few_connections(front, source, target, room, tenant) -> None:
    before = front.status()["clients"]["connections"]
    clusters = [Cluster([support.SHARED_PENUMBRA_ADDRESS], protocol_version=4, schema_metadata_enabled=False,
                        token_metadata_enabled=False, connect_timeout=30, control_connection_timeout=30)
                for _ in range(25)]
    try:
        sessions = [cluster.connect() for cluster in clusters]
        assert front.status()["clients"]["connections"] - before >= 50     # One for requests, one for events, each.
        statements = [session.prepare(f"INSERT INTO {room}.items (system_domain_id, id, a, b) VALUES (?, ?, ?, ?)")
                      for session in sessions]
        pending = [session.execute_async(statement, (tenant, n * 25 + who, n, f"of {who}"), timeout=60)
                   for n in range(40) for who, (session, statement) in enumerate(zip(sessions, statements))]
        for each in pending:
            each.result()
        # The answers went to those who asked.
        asked = [(who, session.execute_async(f"SELECT b FROM {room}.items WHERE system_domain_id = {tenant} "
                                             f"AND id = {25 * 7 + who}", timeout=60)) for who, session in enumerate(sessions)]
        assert all(answer.result().one().b == f"of {who}" for who, answer in asked)
        assert backend_connections(front, source) < 25
        assert backend_connections(front, target) < 25
    finally:
        for cluster in clusters:
            cluster.shutdown()
    eventually(lambda: front.status()["clients"]["connections"] <= before, "the clients are gone")
    assert_equal(source, target, room, tenant, 1000)
