"""Random statements that write."""

from __future__ import annotations

import struct
from random import Random

from .schema import KEYSPACE, Column, Table, name_of
from .steps import Step
from .values import MAY_BE_EMPTY, Type, Value, json_name, scalar

COUNTS = [-5, -1, 0, 1, 2, 7, 2 ** 40]


class Text:
    """A statement as it grows: its words, and the values of its markers."""

    def __init__(self, rng: Random, style: str) -> None:
        self.rng, self.style = rng, style   # literal, positional or named
        self.values: list[str | None] = []
        self.names: list[str] = []
        self.volatile = False

    def put(self, value: Value | None | str, name: str = "v") -> str:
        """A value: a literal, or a marker. None is null, "unset" is possible for markers alone."""
        bound = self.style != "literal" and self.rng.random() < 0.9
        if not bound:
            return "null" if value is None or value == "unset" else value.literal
        self.values.append(value if value is None or value == "unset" else value.raw.hex())
        if self.style == "positional":
            return "?"
        plain = f"{''.join(c for c in name.lower() if c.isalnum()) or 'v'}{len(self.names)}"
        if not plain[0].isalpha():
            plain = "v" + plain
        self.names.append(plain)
        return ":" + plain

    def number(self, number: int, kind: str = "int", name: str = "n") -> str:
        size = 8 if kind == "bigint" else 4
        return self.put(Value(number.to_bytes(size, "big", signed=True), str(number), str(number)), name)


