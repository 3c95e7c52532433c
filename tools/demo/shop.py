"""The sample application's tables, and what it remembers of the rows it wrote.

The tenant column, `system_domain_id`, stands wherever real schemas put it: as the whole partition key, as the first
part of one, and as a clustering column.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

TENANT = "system_domain_id"
KEYSPACES = ("shop", "media")


def tenant_id(number: int) -> uuid.UUID:
    """The same in every run, so that who watches the application knows its tenants."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"tenant-{number}.shop.example")


@dataclass
class Address:
    """The user defined type shop.address."""

    street: str | None
    city: str | None
    zip: int | None


# --- values ----------------------------------------------------------------------------------------------------------

_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven", "iris", "juniper", "kelp", "lumen",
          "märz", "nimbus", "opal", "prism", "quartz", "río", "sable", "тополь", "umbra", "verge", "willow", "木")


def _text(rng: random.Random) -> str:
    # Now and then empty, which is a value and not the same as none; and with quotes, which simple statements escape.
    return "" if rng.random() < 0.03 else " ".join(rng.choices(_WORDS, k=3)) + ("'s" if rng.random() < 0.1 else "")


def _blob(rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((0, 8, 64, 300)))


def _decimal(rng: random.Random) -> Decimal:
    return Decimal(rng.randint(-10**9, 10**9)).scaleb(-rng.randint(0, 6))


def _timestamp(rng: random.Random) -> datetime:
    return datetime(2020, 1, 1) + timedelta(milliseconds=rng.randint(0, 10**11))


def _address(rng: random.Random) -> Address:
    return Address(_text(rng), rng.choice(_WORDS), None if rng.random() < 0.2 else rng.randint(1000, 99999))


def _place(rng: random.Random) -> tuple:
    return (rng.uniform(-90, 90), rng.uniform(-180, 180), None if rng.random() < 0.3 else rng.choice(_WORDS))


def _words(rng: random.Random) -> set[str]:
    return set(rng.sample(_WORDS, rng.randint(1, 4)))


def _pairs(rng: random.Random) -> dict[str, str]:
    return {word: _text(rng) for word in rng.sample(_WORDS, rng.randint(1, 4))}


def _limits(rng: random.Random) -> dict[str, int]:
    return {word: rng.randint(0, 1000) for word in rng.sample(_WORDS, rng.randint(1, 4))}


@dataclass(frozen=True)
class Column:
    name: str
    cql: str
    make: Callable[[random.Random], Any]
    static: bool = False
    many: str = ""    # "set", "map" or "udt" when it has several cells: a write may change a part of it


@dataclass(frozen=True)
class Table:
    keyspace: str
    name: str
    partition: tuple[tuple[str, str], ...]
    clustering: tuple[tuple[str, str], ...]
    columns: tuple[Column, ...]
    order: str = ""
    share: float = 0.0          # of the preloaded rows of a tenant
    own_partitions: bool = True  # one writer owns whole partitions, so it may delete and read them whole

    @property
    def full_name(self) -> str:
        return f"{self.keyspace}.{self.name}"

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.partition + self.clustering)

    @property
    def regular(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if not column.static)

    @property
    def statics(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.static)

    @property
    def atomic(self) -> tuple[Column, ...]:
        return tuple(column for column in self.regular if not column.many)

    @property
    def many(self) -> tuple[Column, ...]:
        return tuple(column for column in self.regular if column.many)

    def ddl(self) -> str:
        lines = [f"{name} {cql}" for name, cql in self.partition + self.clustering]
        lines += [f"{c.name} {c.cql}{' static' if c.static else ''}" for c in self.columns]
        partition = ", ".join(name for name, _ in self.partition)
        clustering = "".join(f", {name}" for name, _ in self.clustering)
        lines.append(f"PRIMARY KEY (({partition}){clustering})")
        order = f" WITH CLUSTERING ORDER BY ({self.order})" if self.order else ""
        return f"CREATE TABLE IF NOT EXISTS {self.full_name} ({', '.join(lines)}){order}"

    def key_where(self) -> str:
        return " AND ".join(f"{name} = ?" for name in self.key)

    def partition_where(self) -> str:
        return " AND ".join(f"{name} = ?" for name, _ in self.partition)


