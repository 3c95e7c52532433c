"""Statements, as far as ScyllaDB and Cassandra differ about them: a lexer and a shallow parser.

What it does not understand it leaves alone: the Cassandra behind has the last word on grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

_TOKEN = re.compile(r"""
    (?P<space>\s+|--[^\n]*\n|//[^\n]*\n|/\*.*?\*/)
  | (?P<string>'(?:[^']|'')*'|\$\$.*?\$\$)
  | (?P<quoted>"(?:[^"]|"")+")
  | (?P<uuid>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})
  | (?P<number>-?(?:0[xX][0-9a-fA-F]*|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?\w*))
  | (?P<name>:(?:\w+|"(?:[^"]|"")+"))
  | (?P<ident>[A-Za-z]\w*)
  | (?P<op>\+=|-=|<=|>=|!=|\?|.)
""", re.VERBOSE | re.DOTALL)
_OPEN, _CLOSE = set("([{"), set(")]}")


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The keyword or plain name it may be, in lower case."""
        return self.text.lower() if self.kind == "ident" else ""

    @property
    def name(self) -> str:
        """The identifier that it is, or ''."""
        if self.kind == "quoted":
            return self.text[1:-1].replace('""', '"')
        return self.word

    @property
    def marker(self) -> bool:
        return self.text == "?" or self.kind == "name"


def tokens_of(text: str) -> list[Token]:
    return [Token(m.lastgroup or "op", m.group(), m.start(), m.end())
            for m in _TOKEN.finditer(text) if m.lastgroup != "space"]


@dataclass
class Term:
    """A piece of the statement's text, with the numbers of the markers inside."""

    text: str
    markers: list[int] = field(default_factory=list)


@dataclass
class Mutation:
    """INSERT, UPDATE or DELETE, alone or within a batch."""

    verb: str
    keyspace: str | None = None
    table: str = ""
    keys: dict[str, Term] = field(default_factory=dict)      # columns equal to a term: INSERT's values, WHERE's equals
    exists: bool = False                                     # IF EXISTS, IF NOT EXISTS
    conditions: list[str] = field(default_factory=list)      # columns of IF
    json: bool = False
    increments: list[tuple[str, str]] = field(default_factory=list)  # SET v = v + 1 on `v`; its text
    nested_condition: int | None = None                      # where an `IF udt.field` stands

    @property
    def conditional(self) -> bool:
        return self.exists or bool(self.conditions)


