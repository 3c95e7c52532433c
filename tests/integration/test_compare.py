"""tools/demo/compare.py, on whose word the demo stands or falls, sees every kind of difference, and no others.

Each test writes the same to both clusters, sees them equal, makes one thing differ and must be told exactly that.
"""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import compare as comparer
import support

pytestmark = pytest.mark.cassandra_only("the comparer reads what is behind")

COMMAND = support.ROOT / "tools" / "demo" / "compare.py"
LONG_AGO = 1_700_000_000_000_000


class Pair:
    """Both clusters, one keyspace, and two tenants of the test's own in table t."""

    def __init__(self, source: Any, target: Any, sessions: tuple, keyspace: str) -> None:
        self._where = (source.contact_point, target.contact_point)
        self.source, self.target = sessions
        self.keyspace = keyspace
        self.acme, self.other = uuid.uuid4(), uuid.uuid4()

    def make(self) -> Pair:
        self.both(f"CREATE TABLE {self.keyspace}.t (system_domain_id uuid, id int, s text static, v text, n int, "
                  f"set_ set<text>, map_ map<int, text>, list_ list<int>, PRIMARY KEY (system_domain_id, id))")
        return self

    def fill(self) -> Pair:
        for i in range(5):
            self.both(f"INSERT INTO {self.keyspace}.t (system_domain_id, id, s, v, n, set_, map_, list_) "
                      f"VALUES ({self.acme}, {i}, 's', 'v{i}', {i}, {{'a', 'b'}}, {{1: 'x', 2: 'y'}}, [1, 2, 3]) "
                      f"USING TIMESTAMP {LONG_AGO} AND TTL 0")
        self.both(f"INSERT INTO {self.keyspace}.t (system_domain_id, id, v) VALUES ({self.other}, 1, 'o') "
                  f"USING TIMESTAMP {LONG_AGO}")
        return self

    def row(self, number: int) -> str:
        return f"WHERE system_domain_id = {self.acme} AND id = {number}"

    def both(self, cql: str, *values: Any) -> None:
        for session in (self.source, self.target):
            session.execute(cql, values or None, timeout=60)

    def compare(self, **options: Any) -> dict:
        mine = {"tenants": [self.acme, self.other], "tenant_column": "system_domain_id"}
        return comparer.compare(*self._where, [self.keyspace], **mine | options)

    def equal(self, rows: int, **options: Any) -> None:
        found = self.compare(**options)
        assert found["differences"] == 0, found["shown"]
        assert found["rows_compared"] == rows

    def one_difference(self, kind: str, **options: Any) -> dict:
        found = self.compare(**options)
        assert [shown["kind"] for shown in found["shown"]] == [kind], found["shown"]
        assert found["differences"] == 1 and found["by_kind"] == {kind: 1}
        return found["shown"][0]


@pytest.fixture(scope="module")
def shared(source, target) -> Iterator[tuple]:
    """One keyspace for all tests that need no table of their own: making tables is most of what such a test costs."""
    sessions = (support.connect(source.contact_point), support.connect(target.contact_point))
    name = "t_" + uuid.uuid4().hex[:12]
    for session in sessions:
        session.execute(f"CREATE KEYSPACE {name} WITH replication = "
                        f"{{'class': 'SimpleStrategy', 'replication_factor': 1}}", timeout=60)
        session.set_keyspace(name)
    Pair(source, target, sessions, name).make()
    yield sessions, name
    for session in sessions:
        session.execute(f"DROP KEYSPACE {name}", timeout=60)
        session.cluster.shutdown()


@pytest.fixture
def pair(source, target, shared) -> Pair:
    return Pair(source, target, *shared).fill()


@pytest.fixture
def own(source, target, both, keyspace) -> Pair:
    """A keyspace of the test's own, for those that change the schema or compare all of it."""
    return Pair(source, target, both, keyspace).make().fill()


def test_equal(pair: Pair) -> None:
    pair.equal(6)


