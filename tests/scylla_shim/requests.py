"""QUERY, PREPARE, EXECUTE and BATCH on one connection: what ScyllaDB refuses, what is asked behind, what is shown."""

from __future__ import annotations

import asyncio
import hashlib
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import counters, ddl, lwt, system, wire
from .backend import Answer, Backend
from .cql import Mutation, Statement, Term, Token, parse
from .wire import (BATCH, EXECUTE, INVALID, PREPARE, PROTOCOL_ERROR, QUERY, RESULT, SERVER_ERROR, SYNTAX_ERROR, UNPREPARED,
                   Column, In, Options, PreparedAnswer, Refused, Rows)

if TYPE_CHECKING:
    from .server import Shim

_THREE_DAYS = 3 * 24 * 3600 * 1_000_000   # microseconds
_MOST_RESTRICTIONS = 100
_LONGEST_KEY = 65533
_EACH_QUORUM, _SERIAL = 7, 8
_FUTURE = ("Cannot provide a timestamp more than 3 days into the future. If this was not intended, make sure the "
           "timestamp is in microseconds. You can also disable this check by setting the restrict_future_timestamp "
           "configuration option to false.")
_NEWER_FUNCTIONS = {"maxwritetime", "minwritetime", "to_timestamp", "to_date", "to_unix_timestamp", "to_json", "from_json",
                    "current_timestamp", "current_date", "current_time", "current_timeuuid", "min_timeuuid",
                    "max_timeuuid", "collection_count", "collection_min", "collection_max", "map_keys", "map_values",
                    "mask_null", "mask_default", "mask_inner", "mask_outer", "mask_replace", "mask_hash"}
# Paging states are the shim's own, as long as ScyllaDB's: a mark, a kind, what Cassandra gave.
_STATE_MARK, _STATE_SIZE = b"\x00scylla-shim\x00", 130


@dataclass
class Prepared:
    """What EXECUTE and BATCH need to know. `slots` says, marker by marker, which of the client's values it takes."""

    id: bytes
    statement: Statement
    keyspace: str | None
    behind: bytes
    answer: PreparedAnswer                     # as the client saw it
    slots: list[int]
    lwt: lwt.Plan | None = None
    system: system.SystemSelect | None = None
    names: list[str] = field(default_factory=list)
    shards: list[int] = field(default_factory=list)

    @property
    def plain_slots(self) -> bool:
        return self.slots == list(range(len(self.answer.binds)))


def _state(kind: int, behind: bytes) -> bytes:
    out = _STATE_MARK + bytes([kind]) + wire.short_bytes(behind)
    return out + b"\0" * max(0, _STATE_SIZE - len(out))


def _state_from(state: bytes) -> tuple[int, bytes]:
    if not state.startswith(_STATE_MARK):
        raise Refused(PROTOCOL_ERROR, "Invalid value for the paging state")
    body = In(state, len(_STATE_MARK))
    return body.u8(), body.short_bytes()


