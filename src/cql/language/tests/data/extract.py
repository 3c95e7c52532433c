#!/usr/bin/env python3
"""Makes statements.tsv and prepared.tsv from recorded conversations with real servers:

    extract.py RECORDINGS      a folder with <server>/<scenario>.jsonl

statements.tsv  verdict, kind, keyspace, table, conditional, markers, text: each distinct text with what it says according to the
                regular expressions below, which know nothing of the parser under test. Verdict `ok`: a server took it or refused it for
                its meaning; `syntax`: every server that saw it called it a syntax error.
prepared.tsv    server, count, pk indices, names of the bind markers, text: what the server itself answered to PREPARE.

In texts a backslash, tab, newline and carriage return are written \\\\ \\t \\n \\r.
"""
import json
import re
import struct
import sys
from pathlib import Path


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise ValueError("short")
        self.at += n
        return self.data[self.at - n:self.at]

    def num(self, fmt):
        return struct.unpack(">" + fmt, self.take(struct.calcsize(fmt)))[0]

    def string(self):
        return self.take(self.num("H")).decode()

    def type(self):
        kind = self.num("H")
        if kind == 0:
            self.string()
        elif kind in (0x20, 0x22):
            self.type()
        elif kind == 0x21:
            self.type(), self.type()
        elif kind == 0x30:
            self.string(), self.string()
            for _ in range(self.num("H")):
                self.string(), self.type()
        elif kind == 0x31:
            for _ in range(self.num("H")):
                self.type()


def frames(response):
    if isinstance(response, str) and response:
        data = bytes.fromhex(response)
        while len(data) >= 9:
            length = struct.unpack(">i", data[5:9])[0]
            yield data[0] & 0x7F, data[1], data[4], data[9:9 + length]
            data = data[9 + length:]
    elif isinstance(response, list):
        for one in response:
            yield from frames(one)


def body_of(flags, body):
    r = Reader(body)
    if flags & 1:
        return None  # compressed
    if flags & 2:
        r.take(16)
    if flags & 8:
        for _ in range(r.num("H")):
            r.string()
    if flags & 4:
        for _ in range(r.num("H")):
            r.string(), r.take(max(0, r.num("i")))
    return r


def prepared(version, r):
    """(count, pk indices or None, names) of a PREPARED result, r behind its kind."""
    r.take(r.num("H"))
    if version >= 5:
        r.take(r.num("H"))
    flags, count = r.num("i"), r.num("i")
    pk = [r.num("H") for _ in range(r.num("i"))] if version >= 4 else None
    if flags & 1 and count:
        r.string(), r.string()
    names = []
    for _ in range(count):
        if not flags & 1:
            r.string(), r.string()
        names.append(r.string())
        r.type()
    return count, pk, names


BLANK = re.compile(r"""(--|//)[^\n\r]*[\n\r]|/\*.*?\*/|(\$\$.*?\$\$|'(?:[^']|'')*')|("(?:[^"]|"")*")""", re.S)
NAME = r'("(?:[^"]|"")+"|[A-Za-z]\w*)'
TABLE = NAME + r"(?:\s*\.\s*" + NAME + ")?"


def name(text):
    if not text:
        return ""
    return text[1:-1].replace('""', '"') if text[0] == '"' else text.lower()


