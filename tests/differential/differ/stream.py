"""The stream of a lane: which step comes next."""

from __future__ import annotations

import re
import struct
import time
from random import Random

from .reads import Reads
from .schema import KEYSPACE, SchemaMaker, Table, name_of
from .steps import Step, slots_used
from .writes import Clock, Text, Writes

_TOKENS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[A-Za-z_][A-Za-z_0-9]*|[0-9.]+|\s+|.", re.DOTALL)
_KEYWORDS = {"SELECT", "FROM", "WHERE", "AND", "INSERT", "INTO", "VALUES", "UPDATE", "SET", "DELETE", "USING", "IF", "LIMIT",
             "ALLOW", "FILTERING", "ORDER", "BY", "IN", "BEGIN", "BATCH", "APPLY", "TTL", "TIMESTAMP", "NOT", "EXISTS"}
_CONDITION = re.compile(r"\bif\b", re.IGNORECASE)
CONSISTENCIES = [1, 1, 1, 1, 4, 6, 10, 5, 2, 0, 8, 9, 7, 3]


class Stream:
    """Endless. The same seed gives the same steps, whatever is answered."""

    def __init__(self, seed: int | str, version: int, tables: int = 6, vectors: bool = False,
                 without_system: bool = False, without_changes: bool = False) -> None:
        self._rng = Random(f"stream {seed}")
        self._version = version
        self._schema = SchemaMaker(self._rng, vectors)
        self._tables = tables
        self._without_system, self._without_changes = without_system, without_changes
        self._used = False
        self._slots = 0
        self._texts: dict[str, str] = {}   # by slot
        self._kept: list[Step] = []    # executed before, to be executed again
        self._waiting: list[Step] = []
        self.portion(0)

    @property
    def tables(self) -> list[Table]:
        return self._schema.tables

    def portion(self, number: int) -> None:
        """A new portion, after the phase changed. Its explicit write times lie all after those of the portion before, and
        after now: a copy sees neither what was deleted before shadowing began nor when a row without values was written,
        and so cannot keep out what is written beneath it."""
        base = time.time_ns() // 1000 + number * 3_600_000_000 if number else 1_500_000_000_000_000
        self._clock = Clock(self._rng, base)
        self._writes = Writes(self._rng, self._clock)
        self._reads = Reads(self._rng, not self._without_system)

    def beginning(self) -> list[Step]:
        made = [self._ddl(text) for text in self._schema.statements(self._tables)]
        if self._rng.random() < 0.5:
            made.append(self._use(KEYSPACE))
        return made

    def sweep(self) -> list[Step]:
        """Reads everything, in pages."""
        made = []
        for table in self.tables:
            text, loose = self._reads.sweep(table, f"{KEYSPACE}.{name_of(table.name)}")
            made.append({"kind": "query", "text": text, "page_size": 40, "pages": 100, "tables": [table.name], "loose": loose, "reads": True})
        return made

    def next(self) -> Step:
        while not self._waiting:
            self._waiting = self._more()
        step = self._waiting.pop(0)
        if step["kind"] == "prepare":
            self._texts[step["slot"]] = step["text"]
        return self._decided(self._harmless(step))

    def _decided(self, step: Step) -> Step:
        """Without a consistency that one replica cannot reach, where the write has a condition: Cassandra refuses to commit what
        Paxos has accepted, and commits it all the same when the next conditional write or serial read of the partition
        comes. Until then nobody can say what the row holds."""
        texts = [step.get("text", "")] + [child.get("text", "") for child in step.get("children", ())]
        texts += [self._texts.get(slot, "") for slot in sorted(slots_used(step))]
        if not step.get("reads") and step.get("consistency") in (2, 3) and any(_CONDITION.search(text) for text in texts):
            return {**step, "consistency": 1}
        return step

    def _harmless(self, step: Step) -> Step:
        """Without the tracing that ends servers. The trace of a conditional write that does not hold shows the row, and Cassandra
        (4.1.9 and 5.0.5 at least) reads each field of a user type that is not frozen as if it were the whole value: the first
        four bytes become a length, up to 2 GB are allocated, and the node ends for want of memory."""
        if not step.get("tracing") or step.get("reads"):
            return step
        named = set(step.get("tables", ()))
        if any(column.type.name == "udt" and column.type.is_multi_cell
               for table in self.tables if table.name in named for column in table.columns):
            return {key: value for key, value in step.items() if key != "tracing"}
        return step

    # --- one or a few steps ---

    def _more(self) -> list[Step]:
        rng = self._rng
        draw = rng.random()
        if draw < 0.35:
            return self._run_text(*self._one_read())
        if draw < 0.70:
            return self._run_text(*self._one_write())
        if draw < 0.76:
            tables = self._batch_tables()
            before, step = self._writes.batch(tables, self._at, self._slot)
            return before + [self._options(step, reads=False)]
        if draw < 0.80:
            tables = self._batch_tables()
            text = Text(rng, rng.choice(["literal", "literal", "positional", "named"]))
            statement, frame = self._writes.text_batch(tables, self._at, text)
            return self._run_text(statement, text, {**frame, "tables": [table.name for table in tables]}, False)
        if draw < 0.90 and self._kept:
            return [self._again(rng.choice(self._kept))]
        if draw < 0.96:
            return self._invalid()
        if draw < 0.975:
            return self._run_text(self._reads.system(), Text(rng, "literal"), {"reads": True, "tables": []}, True)
        if draw < 0.982:
            return [self._use(rng.choice([KEYSPACE, KEYSPACE, KEYSPACE + "_none", "system"]))]
        if draw < 0.986:
            self._used = False
            return [{"kind": "query", "text": "", "reconnect": True}]
        if draw < 0.992:
            return [] if self._without_changes else [self._ddl(self._schema.change())]
        if draw < 0.9925:
            table = rng.choice(self.tables)
            return [{"kind": "query", "text": f"TRUNCATE {rng.choice(['', 'TABLE '])}{self._at(table)}", "tables": [table.name]}]
        return [self._strange()]

    def _ddl(self, text: str) -> Step:
        return {"kind": "query", "text": text, "ddl": True, "tables": [table.name for table in self.tables if name_of(table.name) in text]}

    def _use(self, keyspace: str) -> Step:
        if keyspace in (KEYSPACE, "system"):
            self._used = keyspace == KEYSPACE
        return {"kind": "query", "text": f"{self._rng.choice(['USE', 'use'])} {self._rng.choice([keyspace, name_of(keyspace), chr(34) + keyspace + chr(34)])}"}

    def _at(self, table: Table) -> str:
        if self._rng.random() < (0.4 if self._used else 0.01):
            return name_of(table.name)
        return f"{self._rng.choice([KEYSPACE, KEYSPACE, chr(34) + KEYSPACE + chr(34)])}.{name_of(table.name)}"

    def _slot(self) -> str:
        self._slots += 1
        return f"s{self._slots}"

    def _batch_tables(self) -> list[Table]:
        """Tables of one mode: their write times must be all said, or none."""
        rng = self._rng
        first = rng.choice(self.tables)
        alike = [table for table in self.tables if table.mode == first.mode]
        return [first] if rng.random() < 0.6 else alike

    def _style(self) -> str:
        return self._rng.choice(["literal", "positional", "positional", "named"])

    def _one_read(self) -> tuple[str, Text, dict, bool]:
        table = self._rng.choice(self.tables)
        text = Text(self._rng, self._style())
        statement, loose = self._reads.select(table, self._at(table), text)
        return statement, text, {"loose": loose, "tables": [table.name], "reads": True}, True

    def _one_write(self) -> tuple[str, Text, dict, bool]:
        table = self._rng.choice(self.tables)
        text = Text(self._rng, self._style())
        statement, frame = self._writes.write(table, self._at(table), text)
        return statement, text, {**frame, "tables": [table.name]}, False

    def _run_text(self, statement: str, text: Text, more: dict, reads: bool) -> list[Step]:
        rng = self._rng
        if rng.random() < 0.15:
            statement = self._noise(statement)
        step: Step = {**more, "kind": "query", "text": statement}
        if text.values or rng.random() < 0.02:
            step["values"] = text.values
            if text.style == "named":
                step["names"] = text.names
        step = self._options(step, reads)
        if (text.values and rng.random() < 0.5) or rng.random() < 0.05:
            slot = self._slot()
            prepare: Step = {"kind": "prepare", "slot": slot, "text": statement, "tables": more.get("tables", [])}
            execute = {**step, "kind": "execute", "slot": slot}
            del execute["text"]
            if rng.random() < 0.7:
                execute.pop("names", None)
            if more.get("timestamp") is None or more["timestamp"] == "now":
                self._kept = (self._kept + [execute])[-40:]
            return [prepare, execute]
        return [step]

    def _again(self, kept: Step) -> Step:
        """A prepared statement once more, perhaps after the schema changed, perhaps in another phase."""
        if self._rng.random() < 0.5 and not kept.get("reads"):
            return kept
        return self._options({key: value for key, value in kept.items() if key not in ("page_size", "pages", "consistency", "serial")},
                             bool(kept.get("reads")))

    def _options(self, step: Step, reads: bool) -> Step:
        rng = self._rng
        step = dict(step)
        step["consistency"] = rng.choice(CONSISTENCIES) if rng.random() < 0.3 else 1
        if rng.random() < 0.1:
            step["serial"] = rng.choice([8, 9, 9, 1])
        if rng.random() < 0.02:
            step["tracing"] = True
        if rng.random() < 0.03:
            step["payload"] = True
        if reads and rng.random() < 0.4:
            step["page_size"] = rng.choice([1, 2, 3, 10, 100])
            step["pages"] = rng.choice([1, 2, 4])
        if rng.random() < 0.4:
            step["skip_metadata"] = True
        return step

    # --- what is wrong ---

    def _invalid(self) -> list[Step]:
        rng = self._rng
        draw = rng.random()
        if draw < 0.6:
            reads = rng.random() < 0.5
            for _ in range(20):
                statement, text, more, reads = self._one_read() if reads else self._one_write()
                table = next(table for table in self.tables if table.name == more["tables"][0])
                if reads or table.mode in ("free", "volatile"):
                    return self._run_text(self._mutated(statement), text, more, reads)
            return []
        if draw < 0.85:
            statement, text, more, reads = self._one_write() if rng.random() < 0.5 else self._one_read()
            steps = self._run_text(statement, text, more, reads)
            values = list(steps[-1].get("values") or [])
            how = rng.randrange(4)
            # What one server stores and the other refuses is set aside, and stops the migration; rightly, but the test with it.
            loose = not reads and any(column.type.is_loose for table in self.tables if table.name in more["tables"]
                                      for column in table.columns)
            if how == 0 and values:
                values.pop()
            elif how == 1:
                values.append("00")
            elif values and not loose:
                values[rng.randrange(len(values))] = rng.choice(["", "00", "ffff", "ff" * 16, "00000000" * 2, None])
            last = {**steps[-1], "values": values}
            last.pop("names", None)
            self._kept = [kept for kept in self._kept if kept is not steps[-1]]
            return steps[:-1] + [last]
        return self._run_text(rng.choice([
            "", ";", "SELECT", "SELECT * FROM", "nonsense", "SELECT * FROM nowhere.nothing", f"SELECT * FROM {KEYSPACE}.nothing",
            f"INSERT INTO {KEYSPACE}.nothing (a) VALUES (1)", "UPDATE nothing SET a = 1 WHERE b = 2", "USE", f"DELETE FROM {KEYSPACE}.nothing WHERE k = 1",
            "INSERT INTO nowhere.nothing (a) VALUES (1)", "BEGIN BATCH APPLY BATCH", "LIST ROLES", "TRUNCATE nowhere.nothing", f"TRUNCATE {KEYSPACE}.nothing",
            "SELECT * FROM system_schema.nothing;;", "-- only a comment", "GRANT ALL ON ALL KEYSPACES TO nobody",
            "DESCRIBE nonsense", f"DESCRIBE TABLE {KEYSPACE}.nothing", "DROP TABLE nothing", "CREATE TABLE nothing (a int PRIMARY KEY)",
        ]), Text(rng, "literal"), {"tables": [], "reads": True}, True)

    def _mutated(self, statement: str) -> str:
        rng = self._rng
        tokens = _TOKENS.findall(statement)
        for _ in range(rng.choice([1, 1, 2])):
            if not tokens:
                break
            at, other = rng.randrange(len(tokens)), rng.randrange(len(tokens))
            how = rng.randrange(5)
            if how == 0:
                del tokens[at]
            elif how == 1:
                tokens.insert(at, tokens[other])
            elif how == 2:
                tokens[at], tokens[other] = tokens[other], tokens[at]
            elif how == 3:
                tokens[at] = rng.choice(["(", ")", ",", "=", ".", "?", "null", "1", "'x", '"', "IN", "AND", "token", "/*", "$$", "{}", "[]", ";", "é"])
            else:
                tokens = tokens[:at]
        return "".join(tokens)

    def _noise(self, statement: str) -> str:
        """The same statement, written by someone else."""
        rng = self._rng
        tokens = _TOKENS.findall(statement)
        for at, token in enumerate(tokens):
            if token.isspace() and rng.random() < 0.15:
                tokens[at] = rng.choice(["\n", "  ", "\t", " /* ; */ ", " -- 'c\n", " // c\n", "\r\n"])
            elif token.upper() in _KEYWORDS and token.isupper() and rng.random() < 0.3:
                tokens[at] = rng.choice([token.lower(), token.title()])
        return rng.choice(["", "", " ", "/* c */", "-- c\n"]) + "".join(tokens) + rng.choice(["", "", ";", " ;", ";;", " -- c\n"])

    def _strange(self) -> Step:
        """Frames that are wrong as frames."""
        rng = self._rng
        table = rng.choice(self.tables)
        select = f"SELECT * FROM {KEYSPACE}.{name_of(table.name)}".encode()
        query = struct.pack(">i", len(select)) + select
        loose = {"all": "shape"} if table.mode == "volatile" else {}
        flags = ">i" if self._version >= 5 else ">B"

        def raw(opcode: int, body: bytes) -> Step:
            return {"kind": "raw", "opcode": opcode, "body": body.hex(), "tables": [table.name], "loose": loose, "reads": True}
        return rng.choice([
            raw(7, query),                                                                          # no options at all
            raw(7, query + struct.pack(">H", 1)),                                                   # no flags
            raw(7, query + struct.pack(">H", 77) + struct.pack(flags, 0)),                          # no such consistency
            raw(7, query + struct.pack(">H", 1) + struct.pack(flags, 4) + struct.pack(">i", 0)),    # page size 0
            raw(7, query + struct.pack(">H", 1) + struct.pack(flags, 4) + struct.pack(">i", -3)),
            raw(7, query + struct.pack(">H", 1) + struct.pack(flags, 4)),                           # cut short
            raw(7, query + struct.pack(">H", 1) + struct.pack(flags, 8) + struct.pack(">i", 3) + b"abc"),  # no paging state
            raw(7, query + struct.pack(">H", 1) + struct.pack(flags, 8) + struct.pack(">i", -1)),
            raw(7, query + struct.pack(">H", 1) + struct.pack(flags, 0) + b"more than needed"),
            raw(7, query + struct.pack(">H", 1) + struct.pack(flags, 0x20) + struct.pack(">q", -2 ** 63)),
            raw(7, query[:-3]),
            raw(7, struct.pack(">i", -1)),
            raw(9, query[:-1]),
            raw(10, struct.pack(">H", 16) + bytes(16) + struct.pack(">H", 1) + struct.pack(flags, 0)),   # no such id
            raw(10, struct.pack(">H", 3) + b"abc" + struct.pack(">H", 1) + struct.pack(flags, 0)),
            raw(13, struct.pack(">BHHB", 7, 0, 1, 0)),                                              # no such batch type
            raw(13, struct.pack(">BHH", 0, 0, 1) + struct.pack(flags, 0)),                          # an empty batch
            raw(13, struct.pack(">BHB", 0, 1, 5) + struct.pack(">H", 1) + struct.pack(flags, 0)),
            raw(11, struct.pack(">H", 1) + struct.pack(">H", 7) + b"NOTHING"),                      # REGISTER
            raw(1, struct.pack(">H", 1) + struct.pack(">H", 11) + b"CQL_VERSION" + struct.pack(">H", 5) + b"3.0.0"),
        ])