def test_missing_row(pair: Pair) -> None:
    pair.target.execute(f"DELETE FROM t {pair.row(3)}")
    shown = pair.one_difference("missing row")
    assert shown["table"] == f"{pair.keyspace}.t" and shown["key"] == f"system_domain_id={pair.acme}, id=3"
    assert shown["text"].startswith("only on the source:") and "v 'v3'" in shown["text"]


def test_extra_row(pair: Pair) -> None:
    pair.target.execute(f"INSERT INTO t (system_domain_id, id) VALUES ({pair.acme}, 99)")
    shown = pair.one_difference("extra row")
    assert shown["key"].endswith("id=99") and shown["text"] == "only on the target: no columns"


def test_other_value(pair: Pair) -> None:
    pair.target.execute(f"UPDATE t USING TIMESTAMP {LONG_AGO} SET n = 77 {pair.row(2)}")   # 77 wins the tie over 2.
    shown = pair.one_difference("value")
    assert shown["column"] == "n"
    assert shown["text"] == f"source 2 written {LONG_AGO} | target 77 written {LONG_AGO}"


def test_other_writetime(pair: Pair) -> None:
    pair.target.execute(f"UPDATE t USING TIMESTAMP {LONG_AGO + 1} SET n = 2 {pair.row(2)}")
    shown = pair.one_difference("writetime")
    assert shown["column"] == "n" and f"written {LONG_AGO + 1}" in shown["text"]


def test_missing_ttl(pair: Pair) -> None:
    stamp = LONG_AGO + 1
    pair.source.execute(f"UPDATE t USING TIMESTAMP {stamp} AND TTL 5000 SET v = 'w' {pair.row(1)}")
    pair.target.execute(f"UPDATE t USING TIMESTAMP {stamp} SET v = 'w' {pair.row(1)}")
    shown = pair.one_difference("ttl")
    assert shown["column"] == "v" and "expires" in shown["text"].split("|")[0] and (
        "expires" not in shown["text"].split("|")[1])


def test_other_expiry_and_its_tolerance(pair: Pair) -> None:
    stamp = LONG_AGO + 1
    pair.source.execute(f"UPDATE t USING TIMESTAMP {stamp} AND TTL 5000 SET v = 'w' {pair.row(1)}")
    pair.target.execute(f"UPDATE t USING TIMESTAMP {stamp} AND TTL 5060 SET v = 'w' {pair.row(1)}")
    pair.one_difference("ttl")
    pair.equal(6, ttl_tolerance=70.0)


def test_expires_while_compared(pair: Pair) -> None:
    """A row about to expire may be seen on one side only; it counts once its end has passed, and only then."""
    stamp = LONG_AGO + 1
    pair.source.execute(f"INSERT INTO t (system_domain_id, id, v) VALUES ({pair.acme}, 50, 'x') "
                        f"USING TIMESTAMP {stamp} AND TTL 4")
    found = pair.compare(ttl_tolerance=1.0)
    assert found["differences"] == 0 and found["rechecked_after_expiry"] == 1


def test_expiring_cell_over_another_value_is_still_told(pair: Pair) -> None:
    pair.source.execute(f"UPDATE t USING TIMESTAMP {LONG_AGO + 1} AND TTL 4 SET v = 'x' {pair.row(1)}")
    found = pair.compare(ttl_tolerance=1.0)
    # Its expiry left a tombstone over 'v1' on the source; the target still has it.
    assert found["rechecked_after_expiry"] == 1
    assert [shown["kind"] for shown in found["shown"]] == ["value"]
    assert "source null" in found["shown"][0]["text"] and "target 'v1'" in found["shown"][0]["text"]


@pytest.mark.parametrize("change, column", [
    ("set_ = set_ + {'c'}", "set_"), ("set_ = set_ - {'a'}", "set_"), ("map_[1] = 'z'", "map_"),
    ("map_ = map_ - {2}", "map_"), ("list_ = list_ + [4]", "list_"), ("list_[0] = 9", "list_")])