class Session:
    """The keyspace and options of one client connection; sends on its own connection behind."""

    def __init__(self, shim: Shim, backend: Backend) -> None:
        self._shim, self._backend = shim, backend
        self.keyspace: str | None = None
        self.marks_lwt = False

    async def request(self, opcode: int, body: bytes, flags: int, version: int) -> tuple[bytes, int, bytes]:
        """(tracing id or nothing, opcode, message). A custom payload is read as the message, as ScyllaDB 5.2 does."""
        read = In(body)
        if opcode == QUERY:
            text = self._text(read)
            answer = await self._query(text, Options.read(read), flags)
        elif opcode == PREPARE:
            return b"", RESULT, (await self._prepare(self._text(read))).answer.write(version, False) if not self.marks_lwt \
                else await self._prepare_marked(self._text(In(body)), version)
        elif opcode == EXECUTE:
            answer = await self._execute(read, flags)
        else:
            assert opcode == BATCH
            answer = await self._batch(read, flags)
        if answer.kind == wire.SET_KEYSPACE:
            self.keyspace = In(answer.message, 4).string()
        elif answer.kind == wire.SCHEMA_CHANGE:
            self._shim.catalog.forget()
        return answer.tracing, answer.opcode, self._shown_error(answer, version)

    @staticmethod
    def _by_name(options: Options, order: list[str]) -> list[bytes | int | None]:
        if options.names is not None and len(set(options.names)) < len(options.names):
            raise Refused(INVALID, f"Invalid amount of bind variables: expected {len(set(order))}, got {len(options.names)}")
        return options.by_name(order)

    @staticmethod
    def _text(read: In) -> str:
        try:
            return read.long_string().decode()
        except UnicodeDecodeError:
            raise Refused(PROTOCOL_ERROR, "Cannot decode string as UTF8") from None

    @staticmethod
    def _shown_error(answer: Answer, version: int) -> bytes:
        """v3 has no failures with a number of nodes: the errors it knows instead (CQL-FACTS 1.7)."""
        code = answer.error
        if version >= 4 or code not in (0x1300, 0x1500, 0x1400, 0x1600):
            return answer.message
        read = In(answer.message, 4)
        text = read.string()
        if code in (0x1400, 0x1600):
            return Refused(INVALID, text).body()
        levels, failures = read.take(10), read.take(4)
        assert len(failures) == 4
        return Refused(0x1200 if code == 0x1300 else 0x1100, text, levels + read.rest()).body()

    # --- what ScyllaDB refuses ---

    async def _refuse(self, statement: Statement, keyspace: str | None) -> None:
        """By text and schema alone. Values come later, in _refuse_values."""
        tokens = statement.tokens
        if statement.compound is not None:
            sign = statement.text[statement.compound]
            raise Refused(SYNTAX_ERROR, f"line 1:{statement.compound} no viable alternative at input '{sign}'")
        for i, token in enumerate(tokens[:-1]):
            if token.word in _NEWER_FUNCTIONS and tokens[i + 1].text == "(":
                raise Refused(INVALID, f"Unknown function '{token.word}'")
        if statement.verb == "select":
            await self._refuse_select(statement, keyspace)
        for one in statement.mutations:
            await self._refuse_mutation(one, keyspace)

    async def _refuse_select(self, statement: Statement, keyspace: str | None) -> None:
        for selector in statement.selectors:
            if _beyond_grammar(selector, len(statement.selectors)):
                raise Refused(SYNTAX_ERROR, f"line 1:{selector[0].start} no viable alternative at input "
                                            f"'{selector[0].text}'")
            for i, token in enumerate(selector):
                if token.word in ("writetime", "ttl") and len(selector) > i + 3 and selector[i + 1].text == "(":
                    if selector[i + 3].text in "[.":
                        raise Refused(SYNTAX_ERROR, f"line 1:{selector[i + 3].start} no viable alternative at input "
                                                    f"'{selector[i + 3].text}'")
                    table = await self._shim.catalog.table(self._backend, statement.keyspace or keyspace, statement.table)
                    column = table.get(selector[i + 2].name) if table else None
                    if column is not None and column.multi_cell:
                        said = "writeTime" if token.word == "writetime" else "ttl"
                        raise Refused(INVALID, f"Cannot use selection function {said} on non-frozen collections")

    async def _refuse_mutation(self, one: Mutation, keyspace: str | None) -> None:
        where = one.keyspace or keyspace
        if one.nested_condition is not None:
            raise Refused(SYNTAX_ERROR, f"line 1:{one.nested_condition} no viable alternative at input '.'")
        if where in ("system", "system_schema"):
            raise Refused(wire.UNAUTHORIZED, f"{where} keyspace is not user-modifiable.")
        if one.increments or one.conditions:
            table = await self._shim.catalog.table(self._backend, where, one.table)
            if table is None:
                return
            for name, text in one.increments:
                column = table.get(name)
                numbers = ("int", "bigint", "smallint", "tinyint", "varint", "float", "double", "decimal", "text")
                if column is not None and column.cql_type in numbers:
                    raise Refused(INVALID, f"Invalid operation ({text}) for non counter column {name}")
            for name in one.conditions:
                if table.get(name) is None:
                    raise Refused(INVALID, f"Unknown identifier {name}")

    def _refuse_values(self, statement: Statement, values: list[bytes | int | None]) -> None:
        def bound(term: Term) -> int | None:
            if term.markers:
                given = values[term.markers[0]] if term.markers[0] < len(values) else None
                return int.from_bytes(given, "big", signed=True) if isinstance(given, bytes) else None
            try:
                return int(term.text)
            except ValueError:
                return None
        now = int(self._shim.manners.clock() * 1_000_000)
        for term in statement.timestamps:
            at = bound(term)
            if at is not None and now + _THREE_DAYS < at < 1 << 63:
                raise Refused(INVALID, _FUTURE)
            if at == -(1 << 63):
                raise Refused(INVALID, "Out of bound timestamp, must be in [-9223372036854775807, 9223372036854775807]")
        if statement.verb in ("select", "delete"):
            product = 1
            sizes = list(statement.in_sizes)
            for marker in statement.in_markers:
                given = values[marker] if marker < len(values) else None
                if isinstance(given, bytes) and len(given) >= 4:
                    sizes.append(max(1, int.from_bytes(given[:4], "big", signed=True)))
            for size in sizes:
                product *= size
            if product > _MOST_RESTRICTIONS:
                raise Refused(SERVER_ERROR, f"clustering-key cartesian product size {product} is greater than maximum "
                                            f"{_MOST_RESTRICTIONS}")

    # --- QUERY ---

    async def _query(self, text: str, options: Options, flags: int) -> Answer:
        statement = parse(text)
        keyspace = self.keyspace
        await self._refuse(statement, keyspace)
        values = self._by_name(options, statement.markers)
        behind = statement.behind() if statement.cuts else text
        if statement.verb.startswith(("create ", "alter ", "drop ")):
            behind = ddl.behind(statement)
        elif options.names is None and statement.repeats and values:
            # One value for each name, however often it stands there.
            slots, names = _slots(statement, None)
            if len(values) != len(names):
                raise Refused(INVALID, f"Invalid amount of bind variables: expected {len(names)}, got {len(values)}")
            options.values = values = [values[s] for s in slots]
        elif options.names is not None and statement.verb.startswith("begin"):
            options.names, options.values = None, values
        self._refuse_values(statement, values)
        if statement.timeout_marker is not None and options.names is None:
            options.values = [v for i, v in enumerate(values) if i != statement.timeout_marker]
        shown = None
        if statement.verb == "select":
            if options.consistency == _EACH_QUORUM:
                raise Refused(INVALID, "EACH_QUORUM ConsistencyLevel is only supported for writes")
            shown = await self._system_plan(statement, keyspace)
            if shown is not None:
                behind = shown.text
        elif statement.verb == "truncate" and (statement.keyspace or keyspace) in ("system", "system_schema"):
            raise Refused(wire.UNAUTHORIZED, f"{statement.keyspace or keyspace} keyspace is not user-modifiable.")
        if statement.conditional:
            plan = await self._lwt_plan(statement, keyspace)
            if plan is not None:
                return await self._conditional(
                    plan, values, options,
                    lambda: self._backend.ask(QUERY, wire.long_string(behind) + options.write(), flags))
        return await self._paged(statement, options, shown, None,
                                 lambda: self._backend.ask(QUERY, wire.long_string(behind) + options.write(), flags))

    async def _system_plan(self, statement: Statement, keyspace: str | None) -> system.SystemSelect | None:
        where = statement.keyspace or keyspace
        if not where or not where.startswith("system"):
            return None
        known = await self._shim.catalog.system_columns(self._backend, f"{where}.{statement.table}")
        if f"{where}.{statement.table}" in system.TABLES and not known:
            raise Refused(INVALID, f"unconfigured table {statement.table}")
        return system.plan(statement, where, known)

    async def _lwt_plan(self, statement: Statement, keyspace: str | None) -> lwt.Plan | None:
        first = statement.mutations[0]
        table = await self._shim.catalog.table(self._backend, first.keyspace or keyspace, first.table)
        return lwt.plan(statement, table) if table is not None else None

    # --- pages ---

    async def _paged(self, statement: Statement, options: Options, shown: system.SystemSelect | None,
                     columns: list[Column] | None, ask: object) -> Answer:
        """Cuts pages shorter than asked for, and puts empty ones between, when the manners say so."""
        manners = self._shim.manners
        empty = False
        if statement.verb == "select":
            kind = 0
            if options.paging_state is not None:
                kind, behind = _state_from(options.paging_state)
                options.paging_state = behind or None
            if options.page_size is not None and options.page_size > 0:
                if manners.page_rows is not None:
                    options.page_size = min(options.page_size, manners.page_rows)
                self._shim.pages += 1
                # As behind many tombstones: within a result or a scan, not where a key names the row.
                empty = bool(manners.empty_pages) and kind != 1 and (options.paging_state is not None or statement.scan) \
                    and self._shim.pages % manners.empty_pages == 0
        skip = bool(options.flags & wire.SKIP_METADATA)
        if empty and columns is not None:
            rows = Rows(columns, len(columns), _state(1, options.paging_state or b""), b"\0\0\0\0")
            return Answer(0, RESULT, rows.write(skip_metadata=skip))
        answer: Answer = await ask()  # type: ignore[operator]
        if answer.kind == wire.ROWS:
            rows = Rows.read(answer.message)
            if rows.paging_state is not None:
                rows.paging_state = _state(0, rows.paging_state)
            if shown is not None:
                rows = shown.show(rows, manners.addresses)
            answer.message = rows.write(skip_metadata=skip)
        return answer

    # --- conditional writes ---

    async def _conditional(self, plan: lwt.Plan, values: list[bytes | int | None], options: Options, ask: object) -> Answer:
        first = plan.reads[0]
        text, markers = first.by_partition or first.by_row  # type: ignore[misc]
        key = (text, *(values[m] if m < len(values) else None for m in markers))
        lock = self._shim.partitions.setdefault(key, asyncio.Lock())
        async with lock:
            old = [await self._old_row(plan.table, read, values, options) for read in plan.reads]
            answer = await ask()  # type: ignore[operator]
        if not lock.locked() and not getattr(lock, "_waiters", None):
            self._shim.partitions.pop(key, None)
        if answer.kind == wire.ROWS and None not in old:
            applied = Rows.read(answer.message).decoded()[0][0] or b"\0"
            answer.message = lwt.answer(plan, applied, old).write(  # type: ignore[arg-type]
                skip_metadata=bool(options.flags & wire.SKIP_METADATA))
        return answer

    async def _old_row(self, table: lwt.Table, read: lwt.Read, values: list[bytes | int | None],
                       options: Options) -> dict[str, bytes | None] | None:
        async def first_row(asked: tuple[str, list[int]] | None) -> list[bytes | None] | None:
            if asked is None:
                return None
            text, markers = asked
            if any(m >= len(values) or not isinstance(values[m], bytes) for m in markers):
                return None  # Cassandra refuses such a key itself
            got = await self._backend.query(text, Options(consistency=options.serial or _SERIAL,
                                                          values=[values[m] for m in markers]))
            rows = Rows.read(got.message).decoded() if got.kind == wire.ROWS else []
            return rows[0] if rows else None
        row = await first_row(read.by_row) if read.conditional else None
        partition = await first_row(read.by_partition) if row is None else None
        return lwt.old_row(read, table, row, partition)

    # --- PREPARE, EXECUTE ---

    async def _prepare_marked(self, text: str, version: int) -> bytes:
        made = await self._prepare(text)
        return made.answer.write(version, made.lwt is not None and not made.statement.batch)

    async def _prepare(self, text: str) -> Prepared:
        statement = parse(text)
        keyspace = self.keyspace
        await self._refuse(statement, keyspace)
        behind = statement.behind() if statement.cuts else text
        if statement.verb.startswith(("create ", "alter ", "drop ")):
            behind = ddl.behind(statement)
        shown = await self._system_plan(statement, keyspace) if statement.verb == "select" else None
        if shown is not None:
            behind = shown.text
        plan = await self._lwt_plan(statement, keyspace) if statement.conditional else None
        behind, shards = counters.behind(behind)
        answer = await self._backend.ask(PREPARE, wire.long_string(behind))
        if answer.error is not None:
            read = In(answer.message)
            raise Refused(read.i32(), read.string(), read.rest())
        got = PreparedAnswer.read(answer.message)
        id_behind = got.id
        binds = list(got.binds)
        for marker in shards:
            binds[marker] = Column(binds[marker].keyspace, binds[marker].table, binds[marker].name, counters.SHARD_LIST)
        if statement.timeout_marker is not None:
            where = binds[0] if binds else Column(keyspace or "", statement.table, "", b"")
            binds.insert(statement.timeout_marker, Column(where.keyspace, where.table, "[timeout]", b"\0\x15"))
        slots, names = _slots(statement, binds)
        keys = got.keys
        if len(names) < len(binds):
            keys = [] if statement.verb == "select" else [slots[k] for k in keys]
            binds = [binds[slots.index(i)] for i in range(len(names))]
        elif statement.timeout_marker is not None:
            keys = [k + (k >= statement.timeout_marker) for k in keys]
        got.keys = keys
        got.binds = [_named(c) for c in binds]
        got.result = shown.columns if shown is not None else plan.columns if plan is not None else got.result
        got.id = hashlib.md5(((keyspace or "") + text).encode()).digest()
        made = Prepared(got.id, statement, keyspace, id_behind, got, slots, plan, shown, [c.name for c in got.binds], shards)
        self._shim.remember(made)
        return made

    def _find(self, id: bytes) -> Prepared:
        found = self._shim.prepared.get(id)
        if found is None:
            raise Refused(UNPREPARED, f"No prepared statement with ID {id.hex()} found.", wire.short_bytes(id))
        self._shim.prepared.move_to_end(id)
        return found

    def _spread(self, one: Prepared, values: list[bytes | int | None]) -> list[bytes | int | None]:
        """The client's values, one for each marker that the Cassandra behind sees."""
        if len(values) != len(one.answer.binds):
            raise Refused(INVALID, f"Invalid amount of bind variables: expected {len(one.answer.binds)}, got {len(values)}")
        self._refuse_values(one.statement, [values[s] for s in one.slots])
        for key in one.answer.keys:
            given = values[key]
            if isinstance(given, bytes) and len(given) > _LONGEST_KEY:
                raise Refused(SERVER_ERROR, f"Key size too large: {len(given) + 4} > 65535")
        timeout = one.statement.timeout_marker
        return [values[s] for i, s in enumerate(one.slots) if i != timeout]

    def _gone(self, one: Prepared, answer: Answer) -> None:
        """Evicted behind: by a schema change, which evicts on ScyllaDB too. The client is told of the id that it knows."""
        if answer.error == UNPREPARED:
            self._shim.prepared.pop(one.id, None)
            raise Refused(UNPREPARED, f"No prepared statement with ID {one.id.hex()} found.", wire.short_bytes(one.id))

    async def _execute(self, read: In, flags: int) -> Answer:
        one = self._find(read.short_bytes())
        options = Options.read(read)
        values = self._by_name(options, one.names)
        options.names = None
        options.values = self._spread(one, values)
        fresh: set[counters.Shard] = set()
        if one.shards:
            options.values, fresh = counters.increments(one.statement.text, one.shards, options.values, self._shim.shards)
        if one.statement.verb == "select":
            if options.consistency == _EACH_QUORUM:
                raise Refused(INVALID, "EACH_QUORUM ConsistencyLevel is only supported for writes")
            if one.answer.result is not None and any(values[k] is None for k in one.answer.keys):
                rows = Rows(one.answer.result, len(one.answer.result), None, b"\0\0\0\0")
                return Answer(0, RESULT, rows.write(skip_metadata=bool(options.flags & wire.SKIP_METADATA)))

        def ask() -> asyncio.Future[Answer]:
            return self._backend.ask(EXECUTE, wire.short_bytes(one.behind) + options.write(), flags)
        if one.lwt is not None:
            answer = await self._conditional(one.lwt, [values[s] for s in one.slots], options, ask)
        else:
            answer = await self._paged(one.statement, options, one.system, one.answer.result, ask)
        self._gone(one, answer)
        if answer.error is None:
            self._shim.shards |= fresh
        return answer

    # --- BATCH ---

    async def _batch(self, read: In, flags: int) -> Answer:
        kind = read.u8()
        count = read.u16()
        items = []
        body = [struct.pack(">BH", kind if kind <= 2 else 0, count)]
        merged = Statement("", [], "begin", batch=True)
        values: list[bytes | int | None] = []
        for _ in range(count):
            if read.u8() == 0:
                text = self._text(read)
                statement = parse(text)
                given = [read.value() for _ in range(read.u16())]
                await self._refuse(statement, self.keyspace)
                slots, _ = _slots(statement, None)
                if len(slots) == len(given) or len(set(slots)) == len(given):
                    given = [given[s] for s in slots] if len(set(slots)) == len(given) else given
                self._refuse_values(statement, given)
                asked = [v for i, v in enumerate(given) if i != statement.timeout_marker]
                body.append(b"\0" + wire.long_string(statement.behind() if statement.cuts else text))
                keyspace = self.keyspace
            else:
                one = self._find(read.short_bytes())
                given = [read.value() for _ in range(read.u16())]
                asked = self._spread(one, given)
                given = [given[s] for s in one.slots]
                items.append(one)
                statement, keyspace = one.statement, one.keyspace
                body.append(b"\1" + wire.short_bytes(one.behind))
            body.append(struct.pack(">H", len(asked)) + b"".join(map(wire.value, asked)))
            merged.mutations += [_shifted(m, keyspace, len(values)) for m in statement.mutations]
            values += given
        options = Options.read(read)
        body.append(options.write())

        def ask() -> asyncio.Future[Answer]:
            return self._backend.ask(BATCH, b"".join(body), flags)
        plan = await self._lwt_plan(merged, self.keyspace) if merged.conditional else None
        answer = await self._conditional(plan, values, options, ask) if plan is not None else \
            await self._paged(merged, options, None, None, ask)
        if answer.error == UNPREPARED:
            gone = In(answer.message, 4)
            gone.string()
            id = gone.short_bytes()
            for one in items:
                if one.behind == id:
                    self._gone(one, answer)
        return answer


