"""Random SELECTs, with every clause there is."""

from __future__ import annotations

from random import Random

from .schema import Column, Table
from .values import NUMBERS, Value, scalar
from .writes import Text

SYSTEM = [
    "SELECT keyspace_name, durable_writes FROM system_schema.keyspaces WHERE keyspace_name = 'dfkeyspacename'",
    "SELECT table_name, comment, gc_grace_seconds FROM system_schema.tables WHERE keyspace_name = 'dfkeyspacename'",
    "SELECT table_name, column_name, clustering_order, kind, position, type FROM system_schema.columns WHERE keyspace_name = 'dfkeyspacename'",
    "SELECT type_name, field_names, field_types FROM system_schema.types WHERE keyspace_name = 'dfkeyspacename'",
    "SELECT table_name, index_name, kind, options FROM system_schema.indexes WHERE keyspace_name = 'dfkeyspacename'",
    "SELECT * FROM system.nothing", "SELECT nothing FROM system_schema.tables",
]
# Answered by the proxy itself.
VIRTUAL = [
    "SELECT key, partitioner FROM system.local", "SELECT key FROM system.local WHERE key = 'local'",
    "SELECT key AS k, partitioner FROM system.local WHERE key = 'elsewhere'", "SELECT count(*) FROM system.local",
    "SELECT nothing FROM system.local", "SELECT peer FROM system.peers WHERE peer = '1.2.3.4'",
    "SELECT JSON key, bootstrapped FROM system.local", "SELECT DISTINCT key FROM system.local", "SELECT partitioner FROM system.local LIMIT 1",
    "SELECT toJson(key), (int) 5 FROM system.local", "SELECT peer FROM system.peers WHERE nothing = 1", "SELECT key FROM system.local WHERE key IN ('local', 'x')",
]