@dataclass
class Statement:
    text: str
    tokens: list[Token]
    verb: str = ""                                           # "select", "insert", "create table", ...
    keyspace: str | None = None                              # of SELECT, TRUNCATE
    table: str = ""
    mutations: list[Mutation] = field(default_factory=list)  # one, or a batch's
    markers: list[str] = field(default_factory=list)         # their names in order, '' for '?'
    timestamps: list[Term] = field(default_factory=list)
    cuts: list[tuple[int, int]] = field(default_factory=list)  # what Cassandra must not see
    timeout_marker: int | None = None
    selectors: list[list[Token]] = field(default_factory=list)
    tail: int = 0                                            # where FROM begins
    in_sizes: list[int] = field(default_factory=list)
    in_markers: list[int] = field(default_factory=list)
    compound: int | None = None                              # where += or -= stands
    batch: bool = False

    @property
    def conditional(self) -> bool:
        return any(m.conditional for m in self.mutations)

    @property
    def scan(self) -> bool:
        """Whether a SELECT goes over the table or token ranges of it."""
        words = [t.word for t in self.tokens]
        return "where" not in words or "token" in words[words.index("where"):]

    @property
    def repeats(self) -> bool:
        """Whether a named marker stands more than once."""
        named = [name for name in self.markers if name]
        return len(set(named)) < len(named)

    def behind(self) -> str:
        """The text for Cassandra: without what only ScyllaDB knows."""
        out = self.text
        for start, end in sorted(self.cuts, reverse=True):
            out = out[:start] + " " + out[end:]
        return out


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = [t for t in tokens_of(text)]
        while self.tokens and self.tokens[-1].text == ";":
            self.tokens.pop()
        self.out = Statement(text, self.tokens)
        self.at = 0
        self.number: dict[int, int] = {}  # token index -> marker number
        for i, token in enumerate(self.tokens):
            if token.marker:
                self.number[i] = len(self.out.markers)
                name = token.text[1:] if token.kind == "name" else ""
                self.out.markers.append(name[1:-1] if name.startswith('"') else name.lower())

    # --- small helpers ---

    def word(self, ahead: int = 0) -> str:
        i = self.at + ahead
        return self.tokens[i].word if i < len(self.tokens) else ""

    def text(self, ahead: int = 0) -> str:
        i = self.at + ahead
        return self.tokens[i].text if i < len(self.tokens) else ""

    def term(self, first: int, last: int) -> Term:
        if first >= last:
            return Term("")
        source = self.out.text[self.tokens[first].start:self.tokens[last - 1].end]
        return Term(re.sub(r"^:.*$", "?", source), [self.number[i] for i in range(first, last) if i in self.number])

    def until(self, *words: str) -> int:
        """The index of the next of these words or signs outside of brackets, or the end."""
        depth = 0
        for i in range(self.at, len(self.tokens)):
            token = self.tokens[i]
            if depth == 0 and (token.word or token.text) in words:
                return i
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
            if depth < 0:
                return i
        return len(self.tokens)

    def split(self, first: int, last: int, at: str) -> list[tuple[int, int]]:
        out, depth, begin = [], 0, first
        for i in range(first, last):
            token = self.tokens[i]
            if depth == 0 and (token.word or token.text) == at:
                out.append((begin, i))
                begin = i + 1
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
        if begin < last:
            out.append((begin, last))
        return out

    def table(self) -> tuple[str | None, str]:
        if self.at >= len(self.tokens):
            return None, ""
        first = self.tokens[self.at].name
        self.at += 1
        if self.text() == "." and self.at + 1 < len(self.tokens):
            second = self.tokens[self.at + 1].name
            self.at += 2
            return first, second
        return None, first

    # --- clauses ---

    def using(self) -> None:
        """USING a AND b: timestamps are noted, TIMEOUT is cut (with the whole clause when nothing else is in it)."""
        if self.word() != "using":
            return
        begin = self.at
        kept, timeouts = 0, []
        i = begin + 1
        while i < len(self.tokens):
            word = self.tokens[i].word
            if word in ("timestamp", "ttl"):
                kept += 1
                if word == "timestamp":
                    self.out.timestamps.append(self.term(i + 1, i + 2))
            elif word == "timeout":
                timeouts.append(i)
                if i + 1 in self.number:
                    self.out.timeout_marker = self.number[i + 1]
            else:
                break
            i += 2
            if i < len(self.tokens) and self.tokens[i].word == "and" and \
                    self.tokens[min(i + 1, len(self.tokens) - 1)].word in ("timestamp", "ttl", "timeout"):
                i += 1
            else:
                break
        self.at = min(i, len(self.tokens))
        if timeouts and not kept:
            self.cut(begin, self.at)
        else:
            for t in timeouts:  # with the AND before it, or behind it when it comes first
                self.cut(t - 1, t + 2) if t > begin + 1 else self.cut(t, t + 3)

    def cut(self, first: int, last: int) -> None:
        last = min(last, len(self.tokens))
        if first < last:
            self.out.cuts.append((self.tokens[first].start, self.tokens[last - 1].end))

    def where(self, mutation: Mutation | None) -> None:
        if self.word() != "where":
            return
        self.at += 1
        end = self.until("if", "order", "group", "limit", "allow", "per", "using", "bypass", ";", "apply", "insert",
                         "update", "delete")
        for first, last in self.split(self.at, end, "and"):
            relation = self.tokens[first:last]
            if len(relation) >= 3 and relation[0].name and relation[1].text == "=" and mutation is not None:
                mutation.keys[relation[0].name] = self.term(first + 2, last)
            words = [t.word for t in relation]
            if "in" in words:
                at = first + words.index("in") + 1
                if at < last and self.tokens[at].text == "(":
                    self.out.in_sizes.append(len(self.split(at + 1, last - 1, ",")))
                elif at in self.number:
                    self.out.in_markers.append(self.number[at])
        self.at = end

    def conditions(self, mutation: Mutation) -> None:
        if self.word() != "if":
            return
        begin = self.at
        self.at += 1
        if self.word() == "exists" or (self.word() == "not" and self.word(1) == "exists"):
            self.at += 1 if self.word() == "exists" else 2
            mutation.exists = True
            if mutation.json and mutation.verb == "insert":
                # ScyllaDB 5.2 reads the condition of an INSERT JSON and forgets it: the row is overwritten.
                mutation.exists = False
                self.cut(begin, self.at)
            return
        end = self.until("using", ";", "apply", "insert", "update", "delete")
        for first, last in self.split(self.at, end, "and"):
            name = self.tokens[first].name
            if name and name not in mutation.conditions:
                mutation.conditions.append(name)
            if first + 1 < last and self.tokens[first + 1].text == ".":
                mutation.nested_condition = self.tokens[first + 1].start
        self.at = end

    def insert(self) -> Mutation:
        mutation = Mutation("insert")
        self.at += 2
        mutation.keyspace, mutation.table = self.table()
        if self.word() == "json":
            mutation.json = True
            self.at = self.until("if", "using", ";", "apply")
        elif self.text() == "(":
            end = self._closing()
            columns = [self.tokens[a].name for a, b in self.split(self.at + 1, end, ",")]
            self.at = end + 1
            if self.word() == "values" and self.text(1) == "(":
                self.at += 1
                end = self._closing()
                for name, (first, last) in zip(columns, self.split(self.at + 1, end, ",")):
                    mutation.keys[name] = self.term(first, last)
                self.at = end + 1
        self.conditions(mutation)
        self.using()
        return mutation

    def _closing(self) -> int:
        depth = 0
        for i in range(self.at, len(self.tokens)):
            depth += (self.tokens[i].text in _OPEN) - (self.tokens[i].text in _CLOSE)
            if depth == 0:
                return i
        return len(self.tokens)

    def update(self) -> Mutation:
        mutation = Mutation("update")
        self.at += 1
        mutation.keyspace, mutation.table = self.table()
        self.using()
        if self.word() == "set":
            self.at += 1
            end = self.until("where")
            for first, last in self.split(self.at, end, ","):
                part = self.tokens[first:last]
                for token in part:
                    if token.text in ("+=", "-=") and self.out.compound is None:
                        self.out.compound = token.start
                if len(part) >= 4 and part[1].text == "=" and part[0].name:
                    names = [t.name for t in part[2:]]
                    # `v = v - 1` may be lexed as v = v NUMBER(-1).
                    follows = part[3].text in "+-" or (part[3].kind == "number" and part[3].text.startswith("-"))
                    if (names[0] == part[0].name and follows) or (names[-1] == part[0].name and part[-2].text == "+"):
                        mutation.increments.append((part[0].name, " ".join(t.text for t in part)))
            self.at = end
        self.where(mutation)
        self.conditions(mutation)
        return mutation

    def delete(self) -> Mutation:
        mutation = Mutation("delete")
        self.at = self.until("from") + 1
        mutation.keyspace, mutation.table = self.table()
        self.using()
        self.where(mutation)
        self.conditions(mutation)
        return mutation

    def select(self) -> None:
        out = self.out
        self.at += 1
        end = self.until("from")
        out.selectors = [self.tokens[a:b] for a, b in self.split(self.at, end, ",")]
        out.tail = self.tokens[end].start if end < len(self.tokens) else len(out.text)
        self.at = end + 1
        out.keyspace, out.table = self.table()
        self.where(None)
        while self.at < len(self.tokens):
            self.at = self.until("using", "bypass")
            if self.word() == "bypass":
                self.cut(self.at, self.at + 2)
                self.at += 2
            elif self.word() == "using":
                self.using()
            else:
                break

    def mutation(self) -> Mutation | None:
        word = self.word()
        if word == "insert":
            return self.insert()
        if word == "update":
            return self.update()
        if word == "delete":
            return self.delete()
        return None

    def parse(self) -> Statement:
        out = self.out
        if not self.tokens:
            return out
        out.verb = self.word()
        if out.verb == "select":
            self.select()
        elif out.verb == "begin":
            out.batch = True
            while self.at < len(self.tokens) and self.word() != "batch":
                self.at += 1
            self.at += 1
            self.using()
            while self.at < len(self.tokens) and self.word() != "apply":
                before = self.at
                one = self.mutation()
                if one is not None:
                    out.mutations.append(one)
                elif self.text() == ";":
                    self.at += 1
                if self.at == before:
                    self.at += 1
        elif out.verb in ("create", "alter", "drop"):
            out.verb += " " + self.word(1)
        elif out.verb == "truncate":
            self.at += 2 if self.word(1) in ("table", "columnfamily") and self.at + 2 < len(self.tokens) else 1
            out.keyspace, out.table = self.table()
            self.using()
        else:
            one = self.mutation()
            if one is not None:
                out.mutations.append(one)
        return out


@lru_cache(maxsize=20_000)
def parse(text: str) -> Statement:
    return _Parser(text).parse()


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
