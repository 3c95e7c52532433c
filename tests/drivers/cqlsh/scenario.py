"""The scenario as a person at cqlsh would play it. tests/drivers/README.md says what a step is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIG = json.loads(sys.argv[1])
KS = CONFIG["keyspace"]
CQLSH = Path(sys.executable).with_name("cqlsh")
# How long a COPY took, and how many rows a second, is not the same twice.
UNSTEADY = [(re.compile(r"\d+(\.\d+)? seconds?"), "N seconds"), (re.compile(r"Rate: .*"), "Rate"), (re.compile(r"Processed: .*[\r\n]"), ""),
            # The driver's own threads, when a shell ends as soon as it began.
            (re.compile(r"Exception in thread Task Scheduler:\n(?:.*\n)*?RuntimeError: cannot schedule new futures after shutdown\n?"), ""),
            (re.compile(r"Using \d+ child processes"), "Using N child processes"), (re.compile(r"Tracing session: .*"), "Tracing session")]


def cqlsh(text: str, keyspace: str | None = KS) -> dict:
    """What it printed on both outputs, and its exit status."""
    command = [sys.executable, str(CQLSH), CONFIG["host"], str(CONFIG["port"]), "--no-color", "--connect-timeout", "20", "--request-timeout", "30",
               "--execute", text]
    if keyspace:
        command += ["--keyspace", keyspace]
    if CONFIG.get("protocol"):
        command += ["--protocol-version", str(CONFIG["protocol"])]
    if CONFIG.get("user"):
        command += ["--username", CONFIG["user"], "--password", CONFIG["password"]]
    environment = None
    if CONFIG.get("ca"):
        command.append("--ssl")
        environment = {**os.environ, "SSL_CERTFILE": CONFIG["ca"], "SSL_VALIDATE": "true"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120)
    return {"exit": done.returncode, "out": steady(done.stdout), "err": steady(done.stderr)}


def steady(text: str) -> list[str]:
    for pattern, instead in UNSTEADY:
        text = pattern.sub(instead, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def step(name: str, text: str, keyspace: str | None = KS) -> None:
    print(json.dumps({"step": name, "outcome": cqlsh(text, keyspace)}), flush=True)


def ask(what: str) -> None:
    print(json.dumps({"ask": what}), flush=True)
    sys.stdin.readline()


def schema() -> None:
    step("schema.create", f"CREATE KEYSPACE {KS} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}; USE {KS};"
         "CREATE TYPE address (street text, zip int); CREATE TABLE people (team text, id int, name text, home frozen<address>, "
         "tags set<text>, PRIMARY KEY (team, id)) WITH CLUSTERING ORDER BY (id DESC) AND comment = 'who';"
         "ALTER TABLE people ADD age int; CREATE INDEX people_name ON people (name);"
         "CREATE TABLE gone (id int PRIMARY KEY); DROP TABLE gone;", None)
    step("describe", "; ".join(f"DESCRIBE {what}" for what in (
        "KEYSPACES", "TABLES", "TYPES", f"KEYSPACE {KS}", "TABLE people", "TYPE address", "INDEX people_name", "TABLE nowhere",
        "TABLE system.local")))
    step("describe.cluster", "DESCRIBE CLUSTER")


def simple() -> None:
    step("simple.write_and_read", "INSERT INTO people (team, id, name, age, home, tags) VALUES ('a', 1, 'Ann', 31, {street: 'High', zip: 7}, {'x'})"
         " USING TIMESTAMP 1000000; SELECT * FROM people; SELECT JSON id FROM people; SELECT writetime(name), token(team) FROM people;"
         "DELETE FROM people WHERE team = 'a'; SELECT * FROM people;")
    step("simple.consistency", "CONSISTENCY LOCAL_QUORUM; SERIAL CONSISTENCY LOCAL_SERIAL; SELECT id FROM people WHERE team = 'a'; SHOW VERSION; SHOW HOST")
    step("simple.expand", "INSERT INTO people (team, id) VALUES ('e', 1); EXPAND ON; SELECT * FROM people WHERE team = 'e'")


def batches() -> None:
    step("batch", "CREATE TABLE hits (page text PRIMARY KEY, n counter);"
         "BEGIN BATCH INSERT INTO people (team, id) VALUES ('b', 1); INSERT INTO people (team, id) VALUES ('b', 2); APPLY BATCH;"
         "BEGIN UNLOGGED BATCH INSERT INTO people (team, id) VALUES ('b', 3); APPLY BATCH;"
         "BEGIN COUNTER BATCH UPDATE hits SET n = n + 2 WHERE page = 'x'; UPDATE hits SET n = n + 3 WHERE page = 'y'; APPLY BATCH;"
         "SELECT id FROM people WHERE team = 'b'; SELECT * FROM hits;")


def conditional() -> None:
    insert = "INSERT INTO people (team, id, name) VALUES ('l', 1, 'Lea') IF NOT EXISTS;"
    step("lwt", insert + insert + "UPDATE people SET name = 'Lou' WHERE team = 'l' AND id = 1 IF name = 'nobody';"
         "DELETE FROM people WHERE team = 'l' AND id = 1 IF EXISTS;")


def paging() -> None:
    step("paging.table", "CREATE TABLE pages (k int, c int, v text, PRIMARY KEY (k, c));")
    ask("tables_made")
    with tempfile.TemporaryDirectory() as home:
        rows = "".join(f"1,{c},v{c}\n" for c in range(500))
        Path(home, "in.csv").write_text(rows)
        step("copy.from", f"COPY pages (k, c, v) FROM '{home}/in.csv' WITH NUMPROCESSES = 1")
        outcome = cqlsh(f"COPY pages TO '{home}/out.csv' WITH NUMPROCESSES = 1")
        outcome["out"] = [line.replace(home, "HOME") for line in outcome["out"]]
        written = Path(home, "out.csv")
        outcome["same"] = written.exists() and sorted(written.read_text().splitlines()) == sorted(rows.splitlines())
        print(json.dumps({"step": "copy.to", "outcome": outcome}), flush=True)
    ask("between_pages")
    step("paging.off", "PAGING OFF; SELECT count(*) FROM pages; SELECT c FROM pages WHERE k = 1 LIMIT 3")


def types() -> None:
    step("types", "CREATE TABLE kinds (id int PRIMARY KEY, a ascii, b bigint, c blob, d date, e decimal, f double, g duration, h float, i inet,"
         "j smallint, k time, l timestamp, m timeuuid, n tinyint, o uuid, p varint, q list<int>, r set<text>, s map<text, int>,"
         "t tuple<int, text>, u frozen<address>, v boolean);"
         "INSERT INTO kinds (id, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v) VALUES (1, 'a', -1, 0x00ff, '2024-02-29', -12.3450,"
         "0.5, 1mo2d3ns, 1.25, '2001:db8::1', -32768, '12:34:56.789012345', '1969-12-31 23:59:59.999+0000', 50554d6e-29bb-11e5-b345-feff819cdc9f,"
         "-128, 50554d6e-29bb-11e5-b345-feff819cdc9f, 1208925819614629174706176, [3, 1], {'b', 'a'}, {'k': 1}, (1, null), {street: 'x', zip: 7}, true);"
         "SELECT * FROM kinds; SELECT JSON * FROM kinds")


def errors() -> None:
    step("errors", "; ".join((
        "SELEC * FROM people", "SELECT * FROM nowhere", "SELECT wrong FROM people", "CREATE TABLE people (id int PRIMARY KEY)",
        "SELECT * FROM people WHERE age = 3", "USE nowhere", "DROP TABLE nowhere", "CONSISTENCY THREE",
        "SELECT id FROM people WHERE team = 'a'")))


def extras() -> None:
    step("extras.warnings", "SELECT count(*) FROM people")
    outcome = cqlsh("TRACING ON; SELECT id FROM people WHERE team = 'e'")
    outcome["out"] = [any("Request complete" in line for line in outcome["out"])]  # The rest of a trace is never the same twice.
    print(json.dumps({"step": "extras.tracing", "outcome": outcome}), flush=True)


def restart() -> None:
    ask("restart")
    end = time.monotonic() + 40
    while cqlsh("SELECT key FROM system.local", None)["exit"] != 0 and time.monotonic() < end:
        pass
    step("restart", "SELECT id FROM people WHERE team = 'e'")


GROUPS = {"schema": schema, "simple": simple, "batch": batches, "lwt": conditional, "paging": paging, "types": types, "errors": errors,
          "extras": extras, "restart": restart}


def main() -> None:
    step("connect", "SELECT cluster_name, data_center, rack, release_version, native_protocol_version FROM system.local; SHOW VERSION", None)
    for name in CONFIG["groups"]:
        if name in GROUPS:
            GROUPS[name]()
    step("closed", f"DROP KEYSPACE {KS}", None)


main()