def test_collection_element(pair: Pair, change: str, column: str) -> None:
    pair.target.execute(f"UPDATE t SET {change} {pair.row(4)}")
    assert pair.one_difference("value")["column"] == column


def test_static_value(pair: Pair) -> None:
    pair.target.execute(f"UPDATE t USING TIMESTAMP {LONG_AGO} SET s = 'z' WHERE system_domain_id = {pair.acme}")
    shown = pair.one_difference("static value")   # Once, though the partition has five rows.
    assert shown["column"] == "s" and shown["key"] == f"system_domain_id={pair.acme}"


def test_partition_with_only_a_static_column(own: Pair) -> None:
    alone = uuid.uuid4()
    own.both(f"UPDATE t USING TIMESTAMP {LONG_AGO} SET s = 'only' WHERE system_domain_id = {alone}")
    own.equal(7, tenants=None)
    own.target.execute(f"DELETE s FROM t WHERE system_domain_id = {alone}")
    shown = own.one_difference("static value", tenants=None)
    assert shown["key"] == f"system_domain_id={alone}" and "target null" in shown["text"]


def test_null_is_not_empty(pair: Pair) -> None:
    pair.source.execute(f"DELETE v FROM t USING TIMESTAMP {LONG_AGO + 1} {pair.row(0)}")
    pair.target.execute(f"UPDATE t USING TIMESTAMP {LONG_AGO + 1} SET v = '' {pair.row(0)}")
    assert "source null | target empty" in pair.one_difference("value")["text"]


def test_an_empty_int_is_not_null(pair: Pair) -> None:
    """The driver decodes both as None."""
    pair.source.execute(f"UPDATE t USING TIMESTAMP {LONG_AGO + 1} SET n = blobAsInt(0x) {pair.row(0)}")
    pair.target.execute(f"DELETE n FROM t USING TIMESTAMP {LONG_AGO + 1} {pair.row(0)}")
    assert "source empty" in pair.one_difference("value")["text"]


def test_equal_numbers_of_other_bytes(own: Pair) -> None:
    own.both("CREATE TABLE numbers (k int PRIMARY KEY, d decimal, f double)")
    for session, d, f in ((own.source, "1.0", "0.0"), (own.target, "1.00", "-0.0")):
        session.execute(f"INSERT INTO numbers (k, d, f) VALUES (1, {d}, {f}) USING TIMESTAMP {LONG_AGO}")
    found = own.compare(tenants=None)
    assert found["by_kind"] == {"value": 2}


def test_only_the_tenants_asked_for(pair: Pair) -> None:
    pair.target.execute(f"DELETE FROM t WHERE system_domain_id = {pair.other}")
    pair.equal(5, tenants=[pair.acme], tenant_column="system_domain_id")
    pair.one_difference("missing row", tenants=[pair.other], tenant_column="system_domain_id")


def test_tenant_column_anywhere_in_the_key_or_nowhere(own: Pair) -> None:
    own.both("CREATE TABLE composite (a int, system_domain_id uuid, c int, PRIMARY KEY ((a, system_domain_id), c))")
    own.both("CREATE TABLE clustered (a int, system_domain_id uuid, PRIMARY KEY (a, system_domain_id))")
    own.both("CREATE TABLE none (a int PRIMARY KEY, system_domain_id uuid)")
    for tenant in (own.acme, own.other):
        own.both(f"INSERT INTO composite (a, system_domain_id, c) VALUES (1, {tenant}, 1) USING TIMESTAMP {LONG_AGO}")
        own.both(f"INSERT INTO clustered (a, system_domain_id) VALUES (1, {tenant}) USING TIMESTAMP {LONG_AGO}")
    own.source.execute(f"INSERT INTO none (a, system_domain_id) VALUES (1, {own.acme})")
    found = own.compare(tenants=[own.acme], tenant_column="system_domain_id")
    assert found["tables"] == {f"{own.keyspace}.{name}": rows for name, rows in
                               (("clustered", 1), ("composite", 1), ("t", 5))}
    assert found["not_compared"] == [f"{own.keyspace}.none has no key column system_domain_id"]
    assert found["differences"] == 0