def _slots(statement: Statement, binds: list[Column] | None) -> tuple[list[int], list[str]]:
    """For each marker the client's value it takes, and the names of those values: `:x` twice is one value."""
    slots: list[int] = []
    names: list[str] = []
    first: dict[str, int] = {}
    for i, name in enumerate(statement.markers):
        if name and name in first:
            slots.append(first[name])
            if binds is not None and i < len(binds) and binds[i].type != binds[statement.markers.index(name)].type:
                raise Refused(INVALID, f"variable :{name} has types that do not match")
            continue
        if name:
            first[name] = len(names)
        slots.append(len(names))
        names.append(name)
    if binds is not None and len(slots) != len(binds):  # markers that only the server behind understood
        return list(range(len(binds))), [c.name for c in binds]
    return slots, names


def _beyond_grammar(selector: list[Token], count: int) -> bool:
    """What 5.2 selects nowhere (reads/096-099, values/527-529): arithmetic, constants, elements, tuples, a star and more.
    The minus of a number is in its token."""
    if not selector or selector[0].text == "(" or selector[0].kind in ("number", "string", "uuid"):
        return bool(selector)
    if selector[0].text == "*":
        return count > 1 or len(selector) > 1
    return any(token.text in ("+", "-", "/", "%") or token.text == "[" and selector[0].word not in ("writetime", "ttl")
               for token in selector)


def _named(column: Column) -> Column:
    """Markers that 5.2 calls otherwise."""
    name = {"[per_partition_limit]": "[limit]", "[json]": ""}.get(column.name, column.name)
    return column if name == column.name else Column(column.keyspace, column.table, name, column.type)


def _shifted(one: Mutation, keyspace: str | None, by: int) -> Mutation:
    return Mutation(one.verb, one.keyspace or keyspace, one.table,
                    {k: Term(t.text, [m + by for m in t.markers]) for k, t in one.keys.items()},
                    one.exists, one.conditions, one.json, one.increments, one.nested_condition)
