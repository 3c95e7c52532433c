"""A schema made to hold every CQL type and table shape of Cassandra 4.1 and 5.0, and rows that go to their edges.

`create` makes it, `fill` writes one tenant's rows. Every statement carries an explicit timestamp that depends on its
place alone, so the same fill on two clusters leaves equal cells with equal write times.

Values go over the wire as bytes made here, not by a driver: drivers cannot say "an int of no bytes", -0.0 in a set, or
a decimal with trailing zeros, and servers hold all of these.
"""

from __future__ import annotations

import random
import struct
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cassandra.cluster import Session
from cassandra.query import UNSET_VALUE, BoundStatement, PreparedStatement

TENANT = "system_domain_id"
LONG_AGO = 1_600_000_000_000_000    # Microseconds; in 2020.
DAY = 86_400

Raw = bytes | None


# --- values as bytes -------------------------------------------------------------------------------------------------

def i8(n: int) -> bytes:
    return struct.pack(">b", n)


def i16(n: int) -> bytes:
    return struct.pack(">h", n)


def i32(n: int) -> bytes:
    return struct.pack(">i", n)


def i64(n: int) -> bytes:
    return struct.pack(">q", n)


def varint(n: int) -> bytes:
    return n.to_bytes((n if n >= 0 else ~n).bit_length() // 8 + 1, "big", signed=True)


def decimal(unscaled: int, scale: int) -> bytes:
    return i32(scale) + varint(unscaled)


def unsigned_vint(n: int) -> bytes:
    """Cassandra's own: the number of leading one bits of the first byte says how many bytes follow."""
    extra = 0
    while extra < 8 and n >> (7 * (extra + 1)):
        extra += 1
    if extra == 8:
        return b"\xff" + n.to_bytes(8, "big")
    body = bytearray(n.to_bytes(extra + 1, "big"))
    body[0] |= (0xFF << (8 - extra)) & 0xFF
    return bytes(body)


def duration(months: int, days: int, nanoseconds: int) -> bytes:
    return b"".join(unsigned_vint((n << 1) ^ (n >> 63) if n >= 0 else ((-n) << 1) - 1)
                    for n in (months, days, nanoseconds))


def text(s: str) -> bytes:
    return s.encode()


def sequence(*items: Raw) -> bytes:
    """A list, or a set; the items of a set in the order of their type."""
    return i32(len(items)) + b"".join(element(item) for item in items)


def mapping(*pairs: tuple[Raw, Raw]) -> bytes:
    return i32(len(pairs)) + b"".join(element(key) + element(value) for key, value in pairs)


def fields(*items: Raw) -> bytes:
    """A tuple, or a user defined type."""
    return b"".join(element(item) for item in items)


def element(item: Raw) -> bytes:
    return i32(-1) if item is None else i32(len(item)) + item


def timeuuid(time: int, node: int) -> bytes:
    return uuid.UUID(fields=(time & 0xFFFFFFFF, time >> 32 & 0xFFFF, time >> 48 & 0x0FFF | 0x1000,
                             0x80 | node >> 8 & 0x3F, node & 0xFF, 0x0102030405FF)).bytes


NAN = struct.pack(">d", float("nan"))
NAN32 = struct.pack(">f", float("nan"))


def double(x: float) -> bytes:
    return struct.pack(">d", x)


def float32(x: float) -> bytes:
    return struct.pack(">f", x)


# What each type can hold, to its edges. Values that only one kind of server accepts (an empty smallint, text that is
# not UTF-8 …) are not here: this schema has to fit both ends of every migration.
SCALARS: dict[str, list[bytes]] = {
    "ascii": [text("plain"), b"", text("\x00\x7f~ "), text("quote ' double \" dollar $$")],
    "bigint": [i64(0), i64(-1), i64(2**63 - 1), i64(-2**63), b""],
    "blob": [b"\x00", b"", bytes(range(256)), b"\xff" * 5000],
    "boolean": [b"\x00", b"\x01", b""],
    "date": [struct.pack(">I", day) for day in (2**31, 0, 2**32 - 1, 2**31 + 20000)],
    "decimal": [decimal(0, 0), decimal(0, 5), decimal(10, 1), decimal(100, 2), decimal(-1, -20), decimal(1, 400),
                decimal(10**80 + 1, 40), decimal(-10**80, -3)],
    "double": [double(0.0), double(-0.0), NAN, double(float("inf")), double(float("-inf")), double(5e-324),
               double(1.7976931348623157e308), b""],
    "float": [float32(0.0), float32(-0.0), NAN32, float32(float("inf")), float32(float("-inf")), float32(1e-45), b""],
    "inet": [bytes([127, 0, 0, 1]), bytes(4), bytes([255] * 4), bytes(15) + b"\x01", bytes(16),
             bytes.fromhex("20010db8000000000000000000000001"), b""],
    "int": [i32(0), i32(-1), i32(2**31 - 1), i32(-2**31), b""],
    "smallint": [i16(0), i16(-1), i16(2**15 - 1), i16(-2**15)],
    "text": [text("plain"), b"", text("Ünïcödé 木 тополь \U0001F311"), text("line\nbreak\ttab\x00nul"),
             text("x" * 70_000), text("'; DROP TABLE t; --")],
    "time": [i64(0), i64(86_399_999_999_999), i64(1)],
    "timestamp": [i64(0), i64(-1), i64(2**63 - 1), i64(-2**63), i64(1_700_000_000_123), b""],
    "timeuuid": [timeuuid(0x1EB00000000000, 1), timeuuid(0, 0), timeuuid(2**60 - 1, 0x3FFF)],
    "tinyint": [i8(0), i8(-1), i8(127), i8(-128)],
    "uuid": [uuid.UUID(int=0).bytes, uuid.UUID(int=2**128 - 1).bytes,
             uuid.UUID("123e4567-e89b-42d3-a456-426614174000").bytes, b""],
    "varint": [varint(0), varint(-1), varint(127), varint(128), varint(-128), varint(-129), varint(2**200),
               varint(-2**200), b""],
}
DURATIONS = [duration(0, 0, 0), duration(1, 2, 3), duration(-1, -2, -3), duration(2**31 - 1, 2**31 - 1, 2**63 - 1),
             duration(0, 0, 10**15)]   # Not in SCALARS: no key may be one.

# No key may be longer than 65,535 bytes (Cassandra; ScyllaDB: 65,533).
_KEYS = {name: [value for value in values if len(value) < 60_000] for name, values in SCALARS.items()}


# --- writing ---------------------------------------------------------------------------------------------------------

class Writer:
    """Writes with timestamps that count up from LONG_AGO, the same on every cluster that is filled alike."""

    def __init__(self, session: Session, keyspace: str, tenant: uuid.UUID, start: int = LONG_AGO) -> None:
        self._session = session
        self._keyspace = keyspace
        self.tenant = tenant.bytes
        self._clock = start
        self._prepared: dict[str, PreparedStatement] = {}

    def __call__(self, cql: str, *values: Raw, at: int | None = None, ttl: int | None = None) -> None:
        """`{ks}` stands for the keyspace. USING is put where the statement wants it: write `{using}` there."""
        if at is None:
            self._clock += 1
            at = self._clock
        cql = cql.replace("{ks}", self._keyspace).replace("{using}", "USING TIMESTAMP ?" + (
            " AND TTL ?" if ttl is not None else ""))
        if cql not in self._prepared:
            self._prepared[cql] = self._session.prepare(cql)
        statement = BoundStatement(self._prepared[cql])
        stamped = [i64(at)] + ([i32(ttl)] if ttl is not None else [])
        before = cql[:cql.index("USING TIMESTAMP ?")].count("?")
        statement.values = [*values[:before], *stamped, *values[before:]]
        # One after the other: the order of a list's elements is the order of their arrival.
        self._session.execute(statement)

    def insert(self, table: str, values: dict[str, Raw | object], at: int | None = None,
               ttl: int | None = None) -> None:
        """Names as CQL wants them, quoted where needed. UNSET_VALUE leaves a column out, None deletes it."""
        names = [name for name, value in values.items() if value is not UNSET_VALUE]
        self(f"INSERT INTO {{ks}}.{table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) {{using}}",
             *(values[name] for name in names), at=at, ttl=ttl)


@dataclass(frozen=True)
class Shape:
    """A table, or a few of one kind, and what to put into them."""

    name: str
    ddl: tuple[str, ...]
    fill: Callable[[Writer, random.Random], None]
    needs_5_0: bool = False


SHAPES: list[Shape] = []


_Fill = Callable[[Writer, random.Random], None]


def shape(name: str, *ddl: str, needs_5_0: bool = False) -> Callable[[_Fill], _Fill]:
    """Names a function as what fills these tables."""
    def register(fill: _Fill) -> _Fill:
        SHAPES.append(Shape(name, ddl, fill, needs_5_0))
        return fill
    return register


def create(session: Session, keyspace: str, *, with_5_0: bool = False, only: set[str] | None = None) -> None:
    """Makes the tables in a keyspace that is there. `with_5_0`: also what Cassandra 4.1 does not know."""
    for part in chosen(with_5_0, only):
        for ddl in part.ddl:
            session.execute(ddl.replace("{ks}", keyspace), timeout=60)


def fill(session: Session, keyspace: str, tenant: uuid.UUID, *, seed: int = 1, with_5_0: bool = False,
         only: set[str] | None = None, start: int = LONG_AGO) -> None:
    """Writes one tenant's rows; the same seed, tenant and start write the same everywhere."""
    writer = Writer(session, keyspace, tenant, start)
    for part in chosen(with_5_0, only):
        part.fill(writer, random.Random(f"{seed}/{tenant}/{part.name}"))


def chosen(with_5_0: bool, only: set[str] | None) -> Iterator[Shape]:
    unknown = (only or set()) - {part.name for part in SHAPES}
    if unknown:
        raise ValueError(f"no such shape: {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in SHAPES)}")
    return (part for part in SHAPES if (with_5_0 or not part.needs_5_0) and (only is None or part.name in only))


# --- every scalar ----------------------------------------------------------------------------------------------------

_SCALAR_COLUMNS = ", ".join(f"{name}_ {name}" for name in SCALARS)


@shape("scalars", f"CREATE TABLE {{ks}}.scalars ({TENANT} uuid, id int, {_SCALAR_COLUMNS}, duration_ duration, "
                  f"varchar_ varchar, PRIMARY KEY ({TENANT}, id))")
def _scalars(write: Writer, rng: random.Random) -> None:
    everything = SCALARS | {"duration": DURATIONS, "varchar": SCALARS["text"]}
    for row in range(max(map(len, everything.values()))):
        # One INSERT, so one write time; each value in turn, round and round.
        write.insert("scalars", {TENANT: write.tenant, "id": i32(row)} | {
            f"{name}_": values[row % len(values)] for name, values in everything.items()})
    # One statement for each cell: as many write times, some with a TTL.
    for row in (100, 101):
        for number, (name, values) in enumerate(everything.items()):
            write(f"UPDATE {{ks}}.scalars {{using}} SET {name}_ = ? WHERE {TENANT} = ? AND id = ?",
                  rng.choice(values), write.tenant, i32(row), ttl=10 * DAY + number if number % 3 == 0 else None)
    # A row of nothing but its key; one all of whose columns were deleted; nulls beside values.
    write.insert("scalars", {TENANT: write.tenant, "id": i32(200)})
    write.insert("scalars", {TENANT: write.tenant, "id": i32(201), "int_": i32(1), "text_": text("gone")})
    write(f"DELETE int_, text_ FROM {{ks}}.scalars {{using}} WHERE {TENANT} = ? AND id = ?", write.tenant, i32(201))
    write.insert("scalars", {TENANT: write.tenant, "id": i32(202), "int_": None, "text_": b"", "blob_": None})


# --- every type as a key ---------------------------------------------------------------------------------------------

def _keys_ddl() -> list[str]:
    ddl = []
    for name in SCALARS:
        ddl.append(f"CREATE TABLE {{ks}}.key_{name} (k {name}, {TENANT} uuid, up {name}, down {name}, v int, "
                   f"PRIMARY KEY ((k, {TENANT}), up, down)) WITH CLUSTERING ORDER BY (up ASC, down DESC)")
    return ddl


@shape("keys", *_keys_ddl())
def _keys(write: Writer, rng: random.Random) -> None:
    for name, values in _KEYS.items():
        for n, k in enumerate(values):
            for up in values:
                for down in rng.sample(values, min(3, len(values))):
                    write.insert(f"key_{name}", {"k": k, TENANT: write.tenant, "up": up, "down": down, "v": i32(n)})


@shape("frozen_keys",
       f"CREATE TABLE {{ks}}.key_frozen ({TENANT} uuid, l frozen<list<int>>, s frozen<set<text>>, "
       f"m frozen<map<int, text>>, t tuple<int, text>, v int, PRIMARY KEY (({TENANT}, l), s, m, t)) "
       f"WITH CLUSTERING ORDER BY (s DESC, m ASC, t DESC)")
def _frozen_keys(write: Writer, rng: random.Random) -> None:
    lists = [sequence(), sequence(i32(1)), sequence(i32(1), i32(2)), sequence(i32(-1))]
    sets = [sequence(), sequence(text("")), sequence(text("a"), text("b"))]
    maps = [mapping(), mapping((i32(1), text("x"))), mapping((i32(-5), text("")), (i32(5), text("y")))]
    tuples = [fields(i32(1), text("x")), fields(None, text("x")), fields(i32(1), None), fields(i32(1), b"")]
    for n, l in enumerate(lists):
        for _ in range(6):
            write.insert("key_frozen", {TENANT: write.tenant, "l": l, "s": rng.choice(sets), "m": rng.choice(maps),
                                        "t": rng.choice(tuples), "v": i32(n)})


# --- collections -----------------------------------------------------------------------------------------------------

_COLLECTIONS = {
    "l_int": "list<int>", "l_text": "list<text>", "s_int": "set<int>", "s_text": "set<text>", "s_uuid": "set<uuid>",
    "s_double": "set<double>", "s_inet": "set<inet>", "m_int_text": "map<int, text>", "m_text_blob": "map<text, blob>",
    "m_timeuuid_decimal": "map<timeuuid, decimal>", "m_text_list": "map<text, frozen<list<int>>>",
    "s_list": "set<frozen<list<int>>>", "l_map": "list<frozen<map<text, int>>>",
    "m_tuple": "map<frozen<tuple<int, text>>, int>",
    "f_list": "frozen<list<text>>", "f_set": "frozen<set<int>>", "f_map": "frozen<map<text, int>>",
    "f_deep": "frozen<map<text, frozen<list<frozen<set<int>>>>>>",
    "f_mls": "frozen<list<frozen<map<int, frozen<set<text>>>>>>",
    "st_set": "set<text> static", "st_map": "map<text, int> static", "st_frozen": "frozen<list<int>> static",
}


@shape("collections", f"CREATE TABLE {{ks}}.collections ({TENANT} uuid, part int, id int, "
                      + ", ".join(f"{name} {cql}" for name, cql in _COLLECTIONS.items())
                      + f", PRIMARY KEY (({TENANT}, part), id))")
def _collections(write: Writer, rng: random.Random) -> None:
    def row(part: int, number: int) -> list[Raw]:
        return [write.tenant, i32(part), i32(number)]

    def change(what: str, *values: Raw, part: int = 1, number: int, ttl: int | None = None) -> None:
        write(f"UPDATE {{ks}}.collections {{using}} SET {what} WHERE {TENANT} = ? AND part = ? AND id = ?",
              *values, *row(part, number), ttl=ttl)

    full: dict[str, Raw | object] = {
        "l_int": sequence(i32(3), i32(1), i32(3)), "l_text": sequence(text("b"), b"", text("a")),
        "s_int": sequence(i32(-1), i32(0), i32(7)), "s_text": sequence(b"", text("a"), text("木")),
        "s_uuid": sequence(*sorted(uuid.UUID(int=rng.getrandbits(128), version=4).bytes for _ in range(3))),
        "s_double": sequence(double(-0.0), double(0.0), double(1.5)),
        "s_inet": sequence(bytes([10, 0, 0, 1]), bytes(15) + b"\x01"),
        "m_int_text": mapping((i32(-1), text("minus")), (i32(1), b"")),
        "m_text_blob": mapping((b"", b"\x00"), (text("k"), b"")),
        "m_timeuuid_decimal": mapping((timeuuid(0x1EB00000000000, 1), decimal(10, 1))),
        "m_text_list": mapping((text("e"), sequence()), (text("k"), sequence(i32(1), i32(1)))),
        "s_list": sequence(sequence(), sequence(i32(1)), sequence(i32(1), i32(2))),
        "l_map": sequence(mapping(), mapping((text("a"), i32(1)))),
        "m_tuple": mapping((fields(i32(1), text("x")), i32(9))),
        "f_list": sequence(text("b"), text("a"), text("b")), "f_set": sequence(i32(1), i32(2)),
        "f_map": mapping((text("a"), i32(1))),
        "f_deep": mapping((text("k"), sequence(sequence(), sequence(i32(1), i32(2))))),
        "f_mls": sequence(mapping((i32(1), sequence(text("x"))))),
        "st_set": sequence(text("s")), "st_map": mapping((text("k"), i32(1))), "st_frozen": sequence(i32(4)),
    }
    key = {TENANT: write.tenant, "part": i32(1)}
    write.insert("collections", key | {"id": i32(1)} | full)
    write.insert("collections", key | {"id": i32(2)} | {k: v for k, v in full.items() if not k.startswith("st_")},
                 ttl=20 * DAY)
    # Empty: no cell at all where not frozen, an empty value where frozen.
    write.insert("collections", key | {"id": i32(3)} | {name: sequence() for name in _COLLECTIONS if name[:2] != "st"})
    # Overwritten: a range tombstone and new elements.
    write.insert("collections", key | {"id": i32(4)} | full)
    for name in ("l_int", "s_text", "m_int_text"):
        change(f"{name} = ?", {"l_int": sequence(i32(9)), "s_text": sequence(text("new")),
                               "m_int_text": mapping((i32(5), text("new")))}[name], number=4)
    # Elements added, changed and taken away one by one: a write time, and now and then a TTL, for each.
    write.insert("collections", key | {"id": i32(5)} | {"l_int": sequence(i32(1), i32(2), i32(3))})
    change("l_int = l_int + ?", sequence(i32(4)), number=5)
    change("l_int = ? + l_int", sequence(i32(0)), number=5)
    change("l_int[?] = ?", i32(1), i32(99), number=5)
    change("l_int = l_int - ?", sequence(i32(2)), number=5)
    for n in range(12):
        change("s_int = s_int + ?", sequence(i32(n)), number=5, ttl=15 * DAY if n % 4 == 0 else None)
        change("m_int_text[?] = ?", i32(n), text(f"v{n}"), number=5, ttl=15 * DAY if n % 5 == 0 else None)
        change("m_text_blob = m_text_blob + ?", mapping((text(f"k{n}"), bytes([n]))), number=5)
    change("s_int = s_int - ?", sequence(i32(3), i32(5)), number=5)
    change("m_text_blob = m_text_blob - ?", sequence(text("k1"), text("k2")), number=5)
    write(f"DELETE m_int_text[?] FROM {{ks}}.collections {{using}} WHERE {TENANT} = ? AND part = ? AND id = ?",
          i32(4), *row(1, 5))
    # Deleted whole, then one element again.
    write.insert("collections", key | {"id": i32(6)} | full)
    write(f"DELETE s_text, m_int_text, l_text FROM {{ks}}.collections {{using}} "
          f"WHERE {TENANT} = ? AND part = ? AND id = ?", *row(1, 6))
    change("s_text = s_text + ?", sequence(text("back")), number=6)
    # Larger than a page of a copier; a collection that only updates ever touched.
    change("s_int = ?", sequence(*(i32(n) for n in range(3000))), part=2, number=1)
    change("m_int_text = ?", mapping(*((i32(n), text("x" * 50)) for n in range(1000))), part=2, number=2)
    # Static ones alone.
    for part in (3, 4):
        write(f"UPDATE {{ks}}.collections {{using}} SET st_map = st_map + ?, st_set = ?, st_frozen = ? "
              f"WHERE {TENANT} = ? AND part = ?", mapping((text("a"), i32(part))), sequence(text("only")),
              sequence(i32(part)), write.tenant, i32(part), ttl=30 * DAY if part == 4 else None)


# --- user defined types and tuples -----------------------------------------------------------------------------------

@shape("udts",
       "CREATE TYPE {ks}.point (x int, y int)",
       'CREATE TYPE {ks}."MixedType" ("Field" int, "select" text, "with space" text)',
       "CREATE TYPE {ks}.nested (name text, at frozen<point>, tags frozen<set<text>>, "
       "pairs frozen<map<text, frozen<point>>>, t frozen<tuple<int, frozen<point>>>)",
       f"CREATE TABLE {{ks}}.udts ({TENANT} uuid, id int, free point, ice frozen<point>, free_nested nested, "
       f'ice_nested frozen<nested>, mixed "MixedType", l list<frozen<point>>, s set<frozen<point>>, '
       f"m map<text, frozen<nested>>, ice_l frozen<list<frozen<point>>>, st point static, "
       f"st_ice frozen<nested> static, PRIMARY KEY ({TENANT}, id))")
def _udts(write: Writer, rng: random.Random) -> None:
    def point(x: int | None, y: int | None) -> bytes:
        return fields(None if x is None else i32(x), None if y is None else i32(y))

    nested = fields(text("n"), point(1, None), sequence(text("a"), text("b")), mapping((text("k"), point(2, 3))),
                    fields(i32(4), point(5, 6)))
    key = {TENANT: write.tenant}
    write.insert("udts", key | {
        "id": i32(1), "free": point(1, 2), "ice": point(3, 4), "free_nested": nested, "ice_nested": nested,
        "mixed": fields(i32(1), text("s"), b""), "l": sequence(point(1, 1), point(None, 1)),
        "s": sequence(point(1, 1), point(1, 2)), "m": mapping((text("a"), nested)), "ice_l": sequence(point(9, 9)),
        "st": point(7, 8), "st_ice": nested})
    # Fields that are null, one by one and all; a short value, as written before a field was added.
    write.insert("udts", key | {"id": i32(2), "free": point(None, 2), "ice": point(None, None),
                                "ice_nested": fields(None, None, None, None, None),
                                "mixed": fields(None, None, text("x"))})
    # Fields written apart, each with its own time and TTL.
    for name, value, ttl in (("x", i32(10), None), ("y", i32(20), 12 * DAY), ("x", i32(11), None)):
        write(f"UPDATE {{ks}}.udts {{using}} SET free.{name} = ? WHERE {TENANT} = ? AND id = ?", value, write.tenant,
              i32(3), ttl=ttl)
    write(f'UPDATE {{ks}}.udts {{using}} SET mixed."with space" = ? WHERE {TENANT} = ? AND id = ?', text("apart"),
          write.tenant, i32(3))
    # Overwritten, then a field of it deleted.
    write.insert("udts", key | {"id": i32(4), "free": point(1, 2), "ice": point(1, 2)})
    write.insert("udts", key | {"id": i32(4), "free": point(3, 4), "ice": point(3, 4)})
    write(f"UPDATE {{ks}}.udts {{using}} SET free.y = ? WHERE {TENANT} = ? AND id = ?", None, write.tenant, i32(4))


@shape("tuples", f"CREATE TABLE {{ks}}.tuples ({TENANT} uuid, id int, t tuple<int, text, blob>, "
                 f"deep tuple<frozen<list<int>>, frozen<tuple<text, frozen<set<int>>>>>, "
                 f"l list<frozen<tuple<int, int>>>, st tuple<int, text> static, PRIMARY KEY (({TENANT}), id))")
def _tuples(write: Writer, rng: random.Random) -> None:
    key = {TENANT: write.tenant}
    for row, t in enumerate([fields(i32(1), text("x"), b"\x01"), fields(None, text("x"), None),
                             fields(i32(1), b"", b""), fields(None, None, None), None]):
        write.insert("tuples", key | {"id": i32(row), "t": t, "l": sequence(fields(i32(row), None)),
                                      "deep": fields(sequence(i32(row)), fields(text("d"), sequence(i32(1), i32(2))))})
    write(f"UPDATE {{ks}}.tuples {{using}} SET st = ? WHERE {TENANT} = ?", fields(None, text("static")), write.tenant)


# --- shapes of tables ------------------------------------------------------------------------------------------------

@shape("single", f"CREATE TABLE {{ks}}.single ({TENANT} uuid PRIMARY KEY, a int, b text)")
def _single(write: Writer, rng: random.Random) -> None:
    write.insert("single", {TENANT: write.tenant, "a": i32(1), "b": text("one row of each tenant")})


@shape("composite", f"CREATE TABLE {{ks}}.composite ({TENANT} uuid, b int, c text, d int, "
                    f"PRIMARY KEY (({TENANT}, b, c)))")
def _composite(write: Writer, rng: random.Random) -> None:
    for n in range(150):
        write.insert("composite", {TENANT: write.tenant, "b": i32(n), "c": b"" if n % 10 == 0 else text(f"c{n}"),
                                   "d": i32(n)})


@shape("clustered", f"CREATE TABLE {{ks}}.clustered (a int, b text, {TENANT} uuid, c int, v text, st text static, "
                    f"PRIMARY KEY ((a, b), {TENANT}, c)) WITH CLUSTERING ORDER BY ({TENANT} DESC, c DESC)")
def _clustered(write: Writer, rng: random.Random) -> None:
    # The tenant inside the partition: neighbours of other tenants lie in the same one. The static column belongs to all
    # of them, so no tenant writes it here.
    for n in range(100):
        write.insert("clustered", {"a": i32(n % 5), "b": text("b"), TENANT: write.tenant, "c": i32(n),
                                   "v": text(f"v{n}")})


@shape("key_only", f"CREATE TABLE {{ks}}.key_only ({TENANT} uuid, a int, b text, PRIMARY KEY (({TENANT}, a), b))")
def _key_only(write: Writer, rng: random.Random) -> None:
    for n in range(60):
        write.insert("key_only", {TENANT: write.tenant, "a": i32(n % 7), "b": b"" if n < 7 else text(f"b{n}")})
    write(f"DELETE FROM {{ks}}.key_only {{using}} WHERE {TENANT} = ? AND a = ? AND b = ?", write.tenant, i32(3), b"")


@shape("statics", f"CREATE TABLE {{ks}}.statics ({TENANT} uuid, a int, c int, s text static, s2 int static, v text, "
                  f"PRIMARY KEY (({TENANT}, a), c))")
def _statics(write: Writer, rng: random.Random) -> None:
    for n in range(40):
        where = (write.tenant, i32(n))
        if n % 2 == 0:     # A static column, and for every fourth of them no row.
            write(f"UPDATE {{ks}}.statics {{using}} SET s = ? WHERE {TENANT} = ? AND a = ?", text(f"s{n}"), *where,
                  ttl=8 * DAY if n % 6 == 0 else None)
        if n % 3 == 0:
            write(f"UPDATE {{ks}}.statics {{using}} SET s2 = ? WHERE {TENANT} = ? AND a = ?", i32(n), *where)
        if n % 4 != 0:
            for c in range(3):
                write.insert("statics", {TENANT: write.tenant, "a": i32(n), "c": i32(c), "v": text(f"v{c}")})
        if n % 10 == 0:
            write(f"DELETE s FROM {{ks}}.statics {{using}} WHERE {TENANT} = ? AND a = ?", *where)


@shape("ordered", f"CREATE TABLE {{ks}}.ordered ({TENANT} uuid, a int, b text, c double, d timeuuid, v int, "
                  f"PRIMARY KEY ({TENANT}, a, b, c, d)) WITH CLUSTERING ORDER BY (a DESC, b ASC, c DESC, d ASC)")
def _ordered(write: Writer, rng: random.Random) -> None:
    for n in range(200):
        write.insert("ordered", {TENANT: write.tenant, "a": i32(rng.randint(-2, 2)),
                                 "b": rng.choice([b"", text("b"), text("é")]),
                                 "c": rng.choice([double(0.0), double(-0.0), NAN, double(-1.5)]),
                                 "d": timeuuid(n << 20, n), "v": i32(n)})


@shape("wide", f"CREATE TABLE {{ks}}.wide ({TENANT} uuid, c int, v text, PRIMARY KEY ({TENANT}, c))")
def _wide(write: Writer, rng: random.Random) -> None:
    for n in range(1500):     # Several pages of one partition.
        write.insert("wide", {TENANT: write.tenant, "c": i32(n), "v": text(f"{n} " + "x" * 100)})
    # A range, a row and a whole prefix deleted, and some of it written again.
    write(f"DELETE FROM {{ks}}.wide {{using}} WHERE {TENANT} = ? AND c >= ? AND c < ?",
          write.tenant, i32(100), i32(300))
    for n in (150, 151):
        write.insert("wide", {TENANT: write.tenant, "c": i32(n), "v": text("again")})


@shape("names",
       'CREATE TABLE {ks}."MixedCase" ("Tenant" int, ' + f"{TENANT} uuid, "
       '"select" int, "from" text, "a b" int, "quote""d" text, "Ü" int, "1st" int, "order" int static, key int, '
       'ttl int, "writetime" int, "token" int, value int, "values" int, '
       f'PRIMARY KEY (("Tenant", {TENANT}), "select"))',
       f'CREATE TABLE {{ks}}."table" ({TENANT} uuid, "primary" int, "where" int, PRIMARY KEY ({TENANT}, "primary"))')
def _names(write: Writer, rng: random.Random) -> None:
    for n in range(5):
        write.insert('"MixedCase"', {
            '"Tenant"': i32(n), TENANT: write.tenant, '"select"': i32(1), '"from"': text("f"), '"a b"': i32(2),
            '"quote""d"': text("q"), '"Ü"': i32(3), '"1st"': i32(4), '"order"': i32(5), "key": i32(6), "ttl": i32(7),
            '"writetime"': i32(8), '"token"': i32(9), "value": i32(10), '"values"': i32(11)})
        write.insert('"table"', {TENANT: write.tenant, '"primary"': i32(n), '"where"': i32(n)})


# --- times -----------------------------------------------------------------------------------------------------------

@shape("times",
       f"CREATE TABLE {{ks}}.times ({TENANT} uuid, id int, a int, b text, c blob, f frozen<list<int>>, "
       f"PRIMARY KEY ({TENANT}, id))",
       f"CREATE TABLE {{ks}}.mortal ({TENANT} uuid, id int, v int, w int, PRIMARY KEY ({TENANT}, id)) "
       f"WITH default_time_to_live = 5000000 AND gc_grace_seconds = 1000000")
def _times(write: Writer, rng: random.Random) -> None:
    key = {TENANT: write.tenant}

    def update(number: int, what: str, *values: Raw, at: int | None = None, ttl: int | None = None) -> None:
        write(f"UPDATE {{ks}}.times {{using}} SET {what} WHERE {TENANT} = ? AND id = ?", *values, write.tenant,
              i32(number), at=at, ttl=ttl)

    # Only updates: no row marker.
    update(1, "a = ?", i32(1))
    update(1, "b = ?", text("later"))
    # Each cell another time and TTL, older and newer than the row itself.
    write.insert("times", key | {"id": i32(2), "a": i32(1), "b": text("b")})
    update(2, "c = ?", b"\x01", at=LONG_AGO - 10**9)
    update(2, "f = ?", sequence(i32(1)), ttl=9 * DAY)
    update(2, "a = ?", i32(2), at=LONG_AGO - 1)      # Loses.
    # The ends of time: around 1970, and microseconds that are not milliseconds.
    for number, at in ((3, 1), (4, -1), (5, -10**15), (6, LONG_AGO + 123)):
        write.insert("times", key | {"id": i32(number), "a": i32(number)}, at=at)
    # A whole row that dies, and one that dies but for a column.
    write.insert("times", key | {"id": i32(7), "a": i32(7), "b": text("dies")}, ttl=7 * DAY)
    write.insert("times", key | {"id": i32(8), "a": i32(8), "b": text("dies")}, ttl=7 * DAY)
    update(8, "c = ?", b"stays")
    # Deleted, and deleted and there again.
    for number in (9, 10):
        write.insert("times", key | {"id": i32(number), "a": i32(1), "b": text("before")})
        write(f"DELETE FROM {{ks}}.times {{using}} WHERE {TENANT} = ? AND id = ?", write.tenant, i32(number))
    update(10, "a = ?", i32(2))
    # With the default TTL of the table, another one, and none.
    write.insert("mortal", key | {"id": i32(1), "v": i32(1), "w": i32(1)})
    write.insert("mortal", key | {"id": i32(2), "v": i32(1), "w": i32(1)}, ttl=11 * DAY)
    write.insert("mortal", key | {"id": i32(3), "v": i32(1), "w": i32(1)}, ttl=0)
    write(f"UPDATE {{ks}}.mortal {{using}} SET w = ? WHERE {TENANT} = ? AND id = ?", i32(2), write.tenant, i32(1),
          ttl=0)


@shape("large", f"CREATE TABLE {{ks}}.large ({TENANT} uuid, id int, v blob, PRIMARY KEY (({TENANT}, id)))")
def _large(write: Writer, rng: random.Random) -> None:
    for n, size in enumerate((1, 65_535, 65_536, 1_000_000, 4_000_000)):
        write.insert("large", {TENANT: write.tenant, "id": i32(n), "v": rng.randbytes(size)})


# --- Cassandra 5.0 only ----------------------------------------------------------------------------------------------

@shape("vectors", f"CREATE TABLE {{ks}}.vectors ({TENANT} uuid, id int, fixed vector<float, 3>, "
                  f"varying vector<text, 2>, PRIMARY KEY ({TENANT}, id))", needs_5_0=True)
def _vectors(write: Writer, rng: random.Random) -> None:
    def of_text(*items: str) -> bytes:
        return b"".join(unsigned_vint(len(text(item))) + text(item) for item in items)
    write.insert("vectors", {TENANT: write.tenant, "id": i32(1), "fixed": float32(1) + float32(-0.0) + NAN32,
                             "varying": of_text("a", "")})