class Reads:
    def __init__(self, rng: Random, virtual: bool = True) -> None:
        self._rng = rng
        self._system = SYSTEM + VIRTUAL if virtual else SYSTEM

    def system(self) -> str:
        return self._rng.choice(self._system)

    def sweep(self, table: Table, where: str) -> tuple[str, dict]:
        """All of a table, with what is determined of write times."""
        columns = [column.cql for column in table.columns]
        if table.mode == "timed":
            columns += [f"WRITETIME({column.cql})" for column in table.values if not column.type.is_multi_cell]
        return f"SELECT {', '.join(columns)} FROM {where}", self._loose(table, {})

    @staticmethod
    def _loose(table: Table, loose: dict) -> dict:
        return {"all": "shape"} if table.mode == "volatile" else loose

    def select(self, table: Table, where: str, text: Text) -> tuple[str, dict]:
        rng = self._rng
        loose: dict[str, str] = {}
        aggregate = rng.random() < 0.1
        group = rng.random() < 0.12
        json = rng.random() < 0.08
        distinct = not aggregate and rng.random() < 0.06
        if distinct:
            selectors = [column.cql for column in table.partition + table.of("static")]
        elif aggregate or group:
            selectors = [self._aggregate(table) for _ in range(rng.randrange(1, 4))]
            if group and rng.random() < 0.7:
                selectors = [column.cql for column in table.partition] + selectors
        elif rng.random() < 0.3:
            selectors = ["*"]
        else:
            selectors = []
            for at in range(rng.randrange(1, 6)):
                selector, how = self._selector(table, text)
                if how:
                    loose[str(at)] = how
                selectors.append(selector + (rng.choice([" AS one", ' AS "Two"', " as x"]) if rng.random() < 0.1 else ""))
        json = json and not loose   # One column has them all then: what may differ could not be told apart.
        head = f"SELECT {'JSON ' if json else ''}{'DISTINCT ' if distinct else ''}{', '.join(selectors)} FROM {where}"
        clause, ordered = self._where(table, text)
        tail = ""
        if group:
            columns = table.partition + table.clustering
            tail += " GROUP BY " + ", ".join(column.cql for column in columns[:rng.randrange(1, len(columns) + 1)])
        if ordered and table.clustering and rng.random() < 0.4:
            flip = rng.random() < 0.5
            tail += " ORDER BY " + ", ".join(f"{column.cql} {'DESC' if down != flip else 'ASC'}"
                                             for column, down in zip(table.clustering, table.descending))
        if rng.random() < 0.1:
            tail += f" PER PARTITION LIMIT {text.number(rng.randrange(1, 4), name='ppl')}"
        if rng.random() < 0.2:
            tail += f" LIMIT {text.number(rng.choice([1, 2, 5, 100, 0]), name='lim')}"
        if rng.random() < 0.35:
            tail += " ALLOW FILTERING"
        return head + clause + tail, self._loose(table, loose)

    def _aggregate(self, table: Table) -> str:
        rng = self._rng
        column = rng.choice(table.columns)
        if column.type.name in NUMBERS + ["counter"] and rng.random() < 0.6:
            return f"{rng.choice(['sum', 'avg', 'min', 'max'])}({column.cql})"
        return rng.choice(["count(*)", "COUNT(1)", f"count({column.cql})", f"min({column.cql})", f"max({column.cql})"])

    def _selector(self, table: Table, text: Text) -> tuple[str, str | None]:
        rng = self._rng
        column = rng.choice(table.columns)
        kind, name = column.type, column.cql
        draw = rng.random()
        if draw < 0.55:
            return name, None
        if draw < 0.65 and column.kind in ("regular", "static"):
            if table.mode == "timed":
                return f"{rng.choice(['WRITETIME', 'writetime'])}({name})", None
            return (name, None) if kind.is_multi_cell else (f"TTL({name})", "near")
        if draw < 0.7:
            return "token(" + ", ".join(one.cql for one in table.partition) + ")", None
        if draw < 0.75:
            return f"{rng.choice(['toJson', 'tojson'])}({name})", None
        if draw < 0.8 and kind.name in NUMBERS:
            return f"CAST({name} AS {rng.choice(['text', 'double', 'bigint', 'int', 'blob'])})", None
        if draw < 0.85:
            if kind.name == "udt":
                return f"{name}.{rng.choice(kind.fields)}", None
            if kind.name == "map":
                return f"{name}[{text.put(kind.parts[0].make(rng, True), 'mk')}]", None
            if kind.name in ("timeuuid", "timestamp", "date"):
                return f"{rng.choice(['toDate', 'toTimestamp', 'toUnixTimestamp', 'dateOf'])}({name})", None
            if kind.name in NUMBERS:
                return rng.choice([f"{name} + 1", f"{name} * {name}", f"-{name}", f"{name} % 3", f"({kind.name}) 1"]), None
        if draw < 0.9:
            return f"{rng.choice(['blobAsInt', 'blobAsText'])}({kind.name if kind.name in ('text', 'int') else 'text'}AsBlob({name}))", None
        if draw < 0.92:
            return rng.choice(["now()", "uuid()"]), "any"
        if draw < 0.94:
            return rng.choice(["nothing", "nofunction(1)", "system.nofn()", "'text'", "(int) 5", "[1, 2]", "{1}"]), None
        return name, None

    def _where(self, table: Table, text: Text) -> tuple[str, bool]:
        """The clause, and whether the partition is given, so that an order can be asked."""
        rng = self._rng
        draw = rng.random()
        clauses: list[str] = []
        ordered = False
        if draw < 0.15:
            return "", False
        if draw < 0.25:
            token = "token(" + ", ".join(column.cql for column in table.partition) + ")"
            bound = text.number(rng.choice([-2 ** 62, 0, 2 ** 62, -2 ** 63, 2 ** 63 - 1]), "bigint", "tk")
            clauses.append(f"{token} {rng.choice(['>', '>=', '<', '<='])} {bound}")
            if rng.random() < 0.3:
                key = rng.choice(table.keys)
                other = ", ".join(text.put(value, column.plain) for column, value in zip(table.partition, key))
                clauses.append(f"token({', '.join(column.cql for column in table.partition)}) <= token({other})")
        elif draw < 0.4:
            clauses += self._filters(table, text)
        else:
            key = rng.choice(table.keys)
            several = rng.random() < 0.1
            for column, value in zip(table.partition, key):
                if several:
                    others = [value] + [rng.choice(table.keys)[table.partition.index(column)] for _ in range(rng.randrange(3))]
                    clauses.append(f"{column.cql} IN ({', '.join(text.put(one, column.plain) for one in others)})")
                else:
                    clauses.append(f"{column.cql} = {text.put(value, column.plain)}")
            ordered = not several
            clauses += self._slice(table, text)
            if rng.random() < 0.1:
                clauses += self._filters(table, text)
        return " WHERE " + " AND ".join(clauses), ordered

    def _slice(self, table: Table, text: Text) -> list[str]:
        rng = self._rng
        clauses: list[str] = []
        if not table.clustering:
            return clauses
        row = rng.choice(table.clusterings)
        if rng.random() < 0.15 and len(table.clustering) > 1:
            names = ", ".join(column.cql for column in table.clustering)
            one = "(" + ", ".join(text.put(value, column.plain) for column, value in zip(table.clustering, row)) + ")"
            if rng.random() < 0.5:
                return [f"({names}) {rng.choice(['>', '>=', '<', '<=', '='])} {one}"]
            other = "(" + ", ".join(text.put(value, column.plain) for column, value in zip(table.clustering, rng.choice(table.clusterings))) + ")"
            return [f"({names}) IN ({one}, {other})"]
        for column, value in zip(table.clustering, row):
            draw = rng.random()
            if draw < 0.4:
                clauses.append(f"{column.cql} = {text.put(value, column.plain)}")
            elif draw < 0.5:
                clauses.append(f"{column.cql} IN ({text.put(value, column.plain)}, {text.put(column.type.make(rng, True), column.plain)})")
            else:
                if draw < 0.8:
                    clauses.append(f"{column.cql} {rng.choice(['>', '>=', '<', '<='])} {text.put(value, column.plain)}")
                break
        return clauses

    def _filters(self, table: Table, text: Text) -> list[str]:
        rng = self._rng
        column: Column = rng.choice(table.columns)
        if table.indexed and rng.random() < 0.6:
            wanted = [one for one in table.columns if one.plain in table.indexed]
            column = wanted[0] if wanted else column
        collections = [one for one in table.values if one.type.is_collection and not one.type.frozen]
        if collections and rng.random() < 0.4:
            column = rng.choice(collections)
        kind, name = column.type, column.cql
        value: Value | None = kind.make(rng) if kind.name != "counter" else scalar("bigint").make(rng)
        if kind.is_collection and not kind.frozen and rng.random() < 0.8:
            if kind.name == "map":
                key, entry = kind.parts[0].make(rng, True), kind.parts[1].make(rng, True)
                how = rng.randrange(3)
                if how == 0:
                    return [f"{name} CONTAINS {text.put(entry, 'e')}"]
                if how == 1:
                    return [f"{name} CONTAINS KEY {text.put(key, 'k')}"]
                return [f"{name}[{text.put(key, 'k')}] = {text.put(entry, 'e')}"]
            return [f"{name} CONTAINS {text.put(kind.parts[0].make(rng, True), 'e')}"]
        if rng.random() < 0.05:
            value = None
        compare = rng.choice(['=', '=', '=', '>', '<', '>=', '!='])
        if table.mode == "volatile" and column in table.values:
            compare = "="   # How many values that a server made are less than one is a matter of luck.
        return [f"{name} {compare} {text.put(value, column.plain)}"]