def describe(text):
    """kind, keyspace, table, conditional, markers"""
    bare = BLANK.sub(lambda m: " " if m[1] or not (m[2] or m[3]) else (m[3] or "''"), text).strip()
    without_names = re.sub(r'"(?:[^"]|"")*"', "n", bare)
    # The colon of a marker follows an operator, bracket, comma or keyword; the colon of a map follows a value.
    markers = without_names.count("?") + len(re.findall(r"(?:[=<>(\[,+\-{:]|\b(?:IN|LIMIT|TTL|TIMESTAMP|JSON|TIMEOUT))\s*:\s*[A-Za-z]", without_names, re.I))
    words = re.findall(r"[A-Za-z_]\w*|\S", bare)
    verb = words[0].upper() if words else ""
    kinds = {"SELECT": "select", "INSERT": "insert", "UPDATE": "update", "DELETE": "delete", "BEGIN": "batch", "TRUNCATE": "truncate",
             "USE": "use", "GRANT": "access_control", "REVOKE": "access_control", "LIST": "list", "DESCRIBE": "describe", "DESC": "describe",
             "PRUNE": "prune", "ATTACH": "service_level", "DETACH": "service_level", "ADD": "access_control"}
    kind = kinds.get(verb, "unknown")
    if verb in ("CREATE", "ALTER", "DROP"):
        second = words[1].upper() if len(words) > 1 else ""
        kind = {"ROLE": "access_control", "USER": "access_control", "IDENTITY": "access_control", "SERVICE": "service_level"}.get(second, "schema_change")
    if kind == "batch" and "BATCH" not in (w.upper() for w in words[1:3]):
        kind = "unknown"
    where = {
        "select": r"\bFROM\s+(?:MUTATION_FRAGMENTS\s*\(\s*)?" + TABLE,
        "delete": r"\bFROM\s+" + TABLE,
        "insert": r"^\s*INSERT\s+INTO\s+" + TABLE,
        "update": r"^\s*UPDATE\s+" + TABLE,
        "truncate": r"^\s*TRUNCATE\s+(?:(?:TABLE|COLUMNFAMILY)\s+)?" + TABLE,
        "access_control": r"^\s*(?:GRANT|REVOKE)\b.*?\bON\s+(?!(?:ALL|KEYSPACE|ROLE)\b)(?:(?:TABLE|FUNCTION)\s+)?" + TABLE,
        "describe": r"^\s*\w+\s+(?:TABLE|INDEX|TYPE|FUNCTION|AGGREGATE|MATERIALIZED\s+VIEW)\s+" + TABLE,
        "prune": r"^\s*PRUNE\s+MATERIALIZED\s+VIEW\s+" + TABLE,
    }.get(kind)
    if kind == "schema_change":
        exists = r"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?"
        for pattern in (r"^\s*\w+\s+(?:TABLE|COLUMNFAMILY)\s+" + exists + TABLE,
                        r"^\s*CREATE\s+(?:CUSTOM\s+)?INDEX\s+" + exists + r"(?:(?!ON\b)" + NAME[1:-1].join(("(?:", ")")) + r"\s+)?ON\s+" + TABLE,
                        r"^\s*\w+\s+TRIGGER\s+" + exists + r"\S+\s+ON\s+" + TABLE,
                        r"^\s*CREATE\s+MATERIALIZED\s+VIEW\s+.*?\bFROM\s+" + TABLE):
            if re.search(pattern, bare, re.I | re.S):
                where = pattern
                break
    found = re.search(where, bare, re.I | re.S) if where else None
    first, second = (found[1], found[2]) if found else ("", "")
    keyspace, table = (name(first), name(second)) if second else ("", name(first))
    conditional = kind in ("insert", "update", "delete", "batch") and bool(re.search(r"\bIF\b", without_names, re.I))
    return kind, keyspace, table, "yes" if conditional else "no", markers


def escape(text):
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def main():
    recordings = Path(sys.argv[1])
    verdicts, answers = {}, {}
    for path in sorted(recordings.glob("*/*.jsonl")):
        server = path.parent.name
        for line in path.read_text().splitlines():
            step = json.loads(line)
            text = step.get("cql")
            # Shortened texts carry a mark of their length; what a batch frame holds is joined in the recording's own way.
            if not isinstance(text, str) or len(text) >= 4000 or "BATCH" in step.get("note", ""):
                continue
            request = step.get("request")
            if not isinstance(request, str) or len(request) < 18 or request[8:10] not in ("07", "09"):
                continue
            verdict = "none"
            for version, flags, opcode, body in frames(step["response"]):
                r = body_of(flags, body)
                if r is None:
                    continue
                if opcode == 0:
                    code = r.num("i")
                    message = r.string()
                    unparsed = code == 0x2000 and message.startswith("line ")
                    verdict = "syntax" if unparsed else "none" if code in (0x000A, 0x0000) else "ok"
                elif opcode == 8:
                    verdict = "ok"
                    if request[8:10] == "09" and r.num("i") == 4:
                        count, pk, names = prepared(version, r)
                        # A later answer of an older protocol says less.
                        if pk is not None or (text, server) not in answers:
                            answers[(text, server)] = (count, pk, names)
                break
            known = verdicts.setdefault(text, set())
            known.add(verdict)
    here = Path(__file__).resolve().parent
    # Times of the recording made these differ; one of each is enough.
    distinct = {}
    for text in sorted(verdicts):
        distinct.setdefault(re.sub(r"\b1[78]\d{14}\b", "T", text), text)
    rows = []
    for text in distinct.values():
        verdict = "ok" if "ok" in verdicts[text] else "syntax" if "syntax" in verdicts[text] else "none"
        rows.append("\t".join(map(str, (verdict, *describe(text), escape(text)))))
    (here / "statements.tsv").write_text("\n".join(rows) + "\n")
    rows = []
    for (text, server), (count, pk, names) in sorted(answers.items()):
        pk = "-" if pk is None else ",".join(map(str, pk))
        rows.append("\t".join((server, str(count), pk, "|".join(names), escape(text))))
    (here / "prepared.tsv").write_text("\n".join(rows) + "\n")
    print(len(distinct), "texts,", len(answers), "prepared answers")


if __name__ == "__main__":
    main()