def test_schema_differences(own: Pair) -> None:
    own.source.execute("ALTER TABLE t ADD extra int", timeout=60)
    own.target.execute("CREATE TABLE lonely (k int PRIMARY KEY)", timeout=60)
    found = own.compare(tenants=None)
    assert found["by_kind"] == {"schema": 2}
    texts = {(shown["table"].partition(".")[2], shown["column"]): shown["text"] for shown in found["shown"]}
    assert texts == {("t", "extra"): "source int regular | target has no such column",
                     ("lonely", None): "the table is only on the target"}
    assert found["rows_compared"] == 6   # What both have is compared all the same.


def test_names_that_need_quotes(own: Pair) -> None:
    own.both('CREATE TABLE "Mixed" ("select" int, "a ""b""" int, "Ü" int, PRIMARY KEY ("select", "a ""b"""))')
    own.both(f'INSERT INTO "Mixed" ("select", "a ""b""", "Ü") VALUES (1, 2, 3) USING TIMESTAMP {LONG_AGO}')
    own.equal(7, tenants=None)


def test_pages_and_ranges(own: Pair) -> None:
    """Many partitions and one wide one, with pages far smaller than either."""
    own.both("CREATE TABLE many (a int, b int, v int, PRIMARY KEY (a, b))")
    for session in (own.source, own.target):
        insert = session.prepare(f"INSERT INTO many (a, b, v) VALUES (?, ?, ?) USING TIMESTAMP {LONG_AGO}")
        futures = [session.execute_async(insert, (a, b, a * b))
                   for a in range(200) for b in range(300 if a == 7 else 2)]
        for future in futures:
            future.result()
    own.equal(6 + 199 * 2 + 300, page=37, ranges=5, tenants=None)
    own.target.execute("DELETE FROM many WHERE a = 7 AND b = 123")
    assert own.one_difference("missing row", page=37, ranges=5, tenants=None)["key"] == "a=7, b=123"


def test_a_cluster_without_rows(own: Pair) -> None:
    own.target.execute("TRUNCATE t", timeout=60)
    found = own.compare(tenants=None, max_shown=2)
    assert found["by_kind"] == {"missing row": 6, "static value": 1} and len(found["shown"]) == 2


def test_write_times_of_collections_where_both_show_them(own: Pair, target, connect) -> None:
    """Cassandra 4.1 shows none: named, not passed over in silence. 5.0 shows them: compared with itself here."""
    assert f"{own.keyspace}.t.set_" in own.compare(tenants=None)["writetimes_not_shown_by_both"]
    itself = comparer.compare(target.contact_point, target.contact_point, [own.keyspace])
    assert itself["differences"] == 0 and itself["writetimes_not_shown_by_both"] == []


def test_the_command(own: Pair, source, target, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, COMMAND, "--source", source.contact_point, "--target", target.contact_point, *arguments],
            capture_output=True, text=True, check=False)

    done = run("--keyspace", own.keyspace, "--json", str(tmp_path / "c.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 rows," in done.stdout and ", 0 differences" in done.stdout
    own.target.execute(f"DELETE FROM t {own.row(3)}")
    done = run("--keyspace", own.keyspace, "--tenant", str(own.acme), "--json", str(tmp_path / "c.json"))
    assert done.returncode == 1 and "missing row: " in done.stdout and "1 differences (1 missing row)" in done.stdout
    assert json.loads((tmp_path / "c.json").read_text())["differences"] == 1
    done = run("--keyspace", "nowhere")
    assert done.returncode == 2 and "neither cluster has a table in nowhere: check --keyspace" in done.stderr
    done = subprocess.run([sys.executable, COMMAND, "--source", "127.0.21.250:9042", "--target", target.contact_point,
                           "--keyspace", "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "the source at 127.0.21.250:9042 does not answer" in done.stderr