class Writes:
    """Makes one write of a table. The clock of the timed tables is the generator's: see `Table.mode`."""

    def __init__(self, rng: Random, clock: "Clock") -> None:
        self._rng, self._clock = rng, clock

    def value(self, text: Text, column: Column) -> str:
        rng = self._rng
        draw = rng.random()
        if draw < 0.06:
            return text.put(None, column.plain)
        if draw < 0.1:
            return text.put("unset", column.plain)
        if draw < 0.12 and column.type.name in MAY_BE_EMPTY and text.style != "literal":
            text_value = Value(b"", "null", '""')
            return text.put(text_value, column.plain)
        if draw < 0.14 and not column.type.is_loose:
            return text.put(scalar(rng.choice(["int", "text", "uuid", "blob"])).make(rng), column.plain)   # Perhaps a wrong type.
        return text.put(column.type.make(rng), column.plain)

    def key(self, table: Table) -> list[Value]:
        return self._rng.choice(table.keys)

    def row(self, table: Table) -> list[Value]:
        return self._rng.choice(table.clusterings)

    # --- clauses ---

    def using(self, table: Table, text: Text, ttl: bool = True) -> tuple[str, dict]:
        """The USING clause, and what goes into the frame instead."""
        rng = self._rng
        parts, frame = [], {}
        if ttl and rng.random() < 0.25 and table.mode != "counter":
            parts.append("TTL " + text.number(rng.choice([0, 0, 100000, 5000000]), name="ttl"))
        if table.mode == "timed":
            if rng.random() < 0.4:
                frame["timestamp"] = self._clock.next()
            else:
                parts.insert(rng.randrange(len(parts) + 1), "TIMESTAMP " + text.number(self._clock.next(), "bigint", "ts"))
        elif rng.random() < 0.3:
            frame["timestamp"] = "now"
        return (" USING " + " AND ".join(parts) if parts else ""), frame

    def where(self, table: Table, text: Text, static: bool, key: list[Value] | None = None) -> str:
        rng = self._rng
        key = key or self.key(table)
        clauses = []
        for column, value in zip(table.partition, key):
            draw = rng.random()
            if draw < 0.04:
                clauses.append(f"{column.cql} IN ({text.put(value, column.plain)}, {text.put(rng.choice(table.keys)[table.partition.index(column)], column.plain)})")
            elif draw < 0.05:
                clauses.append(f"{column.cql} = {text.put(None, column.plain)}")
            else:
                clauses.append(f"{column.cql} = {text.put(value, column.plain)}")
        if not static or rng.random() < 0.02:
            for column, value in zip(table.clustering, self.row(table)):
                clauses.append(f"{column.cql} = {text.put(value, column.plain)}")
        if rng.random() < 0.3:
            # Markers are counted by their place: only what has none may move.
            if not text.values:
                rng.shuffle(clauses)
        return " WHERE " + " AND ".join(clauses)

    def condition(self, table: Table, text: Text, exists: bool = True) -> str:
        rng = self._rng
        if table.mode != "free" or rng.random() < 0.75:
            return ""
        simple = [column for column in table.values if not column.type.parts]
        if exists and (rng.random() < 0.4 or not simple):
            return " IF EXISTS"
        if not simple:
            return ""
        clauses = []
        for column in rng.sample(simple, min(len(simple), rng.choice([1, 1, 2]))):
            draw = rng.random()
            if draw < 0.6:
                clauses.append(f"{column.cql} {rng.choice(['=', '=', '!=', '>', '<='])} {text.put(column.type.make(rng), column.plain)}")
            elif draw < 0.8:
                clauses.append(f"{column.cql} IN ({text.put(column.type.make(rng), column.plain)}, {text.put(None, column.plain)})")
            else:
                clauses.append(f"{column.cql} = {text.put(None, column.plain)}")
        return " IF " + " AND ".join(clauses)

    # --- statements: text, and what the frame has to say ---

    def write(self, table: Table, where: str, text: Text, conditions: bool = True, key: list[Value] | None = None) -> tuple[str, dict]:
        if table.mode == "counter":
            return self._count(table, where, text, key)
        if table.mode == "volatile":
            return self._volatile(table, where, text)
        draw = self._rng.random()
        if draw < 0.35:
            return self._insert(table, where, text, conditions, key)
        if draw < 0.42 and text.style != "named":
            return self._insert_json(table, where, text, key)
        if draw < 0.75:
            return self._update(table, where, text, conditions, key)
        return self._delete(table, where, text, conditions, key)

    def _insert(self, table: Table, where: str, text: Text, conditions: bool, key: list[Value] | None) -> tuple[str, dict]:
        rng = self._rng
        pairs = [(column, value) for column, value in zip(table.partition, key or self.key(table))]
        chosen = rng.sample(table.values, rng.randrange(0, len(table.values) + 1))
        static_only = chosen and all(column.kind == "static" for column in chosen) and rng.random() < 0.5
        if not static_only:
            pairs += list(zip(table.clustering, self.row(table)))
        names = [column.cql for column, _ in pairs] + [column.cql for column in chosen]
        shown = [text.put(value, column.plain) for column, value in pairs] + [self.value(text, column) for column in chosen]
        if rng.random() < 0.01:
            names.append(names[-1] if rng.random() < 0.5 else "nothing")
            shown.append("1")
        exists = " IF NOT EXISTS" if conditions and table.mode == "free" and rng.random() < 0.2 else ""
        using, frame = self.using(table, text)
        return f"INSERT INTO {where} ({', '.join(names)}) VALUES ({', '.join(shown)}){exists}{using}", frame

    def _insert_json(self, table: Table, where: str, text: Text, key: list[Value] | None) -> tuple[str, dict]:
        rng = self._rng
        pairs = list(zip(table.partition, key or self.key(table))) + list(zip(table.clustering, self.row(table)))
        chosen = rng.sample(table.values, rng.randrange(0, len(table.values) + 1))
        parts = [(column, value.json) for column, value in pairs]
        parts += [(column, "null" if rng.random() < 0.1 else column.type.make(rng).json) for column in chosen]
        document = "{" + ", ".join(f"{json_name(column.cql)}: {value}" for column, value in parts) + "}"
        shown = text.put(Value(document.encode("utf-8", "replace"), "'" + document.replace("'", "''") + "'", document), "json")
        using, frame = self.using(table, text)
        return f"INSERT INTO {where} JSON {shown}{rng.choice(['', '', ' DEFAULT UNSET', ' DEFAULT NULL'])}{using}", frame

    def _update(self, table: Table, where: str, text: Text, conditions: bool, key: list[Value] | None) -> tuple[str, dict]:
        rng = self._rng
        using, frame = self.using(table, text)
        static = bool(table.of("static")) and rng.random() < 0.2
        pool = table.of("static") if static else table.of("regular")
        chosen = rng.sample(pool, min(len(pool), rng.choice([1, 1, 2, 3])))
        parts = [self._assignment(column, text) for column in chosen]
        clause = self.where(table, text, static, key)
        condition = self.condition(table, text) if conditions else ""
        return f"UPDATE {where}{using} SET {', '.join(parts)}{clause}{condition}", frame

    def _assignment(self, column: Column, text: Text) -> str:
        rng, kind, name = self._rng, column.type, column.cql
        if not kind.is_multi_cell or rng.random() < 0.3:
            return f"{name} = {self.value(text, column)}"
        if kind.name == "udt":
            at = rng.randrange(len(kind.fields))
            return f"{name}.{kind.fields[at]} = {text.put(kind.parts[at].make(rng), 'field')}"
        if kind.name == "map" and rng.random() < 0.5:
            entry = None if rng.random() < 0.2 else kind.parts[1].make(rng, True)
            return f"{name}[{text.put(kind.parts[0].make(rng, True), 'mk')}] = {text.put(entry, 'mv')}"
        if kind.name == "list":
            draw = rng.random()
            if draw < 0.2:
                index = text.number(rng.choice([0, 0, 1, 5, -1]), name="at")
                return f"{name}[{index}] = {text.put(kind.parts[0].make(rng, True), 'lv')}"
            if draw < 0.45:
                return f"{name} = {text.put(kind.make(rng), 'lp')} + {name}"
        removed = rng.random() < 0.3
        other = Type("set", (kind.parts[0],)) if removed and kind.name == "map" else kind
        operand = text.put(other.make(rng), "operand")
        if rng.random() < 0.3:
            return f"{name} {'-=' if removed else '+='} {operand}"
        return f"{name} = {name} {'-' if removed else '+'} {operand}"

    def _delete(self, table: Table, where: str, text: Text, conditions: bool, key: list[Value] | None) -> tuple[str, dict]:
        rng = self._rng
        draw = rng.random()
        what, static = "", False
        if draw < 0.4:
            column = rng.choice(table.values)
            static = column.kind == "static"
            what = " " + column.cql
            if column.type.is_multi_cell and column.type.name != "udt" and rng.random() < 0.6:
                element = text.number(rng.choice([0, 1]), name="at") if column.type.name == "list" else text.put(
                    column.type.parts[0].make(rng, True), "element")
                what = f" {column.cql}[{element}]"
            elif column.type.is_multi_cell and column.type.name == "udt" and rng.random() < 0.5:
                what = f" {column.cql}.{rng.choice(column.type.fields)}"
        using, frame = self.using(table, text, ttl=False)
        if draw < 0.8:
            clause = self.where(table, text, static, key)
        elif draw < 0.9 or not table.clustering:
            clause = self.where(table, text, True, key)
        else:
            clause = self.where(table, text, True, key)
            column = table.clustering[0]
            clause += f" AND {column.cql} {rng.choice(['>', '>=', '<', '<='])} {text.put(self.row(table)[0], column.plain)}"
        condition = self.condition(table, text) if conditions else ""
        return f"DELETE{what} FROM {where}{using}{clause}{condition}", frame

    def _count(self, table: Table, where: str, text: Text, key: list[Value] | None) -> tuple[str, dict]:
        rng = self._rng
        static = bool(table.of("static")) and rng.random() < 0.3
        pool = table.of("static") if static else table.of("regular")
        parts = []
        for column in rng.sample(pool, rng.randrange(1, len(pool) + 1)):
            amount = text.number(rng.choice(COUNTS), "bigint", "by")
            parts.append(rng.choice([f"{column.cql} = {column.cql} + {amount}", f"{column.cql} = {column.cql} - {amount}",
                                     f"{column.cql} += {amount}"]))
        return f"UPDATE {where} SET {', '.join(parts)}" + self.where(table, text, static, key), {}

    def _volatile(self, table: Table, where: str, text: Text) -> tuple[str, dict]:
        """now(), uuid() and what else the server makes up."""
        rng = self._rng
        made = {"uuid": ["uuid()", "now()", "system.uuid()"], "timeuuid": ["now()", "NOW()", "currentTimeUUID()"],
                "timestamp": ["toTimestamp(now())", "currentTimestamp()", "'now'", "'NOW'", "totimestamp(currentTimeUUID())"],
                "date": ["currentDate()", "toDate(now())", "toDate(currentTimestamp())"],
                "bigint": ["toUnixTimestamp(now())", "toUnixTimestamp(currentTimestamp())"], "text": ["'plain'", "'now'"]}
        chosen = rng.sample(table.values, rng.randrange(1, len(table.values) + 1))
        terms = [(column, rng.choice(made.get(column.type.name, ["uuid()"]))) for column in chosen]
        if rng.random() < 0.5:
            pairs = list(zip(table.partition, self.key(table))) + list(zip(table.clustering, self.row(table)))
            names = [column.cql for column, _ in pairs] + [column.cql for column, _ in terms]
            shown = [text.put(value, column.plain) for column, value in pairs] + [term for _, term in terms]
            return f"INSERT INTO {where} ({', '.join(names)}) VALUES ({', '.join(shown)})", {}
        return f"UPDATE {where} SET " + ", ".join(f"{column.cql} = {term}" for column, term in terms) + self.where(table, text, False), {}

    # --- batches ---

    def text_batch(self, tables: list[Table], at: "callable", text: Text) -> tuple[str, dict]:
        rng = self._rng
        counter = tables[0].mode == "counter"
        kind = "COUNTER " if counter else rng.choice(["", "", "UNLOGGED "])
        key = self.key(tables[0]) if len(tables) == 1 else None
        parts = []
        for _ in range(rng.randrange(1, 5)):
            table = rng.choice(tables)
            parts.append(self.write(table, at(table), text, conditions=len(tables) == 1, key=key)[0])
        frame = {"timestamp": self._clock.next()} if tables[0].mode == "timed" else {}
        separator = rng.choice(["; ", " ", ";\n"])
        return f"BEGIN {kind}BATCH {separator.join(parts)}{rng.choice([';', ''])} APPLY BATCH", frame

    def batch(self, tables: list[Table], at: "callable", slot_of: "callable") -> tuple[list[Step], Step]:
        """A BATCH message: texts with values and prepared statements, mixed."""
        rng = self._rng
        before: list[Step] = []
        children = []
        key = self.key(tables[0]) if len(tables) == 1 else None
        for _ in range(rng.randrange(1, 6)):
            table = rng.choice(tables)
            text = Text(rng, rng.choice(["literal", "positional"]))
            statement, _ = self.write(table, at(table), text, conditions=len(tables) == 1 and rng.random() < 0.3, key=key)
            child: dict = {"values": text.values}
            if text.values and rng.random() < 0.6:
                child["slot"] = slot_of()
                before.append({"kind": "prepare", "slot": child["slot"], "text": statement, "tables": [table.name]})
            else:
                child["text"] = statement
            if rng.random() < 0.01 and child["values"]:
                child["values"] = child["values"][:-1]
            children.append(child)
        kind = 2 if tables[0].mode == "counter" else rng.choice([0, 1, 1])
        step: Step = {"kind": "batch", "type": kind if rng.random() < 0.97 else rng.randrange(3), "children": children,
                      "tables": [table.name for table in tables]}
        if tables[0].mode == "timed":
            step["timestamp"] = self._clock.next()
        elif tables[0].mode == "free" and rng.random() < 0.3:
            step["timestamp"] = "now"
        return before, step


class Clock:
    """The write times of the timed tables: mostly forward, sometimes back, sometimes the same once more."""

    def __init__(self, rng: Random, base: int) -> None:
        self._rng, self._now = rng, base

    def next(self) -> int:
        self._now += 100
        return self._now - self._rng.choice([0, 0, 0, 0, 100, 450, 1050])


def identity(table: Table) -> str:
    return f"{KEYSPACE}.{name_of(table.name)}"


def raw_int(number: int) -> str:
    return struct.pack(">i", number).hex()
