"""The scenario in the Python driver (cassandra-driver or scylla-driver). tests/drivers/README.md says what a step is."""

from __future__ import annotations

import datetime
import decimal
import ipaddress
import json
import ssl
import sys
import time
import uuid

from cassandra import ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import ConstantReconnectionPolicy, RoundRobinPolicy
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType, SimpleStatement
from cassandra.util import Date, Duration, OrderedMapSerializedKey, SortedSet, Time

CONFIG = json.loads(sys.argv[1])
KS = CONFIG["keyspace"]


# --- telling ---------------------------------------------------------------------------------------------------------

def plain(value):
    """A driver's value as JSON, the same for equal values."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return [plain(item) for item in value]
    if isinstance(value, (SortedSet, set, frozenset)):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, (dict, OrderedMapSerializedKey)):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if hasattr(value, "_fields"):
        return {name: plain(getattr(value, name)) for name in value._fields}
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def rows_of(result) -> dict:
    return {"columns": list(result.column_names or []), "types": [str(t.cql_parameterized_type()) for t in result.column_types or []],
            "rows": [[plain(value) for value in row] for row in result]}


def step(name: str, action) -> None:
    """One line: what the step gave, or the error that an application sees."""
    try:
        outcome = action()
    except Exception as error:  # Whatever the driver raises is what we are here to compare.
        errors = getattr(error, "errors", None)
        causes = sorted({type(e).__name__ + ": " + str(e) for e in errors.values()}) if isinstance(errors, dict) else []
        outcome = {"error": type(error).__name__, "code": getattr(error, "error_code", getattr(error, "code", None)),
                   "message": str(error) if not causes else causes}
    print(json.dumps({"step": name, "outcome": outcome}), flush=True)


def ask(what: str) -> None:
    """Something that only the runner can do (restart the proxy, change the phase); waits until it is done."""
    print(json.dumps({"ask": what}), flush=True)
    sys.stdin.readline()


def eventually(condition, within: float = 30.0):
    deadline = time.monotonic() + within
    while not (seen := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return seen


def alive(session: Session) -> bool:
    try:
        return bool(session.execute("SELECT key FROM system.local").one())
    except Exception:  # It is just being found again.
        return False


# --- the steps -------------------------------------------------------------------------------------------------------

def connect() -> Session:
    options = {}
    if CONFIG.get("protocol"):
        options["protocol_version"] = CONFIG["protocol"]
    options["compression"] = CONFIG.get("compression") or False
    if CONFIG.get("user"):
        options["auth_provider"] = PlainTextAuthProvider(CONFIG["user"], CONFIG["password"])
    if CONFIG.get("ca"):
        options["ssl_context"] = ssl.create_default_context(cafile=CONFIG["ca"])
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=30,
                               consistency_level=ConsistencyLevel.LOCAL_QUORUM)
    cluster = Cluster([CONFIG["host"]], port=CONFIG["port"], execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                      reconnection_policy=ConstantReconnectionPolicy(0.5, None), connect_timeout=20,
                      control_connection_timeout=20, schema_event_refresh_window=0, **options)
    return cluster.connect()


def describe_connection(session: Session) -> dict:
    local = session.execute("SELECT cluster_name, data_center, rack, release_version, partitioner, cql_version, "
                            "native_protocol_version FROM system.local").one()
    hosts = list(session.cluster.metadata.all_hosts())
    connection = session.cluster.control_connection._connection  # The driver shows its codec nowhere else.
    return {"protocol": session.cluster.protocol_version, "compressed": connection.compressor is not None, "local": plain(local),
            "hosts": [[str(host.datacenter), str(host.rack), str(host.release_version), host.is_up] for host in hosts],
            "token_aware": bool(session.cluster.metadata.token_map and session.cluster.metadata.token_map.ring)}


def table_of(session: Session, name: str):
    return session.cluster.metadata.keyspaces[KS].tables[name]


def shape(session: Session, name: str) -> dict:
    table = table_of(session, name)
    return {"columns": {c.name: c.cql_type for c in table.columns.values()},
            "partition_key": [c.name for c in table.partition_key],
            "clustering_key": [[c.name, c.is_reversed] for c in table.clustering_key],
            "indexes": sorted(table.indexes), "comment": table.options["comment"]}


def schema(session: Session) -> None:
    execute = session.execute
    step("schema.keyspace", lambda: rows_of(execute(
        f"CREATE KEYSPACE {KS} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")))
    step("schema.use", lambda: [session.set_keyspace(KS), session.keyspace][1])
    step("schema.type", lambda: [execute("CREATE TYPE address (street text, zip int)"),
                                 session.cluster.metadata.keyspaces[KS].user_types["address"].field_types][1])
    step("schema.table", lambda: [execute(
        "CREATE TABLE people (team text, id int, name text, home frozen<address>, tags set<text>, "
        "PRIMARY KEY (team, id)) WITH CLUSTERING ORDER BY (id DESC) AND comment = 'who'"), shape(session, "people")][1])
    step("schema.alter", lambda: [execute("ALTER TABLE people ADD age int"), shape(session, "people")][1])
    step("schema.index", lambda: [execute("CREATE INDEX people_name ON people (name)"), shape(session, "people")][1])
    step("schema.drop", lambda: [execute("CREATE TABLE gone (id int PRIMARY KEY)"), execute("DROP TABLE gone"),
                                 sorted(session.cluster.metadata.keyspaces[KS].tables)][2])


def simple(session: Session) -> None:
    execute = session.execute
    step("simple.write", lambda: rows_of(execute(
        "INSERT INTO people (team, id, name, age) VALUES ('a', 1, 'Ann', 31) USING TIMESTAMP 1000000 AND TTL 100000")))
    step("simple.values", lambda: rows_of(execute(
        "INSERT INTO people (team, id, name) VALUES (%(team)s, %(id)s, %(name)s)", {"team": "a", "id": 2, "name": "Bo'b"})))
    step("simple.read", lambda: rows_of(execute("SELECT * FROM people WHERE team = 'a'")))
    step("simple.none", lambda: rows_of(execute("SELECT id, name FROM people WHERE team = 'none'")))
    step("simple.functions", lambda: rows_of(execute(
        "SELECT writetime(name) AS w, cast(id AS text) AS t, token(team), blobAsInt(intAsBlob(id)) FROM people "
        "WHERE team = 'a' AND id = 1")))
    step("simple.json", lambda: rows_of(execute("SELECT JSON id, name FROM people WHERE team = 'a'")))
    step("simple.index", lambda: rows_of(execute("SELECT id FROM people WHERE name = 'Ann'")))
    step("simple.delete", lambda: [execute("DELETE FROM people WHERE team = 'a' AND id = 2"),
                                   rows_of(execute("SELECT id FROM people WHERE team = 'a'"))][1])


def prepared(session: Session) -> None:
    insert = session.prepare("INSERT INTO people (team, id, name, age, tags) VALUES (?, ?, ?, ?, ?)")
    select = session.prepare("SELECT team, id, name, age, tags FROM people WHERE team = :team")
    step("prepared.metadata", lambda: {
        "variables": [[c.name, c.type.cql_parameterized_type()] for c in insert.column_metadata],
        "routing_key": insert.routing_key_indexes, "named": [c.name for c in select.column_metadata]})
    for number in range(1, 4):
        step(f"prepared.write_{number}", lambda: rows_of(session.execute(insert, ("p", number, f"n{number}", number, {"x"}))))
    step("prepared.read", lambda: rows_of(session.execute(select, {"team": "p"})))
    if session.cluster.protocol_version >= 4:
        step("prepared.unset", lambda: rows_of(session.execute(insert, ("p", 1, UNSET_VALUE, None, UNSET_VALUE))))
        step("prepared.unset_read", lambda: rows_of(session.execute(select, ("p",))))


def batches(session: Session) -> None:
    session.execute("CREATE TABLE hits (page text PRIMARY KEY, n counter)")
    insert = session.prepare("INSERT INTO people (team, id, name) VALUES (?, ?, ?)")
    count = session.prepare("UPDATE hits SET n = n + ? WHERE page = ?")

    def run(kind, *statements, read="SELECT id, name FROM people WHERE team = 'b'"):
        batch = BatchStatement(batch_type=kind)
        for statement, *values in statements:
            batch.add(statement, values or None)
        session.execute(batch)
        return rows_of(session.execute(read))
    text = SimpleStatement("INSERT INTO people (team, id, name) VALUES ('b', 3, 'text')")
    step("batch.logged", lambda: run(BatchType.LOGGED, (insert, "b", 1, "one"), (insert, "b", 2, "two")))
    step("batch.unlogged", lambda: run(BatchType.UNLOGGED, (insert, "b", 1, "uno"), (insert, "b", 2, "due")))
    step("batch.mixed", lambda: run(BatchType.LOGGED, (insert, "b", 4, "four"), (text,)))
    step("batch.counter", lambda: run(BatchType.COUNTER, (count, 2, "x"), (count, 3, "y"), (count, 5, "x"),
                                      read="SELECT page, n FROM hits"))
    step("batch.wrong_kind", lambda: run(BatchType.LOGGED, (count, 2, "x")))
    step("batch.empty", lambda: run(BatchType.LOGGED))


def conditional(session: Session) -> None:
    execute = session.execute
    insert = "INSERT INTO people (team, id, name) VALUES ('l', 1, 'Lea') IF NOT EXISTS"
    step("lwt.insert", lambda: rows_of(execute(insert)))
    step("lwt.insert_again", lambda: rows_of(execute(insert)))
    step("lwt.update", lambda: rows_of(execute("UPDATE people SET name = 'Lou' WHERE team = 'l' AND id = 1 IF name = 'Lea'")))
    step("lwt.update_refused", lambda: rows_of(execute("UPDATE people SET name = 'Lu' WHERE team = 'l' AND id = 1 IF name = 'Lea'")))
    update = session.prepare("UPDATE people SET name = ? WHERE team = 'l' AND id = 1 IF name = ?")
    step("lwt.prepared", lambda: rows_of(execute(update, ("Ly", "Lou"))))
    step("lwt.batch", lambda: rows_of(execute(
        "BEGIN BATCH INSERT INTO people (team, id, name) VALUES ('l', 2, 'x') IF NOT EXISTS; "
        "UPDATE people SET name = 'y' WHERE team = 'l' AND id = 1 IF name = 'nobody'; APPLY BATCH")))
    step("lwt.delete", lambda: rows_of(execute("DELETE FROM people WHERE team = 'l' AND id = 1 IF EXISTS")))
    step("lwt.serial_read", lambda: rows_of(execute(
        SimpleStatement("SELECT id FROM people WHERE team = 'l'", consistency_level=ConsistencyLevel.LOCAL_SERIAL))))


def paging(session: Session) -> None:
    session.execute("CREATE TABLE pages (k int, c int, v text, PRIMARY KEY (k, c))")
    ask("tables_made")
    insert = session.prepare("INSERT INTO pages (k, c, v) VALUES (?, ?, ?)")
    execute_concurrent_with_args(session, insert, [(1, c, f"v{c}") for c in range(100)])

    def pages(statement, state=None, bind=None):
        sizes, result = [], session.execute(statement, bind, paging_state=state)
        while True:
            sizes.append(len(result.current_rows))
            if not result.has_more_pages:
                return sizes
            result.fetch_next_page()
    query = SimpleStatement("SELECT c FROM pages WHERE k = 1", fetch_size=30)
    step("paging.simple", lambda: pages(query))
    select = session.prepare("SELECT c, v FROM pages WHERE k = ?")
    select.fetch_size = 40
    step("paging.prepared", lambda: pages(select, bind=(1,)))
    step("paging.iterate", lambda: sum(row.c for row in session.execute(query)))
    first = session.execute(query)
    ask("between_pages")  # A phase may change here: the next page is still the next page.
    step("paging.resume", lambda: [row.c for row in session.execute(query, paging_state=first.paging_state).current_rows])
    step("paging.resume_sizes", lambda: pages(query, state=first.paging_state))


def types(session: Session) -> None:
    u = uuid.UUID("50554d6e-29bb-11e5-b345-feff819cdc9f")
    values = [
        ("ascii", "plain"), ("bigint", -(1 << 63)), ("blob", b"\x00\xff"), ("boolean", True), ("date", Date("2024-02-29")),
        ("decimal", decimal.Decimal("-12.3450")), ("double", -0.5), ("duration", Duration(1, 2, 3)), ("float", 1.25),
        ("inet", ipaddress.ip_address("2001:db8::1").compressed), ("int", 2147483647), ("smallint", -32768), ("text", "žluť ☃"),
        ("time", Time("12:34:56.789012345")), ("timestamp", datetime.datetime(1969, 12, 31, 23, 59, 59, 999000)),
        ("timeuuid", u), ("tinyint", -128), ("uuid", u), ("varchar", ""), ("varint", 1 << 80),
        ("list<int>", [3, 1, 2]), ("set<text>", {"b", "a"}), ("map<text, int>", {"k": 1}), ("frozen<list<int>>", []),
        ("tuple<int, text>", (1, None)), ("frozen<address>", ("High St", 7)),
        ("map<text, frozen<list<frozen<address>>>>", {"k": [("A", None)]}),
    ]
    columns = ", ".join(f"c{i} {kind}" for i, (kind, _) in enumerate(values))
    session.execute(f"CREATE TABLE kinds (id int PRIMARY KEY, {columns})")
    for i, (kind, value) in enumerate(values):
        def round_trip(i=i, value=value):
            session.execute(session.prepare(f"INSERT INTO kinds (id, c{i}) VALUES (?, ?)"), (i, value))
            return rows_of(session.execute(session.prepare(f"SELECT c{i} FROM kinds WHERE id = ?"), (i,)))
        step(f"types.{kind}", round_trip)
    step("types.null", lambda: rows_of(session.execute("SELECT * FROM kinds WHERE id = 0")))


def errors(session: Session) -> None:
    for name, query in (
            ("syntax", "SELEC * FROM people"),
            ("unknown_table", "SELECT * FROM nowhere"),
            ("unknown_keyspace", "SELECT * FROM nowhere.people"),
            ("unknown_column", "SELECT wrong FROM people"),
            ("wrong_type", "INSERT INTO people (team, id) VALUES ('a', 'b')"),
            ("missing_key", "INSERT INTO people (team) VALUES ('a')"),
            ("filtering", "SELECT * FROM people WHERE age = 3"),
            ("keyspace_exists", f"CREATE KEYSPACE {KS} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"),
            ("table_exists", "CREATE TABLE people (id int PRIMARY KEY)"),
            ("drop_missing", "DROP TABLE nowhere"),
            ("bad_option", "ALTER TABLE people WITH nonsense = 1"),
            ("unknown_function", "SELECT nofunction(id) FROM people"),
            ("use_missing", "USE nowhere")):
        step(f"errors.{name}", lambda query=query: rows_of(session.execute(query)))
    step("errors.prepare", lambda: session.prepare("SELECT * FROM people WHERE nothing = ?") and None)
    step("errors.unavailable", lambda: rows_of(session.execute(
        SimpleStatement("SELECT id FROM people WHERE team = 'a'", consistency_level=ConsistencyLevel.THREE))))
    step("errors.after", lambda: rows_of(session.execute("SELECT id FROM people WHERE team = 'p'")))


def evolution(session: Session) -> None:
    """Schemas change under prepared statements."""
    session.execute("CREATE TABLE evolving (id int PRIMARY KEY, a int)")
    select, insert = session.prepare("SELECT * FROM evolving"), session.prepare("INSERT INTO evolving (id, a) VALUES (?, ?)")
    session.execute(insert, (1, 1))
    session.execute("ALTER TABLE evolving ADD b text")
    session.execute("UPDATE evolving SET b = 'new' WHERE id = 1")
    step("evolution.added", lambda: rows_of(session.execute(select)))
    session.execute("DROP TABLE evolving")
    step("evolution.dropped", lambda: rows_of(session.execute(insert, (2, 2))))
    session.execute("CREATE TABLE evolving (id int PRIMARY KEY, a int)")
    step("evolution.recreated", lambda: [session.execute(insert, (3, 3)), rows_of(session.execute("SELECT id, a FROM evolving"))][1])


def events(session: Session) -> None:
    """A second application learns of what the first one does."""
    other = connect()
    try:
        tables = lambda: other.cluster.metadata.keyspaces[KS].tables  # noqa: E731
        session.execute("CREATE TABLE announced (id int PRIMARY KEY)")
        step("events.created", lambda: bool(eventually(lambda: "announced" in tables())))
        session.execute("ALTER TABLE announced ADD x int")
        step("events.altered", lambda: bool(eventually(lambda: "x" in tables()["announced"].columns)))
        session.execute("DROP TABLE announced")
        step("events.dropped", lambda: bool(eventually(lambda: "announced" not in tables())))
    finally:
        other.cluster.shutdown()


def extras(session: Session) -> None:
    def warned():
        future = session.execute_async("SELECT count(*) FROM people")
        future.result()
        return future.warnings
    step("extras.warnings", warned)
    step("extras.tracing", lambda: len(session.execute("SELECT id FROM people WHERE team = 'p'", trace=True)
                                       .get_query_trace(max_wait_sec=20).events) > 0)

    def stamped():
        statement = session.prepare("INSERT INTO people (team, id, name) VALUES ('s', 1, 'x')")
        before = time.time()
        session.execute(statement)
        written = session.execute("SELECT writetime(name) AS w FROM people WHERE team = 's'").one().w / 1e6
        return before - 5 < written < time.time() + 5
    step("extras.timestamp", stamped)
    insert = session.prepare("INSERT INTO pages (k, c, v) VALUES (2, ?, ?)")
    step("extras.concurrent", lambda: [sum(ok for ok, _ in execute_concurrent_with_args(
        session, insert, [(c, "v" * c) for c in range(500)], concurrency=200)),
        session.execute("SELECT count(*) FROM pages WHERE k = 2").one()[0]])
    step("extras.large", lambda: [session.execute(insert, (1000, "x" * 1_000_000)),
                                  len(session.execute("SELECT v FROM pages WHERE k = 2 AND c = 1000").one().v)][1])


def restart(session: Session) -> None:
    """Last, for the server closes a connection on which it was told nonsense."""
    query = SimpleStatement("SELECT team FROM people", fetch_size=1)
    step("restart.bad_paging_state", lambda: rows_of(session.execute(query, paging_state=b"\x01nonsense")))
    eventually(lambda: alive(session))
    select = session.prepare("SELECT id, name FROM people WHERE team = ?")
    ask("restart")

    eventually(lambda: alive(session), 60)
    step("restart.prepared", lambda: rows_of(session.execute(select, ("p",))))
    step("restart.write", lambda: [session.execute("INSERT INTO people (team, id) VALUES ('r', 1)"),
                                   rows_of(session.execute("SELECT id FROM people WHERE team = 'r'"))][1])


GROUPS = {"schema": schema, "simple": simple, "prepared": prepared, "batch": batches, "lwt": conditional, "paging": paging,
          "types": types, "errors": errors, "evolution": evolution, "events": events, "extras": extras, "restart": restart}


def main() -> None:
    session = None
    def opened():
        nonlocal session
        session = connect()
        return describe_connection(session)
    step("connect", opened)
    if session is None:
        return
    for name, group in GROUPS.items():
        if name in CONFIG["groups"]:
            try:
                group(session)
            except Exception as error:  # What a group needs before its steps failed: that is an outcome, too.
                step(f"{name}.setup", lambda error=error: (_ for _ in ()).throw(error))
    session.execute(f"DROP KEYSPACE {KS}")
    session.cluster.shutdown()
    step("closed", lambda: True)


main()