_T = (TENANT, "uuid")

TENANTS = Table("shop", "tenants", (_T,), (), (
    Column("name", "text", _text),
    Column("plan", "text", _text),
    Column("limits", "map<text, int>", _limits, many="map"),
    Column("owner", "frozen<address>", _address),
    Column("created", "timestamp", _timestamp),
))
SETTINGS = Table("shop", "settings", (_T,), (("name", "text"),), (
    Column("value", "text", _text),
    Column("raw", "blob", _blob),
    Column("changed", "timestamp", _timestamp),
), share=0.10, own_partitions=False)
CUSTOMERS = Table("shop", "customers", (_T, ("customer_id", "uuid")), (), (
    Column("name", "text", _text),
    Column("emails", "set<text>", _words, many="set"),
    Column("phones", "map<text, text>", _pairs, many="map"),
    Column("home", "address", _address, many="udt"),
    Column("work", "frozen<address>", _address),
    Column("place", "frozen<tuple<double, double, text>>", _place),
    Column("points", "int", lambda rng: rng.randint(-2**31, 2**31 - 1)),
    Column("balance", "decimal", _decimal),
    Column("since", "timestamp", _timestamp),
), share=0.25)
ORDERS = Table("shop", "orders", (_T, ("order_id", "uuid")), (("line", "int"),), (
    Column("status", "text", _text, static=True),
    Column("placed", "timestamp", _timestamp, static=True),
    Column("shipping", "frozen<address>", _address, static=True),
    Column("sku", "text", _text),
    Column("quantity", "int", lambda rng: rng.randint(1, 100)),
    Column("price", "decimal", _decimal),
    Column("tags", "frozen<set<text>>", _words),
    Column("choices", "frozen<map<text, text>>", _pairs),
    Column("steps", "frozen<list<text>>", lambda rng: rng.choices(_WORDS, k=rng.randint(1, 4))),
), share=0.30)
CATALOGUE = Table("shop", "catalogue", (("sku", "text"),), (_T,), (
    Column("title", "text", _text),
    Column("price", "decimal", _decimal),
    Column("labels", "set<text>", _words, many="set"),
    Column("stock", "bigint", lambda rng: rng.randint(-2**63, 2**63 - 1)),
    Column("picture", "blob", _blob),
), share=0.10, own_partitions=False)
FAVOURITES = Table("shop", "favourites", (_T, ("customer_id", "uuid")), (("sku", "text"),), (), share=0.10)
SESSIONS = Table("shop", "sessions", (_T, ("session_id", "uuid")), (), (
    Column("secret", "blob", _blob),
    Column("device", "text", _text),
    Column("seen", "timestamp", _timestamp),
), share=0.05)
ASSETS = Table("media", "assets", (_T,), (("asset_id", "uuid"),), (
    Column("title", "text", _text),
    Column("content", "blob", _blob),
    Column("meta", "frozen<map<text, text>>", _pairs),
    Column("size", "bigint", lambda rng: rng.randint(0, 2**40)),
    Column("score", "double", lambda rng: rng.uniform(-1e9, 1e9)),
    Column("checked", "boolean", lambda rng: rng.random() < 0.5),
), order="asset_id DESC", share=0.05, own_partitions=False)
RENDITIONS = Table("media", "renditions", (_T, ("asset_id", "uuid")), (("width", "int"), ("codec", "text")), (
    Column("url", "text", _text),
    Column("attributes", "map<text, text>", _pairs, many="map"),
), order="width DESC, codec ASC", share=0.05)

TABLES = (TENANTS, SETTINGS, CUSTOMERS, ORDERS, CATALOGUE, FAVOURITES, SESSIONS, ASSETS, RENDITIONS)


def schema(keyspaces: Iterable[str], replication_factor: int) -> list[str]:
    statements = []
    for keyspace in keyspaces:
        statements.append(f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = "
                          f"{{'class': 'SimpleStrategy', 'replication_factor': {replication_factor}}}")
        if keyspace == "shop":
            statements.append("CREATE TYPE IF NOT EXISTS shop.address (street text, city text, zip int)")
        statements += [table.ddl() for table in TABLES if table.keyspace == keyspace]
    return statements


# --- what the application remembers ----------------------------------------------------------------------------------

# Seconds by which an expiry may be early or late: servers count whole seconds, each in its own way, and a copied cell
# carries the whole seconds that remained.
EXPIRY_TOLERANCE = 2.0


@dataclass
class Cell:
    value: Any
    dies: tuple[float, float] | None = None   # not before, not after; none: lives on

    def surely(self, when: float) -> bool:
        """Alive at `when`, whatever the clocks say."""
        return self.dies is None or when < self.dies[0]

    def possibly(self, when: float) -> bool:
        return self.dies is None or when <= self.dies[1]


def lifetime(before: float, after: float, ttl: int | None) -> tuple[float, float] | None:
    """When a cell dies that was written with `ttl` at some moment between `before` and `after`."""
    if ttl is None:
        return None
    return (int(before) + ttl - EXPIRY_TOLERANCE, int(after) + ttl + EXPIRY_TOLERANCE)


@dataclass
class Cells:
    """One row, or the static part of a partition, as acknowledged."""

    marker: Cell | None = None                # what INSERT leaves: the row lives without any column
    cells: dict[str, Cell] = field(default_factory=dict)

    def clear(self) -> None:
        self.marker = None
        self.cells.clear()

    def put(self, name: str, value: Any, dies: tuple[float, float] | None) -> None:
        if value is None or value == set() or value == {}:
            self.cells.pop(name, None)   # An empty collection of several cells is no cell at all.
        else:
            self.cells[name] = Cell(value, dies)

    def value(self, name: str) -> Any:
        cell = self.cells.get(name)
        return None if cell is None else cell.value


@dataclass
class Partition:
    statics: Cells = field(default_factory=Cells)
    rows: dict[tuple, Cells] = field(default_factory=dict)   # by clustering key; () where there is none


def plain(value: Any) -> Any:
    """The driver's collections as Python's, so that values compare by value."""
    if isinstance(value, Address):
        return {"street": value.street, "city": value.city, "zip": value.zip}
    if isinstance(value, bytes | str):
        return value
    if hasattr(value, "items"):
        return {plain_key(k): plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    if hasattr(value, "__iter__"):
        return {plain_key(v) for v in value}
    return value


def plain_key(value: Any) -> Any:
    return value if isinstance(value, str | int) else repr(value)


def judge(columns: Iterable[Column], held: Cells, found: dict[str, Any], before: float, after: float) -> list[str]:
    """What is wrong with the columns that a read between `before` and `after` found."""
    wrong = []
    for column in columns:
        cell = held.cells.get(column.name)
        value = plain(found[column.name])
        if isinstance(value, dict) and column.many == "udt" and all(v is None for v in value.values()):
            value = None
        may_be: list[Any] = []
        if cell is not None and cell.possibly(before):
            may_be.append(plain(cell.value))
        if cell is None or not cell.surely(after):
            may_be.append(None)
        # Type matters too: 1 and True, 1.0 and 1 are equal to Python.
        if not any(value == good and type(value) is type(good) for good in may_be):
            wrong.append(f"{column.name} is {value!r}, not {' or '.join(map(repr, may_be))}")
    return wrong


def visible(held: Cells | None, when_sure: float, when_possible: float) -> tuple[bool, bool]:
    """(must be there, may be there)."""
    if held is None:
        return False, False
    parts = list(held.cells.values()) + ([held.marker] if held.marker else [])
    return any(c.surely(when_sure) for c in parts), any(c.possibly(when_possible) for c in parts)
